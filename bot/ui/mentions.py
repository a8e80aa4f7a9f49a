"""Messages that are meant for the bot, told from ordinary chat."""

import re
from dataclasses import dataclass

import discord

from bot.domain.generation import Origin, Source
from bot.domain.ids import ChannelId, MessageId
from bot.domain.settings import REFERENCES_MAX
from bot.ui.message_images import attached_images, images_of
from bot.ui.texts import editing

_SPOKEN = frozenset({discord.MessageType.default, discord.MessageType.reply})


@dataclass(frozen=True, slots=True)
class Call:
    """A wish in a message: what to make of which pictures."""

    prompt: str
    sources: tuple[Source, ...]
    origin: Origin | None
    note: str | None = None
    """What the member should know beforehand."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A message that is meant for the bot, but lacks something: the line that helps."""

    text: str


def read_call(message: discord.Message, me: int, *, sees_all: bool) -> Call | Hint | None:
    """What a member wants with a message; None for ordinary chat.

    Meant for the bot is what mentions it, as replies to its own messages do by default, and what is written to it
    directly. ``sees_all`` tells whether Discord grants the message-content intent.
    """
    if message.author.bot or message.webhook_id is not None or message.type not in _SPOKEN:
        return None
    if message.guild is not None and me not in {user.id for user in message.mentions}:
        return None
    prompt = _prompt(message, me)
    if not prompt:
        return Hint(editing.HOW_TO)
    above = _replied_to(message)
    sources = [*(images_of(above) if above else ()), *attached_images(message.attachments)]
    hidden = above is not None and not sees_all and _is_hidden(above, me)
    if not sources:
        return Hint(editing.CANNOT_SEE if hidden else editing.NO_PICTURE)
    origin = Origin(ChannelId(above.channel.id), MessageId(above.id)) if above and images_of(above) else None
    return Call(prompt, tuple(sources[:REFERENCES_MAX]), origin, editing.ONLY_YOURS if hidden else None)


def _prompt(message: discord.Message, me: int) -> str:
    """The message's words without the bot's mention, other members by their names."""
    text = re.sub(rf"<@!?{me}>", " ", message.content)
    for user in message.mentions:
        for written in (f"<@{user.id}>", f"<@!{user.id}>"):
            text = text.replace(written, f"@{user.display_name}")
    return " ".join(text.split())


def _replied_to(message: discord.Message) -> discord.Message | None:
    reference = message.reference
    if reference is None or not isinstance(reference.resolved, discord.Message):
        return None
    return reference.resolved


def _is_hidden(message: discord.Message, me: int) -> bool:
    """Whether Discord has emptied another member's message."""
    shown = message.content or message.attachments or message.embeds or message.components or message.stickers
    return not shown and message.author.id != me and message.guild is not None
