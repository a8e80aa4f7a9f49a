"""The text of a message, as a member sees it."""

import re
from collections.abc import Iterable, Iterator

import discord

_MENTION = re.compile(r"<@!?(\d+)>")
_TIME = re.compile(r"<t:\d+(?::\w)?>")
_LINK = re.compile(r"\[([^\]]*)\]\(\S*\)")
_MARKUP = re.compile(r"\*\*|-# |\\(?=[^\w\s])")


def visible_text(message: discord.Message) -> str:
    """All of its text, line by line, with mentions as names and without the formatting marks that Easel uses."""
    texts = [message.clean_content, *(embed.title or embed.description or "" for embed in message.embeds)]
    texts += [
        component.content for component in _nested(message.components) if isinstance(component, discord.TextDisplay)
    ]
    texts += [snapshot.content for snapshot in message.message_snapshots]
    names = {str(user.id): user.display_name for user in message.mentions}
    named = _MENTION.sub(lambda mention: f"@{names.get(mention[1], 'somebody')}", "\n".join(filter(None, texts)))
    plain = _MARKUP.sub("", _LINK.sub(r"\1", _TIME.sub("soon", named)))
    return "\n".join(" ".join(line.split()) for line in plain.splitlines())


def _nested(components: Iterable[discord.Component]) -> Iterator[discord.Component]:
    """Every component and those inside it, from top to bottom."""
    for component in components:
        yield component
        if isinstance(component, discord.Container | discord.ActionRow | discord.SectionComponent):
            yield from _nested(component.children)
