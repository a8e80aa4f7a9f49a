"""Messages that are meant for the bot, told apart from ordinary chat."""

import re
from dataclasses import dataclass

import discord

from bot.domain.generation import Origin, Source
from bot.domain.ids import ChannelId, MessageId, UserId
from bot.domain.settings import REFERENCES_MAX
from bot.ui.message_images import attached_images, images_of
from bot.ui.texts import refusals

_WRITTEN_BY_MEMBERS = frozenset({discord.MessageType.default, discord.MessageType.reply})


@dataclass(frozen=True, slots=True)
class MentionRequest:
    """A message that asks for an edit of the images in it or in the message that it replies to."""

    prompt: str
    sources: tuple[Source, ...]
    origin: Origin | None
    note: str | None = None
    """What the member should know beforehand."""


@dataclass(frozen=True, slots=True)
class MentionHint:
    """A message that is meant for the bot but lacks something, and the line that helps."""

    text: str


def read_mention(message: discord.Message, bot_id: int, *, sees_all: bool) -> MentionRequest | MentionHint | None:
    """What a member asks for with a message; None for ordinary chat.

    Meant for the bot are direct messages to it and messages that mention it, as replies to its own messages do by
    default. ``sees_all``: Discord grants the message-content intent.
    """
    if message.author.bot or message.webhook_id is not None or message.type not in _WRITTEN_BY_MEMBERS:
        return None
    if message.guild is not None and bot_id not in {user.id for user in message.mentions}:
        return None
    prompt = _prompt(message, bot_id)
    if not prompt:
        return MentionHint(refusals.HOW_TO)
    above = _replied_to(message)
    above_images = images_of(above, UserId(message.author.id)) if above else []
    sources = [*above_images, *attached_images(message)]
    hidden = above is not None and not sees_all and _is_hidden(above, bot_id)
    if not sources:
        return MentionHint(refusals.CANNOT_SEE if hidden else refusals.NO_IMAGE)
    origin = Origin(ChannelId(above.channel.id), MessageId(above.id)) if above and above_images else None
    note = refusals.ONLY_YOURS if hidden else None
    return MentionRequest(prompt, tuple(sources[:REFERENCES_MAX]), origin, note)


def _prompt(message: discord.Message, bot_id: int) -> str:
    """The message's text without the bot's mention, and with other members' names in place of theirs."""
    text = re.sub(rf"<@!?{bot_id}>", " ", message.content)
    for user in message.mentions:
        for mention in (f"<@{user.id}>", f"<@!{user.id}>"):
            text = text.replace(mention, f"@{user.display_name}")
    return " ".join(text.split())


def _replied_to(message: discord.Message) -> discord.Message | None:
    reference = message.reference
    if reference is None or not isinstance(reference.resolved, discord.Message):
        return None
    if reference.channel_id != message.channel.id:
        return None  # its author may not see that channel
    return reference.resolved


def _is_hidden(message: discord.Message, bot_id: int) -> bool:
    """Whether Discord left out the content of another member's message."""
    content = message.content or message.attachments or message.embeds or message.components or message.stickers
    return not content and message.author.id != bot_id and message.guild is not None
