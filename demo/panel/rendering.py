"""The words of a message, as a member sees them."""

import re
from collections.abc import Iterable, Iterator

import discord

_LONGEST = 140
_MENTION = re.compile(r"<@!?(\d+)>")
_MARKS = re.compile(r"\*\*|-# |<t:\d+(?::\w)?>")


def words(message: discord.Message) -> str:
    """Its text on one line, cut at a word where it is long; empty for a message of pictures alone."""
    parts = [message.clean_content, *(embed.title or embed.description or "" for embed in message.embeds)]
    parts += [piece.content for piece in _pieces(message.components) if isinstance(piece, discord.TextDisplay)]
    for snapshot in message.message_snapshots:
        parts.append(snapshot.content)
    line = " ".join(_plain(message, part) for part in parts if part)
    return line if len(line) <= _LONGEST else line[:_LONGEST].rsplit(" ", 1)[0] + "…"


def full_words(message: discord.Message) -> str:
    """All of its text, line by line, without marks of formatting."""
    texts = [piece.content for piece in _pieces(message.components) if isinstance(piece, discord.TextDisplay)]
    return "\n".join(_plain(message, line) for text in (message.clean_content, *texts) for line in text.splitlines())


def _pieces(components: Iterable[discord.Component]) -> Iterator[discord.Component]:
    """Every component with those inside it, from top to bottom."""
    for component in components:
        yield component
        match component:
            case discord.Container(children=inside) | discord.ActionRow(children=inside):
                yield from _pieces(inside)
            case discord.SectionComponent(children=inside):
                yield from _pieces(inside)
            case _:
                pass


def _plain(message: discord.Message, text: str) -> str:
    """Mentions as names, and without the marks of Discord's formatting that stand in Easel's own texts."""
    names = {str(user.id): user.display_name for user in message.mentions}
    named = _MENTION.sub(lambda found: f"@{names.get(found[1], 'somebody')}", text)
    return " ".join(_MARKS.sub("", named).split())
