"""Messages that are meant for the bot, told apart from ordinary chat."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import discord

from bot.domain.credits import Credits, PriceList, Requester
from bot.domain.generation import Destination, GenerationRequest, Origin, Reference, Source
from bot.domain.ids import ChannelId, MessageId, UserId
from bot.domain.preferences import Preferences
from bot.domain.rules import ReplyMode
from bot.domain.settings import PROMPT_MIN
from bot.ui.message_images import animations, attached_images, images_of, other_files, prompt_file, sticker_images
from bot.ui.prompts import written_prompt
from bot.ui.texts import refusals

_WRITTEN_BY_MEMBERS = frozenset({discord.MessageType.default, discord.MessageType.reply})
_QUOTED = re.compile(r"```.*?```|``.*?``|`[^`]*`|^>>> .*|^> [^\n]*", re.DOTALL | re.MULTILINE)
"""Code, in which Discord takes nothing for a mention, and quotes, which repeat what somebody else wrote."""
_NO_WORDS = re.compile(r"<a?:\w+:\d+>|:\w+:|https?://\S+")
"""Custom emoji and links, of which a reaction may consist."""
_HELP: Final = frozenset({"", "help", "/help"})


class Address(Enum):
    """How clearly a message with a prompt is meant as a request."""

    MENTION = auto()
    """The bot's mention was typed, or images were sent to it directly."""
    REPLY_WITH_IMAGES = auto()
    """A reply to the bot that brings images of its own."""
    WORDS = auto()
    """Perhaps chat: a reply to a result, which pings the bot by Discord's default, or words in direct messages."""


class Response(Enum):
    """What is done about a message with a prompt."""

    START = auto()
    ASK = auto()
    IGNORE = auto()


@dataclass(frozen=True, slots=True)
class MentionRequest:
    """A message that asks for an image, or for an edit of the images in it or in the message that it replies to."""

    address: Address
    prompt: str
    sources: tuple[Source, ...]
    origin: Origin | None
    note: str | None = None
    """What the member should know beforehand."""
    prompt_file: Source | None = None
    """The file that holds the prompt, or the rest of it: it was too long for a message."""

    def response(self, mode: ReplyMode) -> Response:
        """What to do about it in a server with this setting."""
        match self.address, mode:
            case (Address.MENTION, _) | (_, ReplyMode.EDIT) | (Address.REPLY_WITH_IMAGES, ReplyMode.ASK):
                return Response.START
            case Address.WORDS, ReplyMode.ASK:
                return Response.ASK
            case _:
                return Response.IGNORE


@dataclass(frozen=True, slots=True)
class MentionHint:
    """A message that is meant for the bot but lacks something, and the line that helps."""

    text: str


def read_mention(message: discord.Message, bot_id: int, *, sees_all: bool) -> MentionRequest | MentionHint | None:
    """What a member asks for with a message, or may ask for; None for ordinary chat.

    The mention of the bot's own role, which Discord's completion offers beside that of the bot, counts as the bot's.
    ``sees_all``: Discord grants the message-content intent.
    """
    if message.author.bot or message.webhook_id is not None or message.type not in _WRITTEN_BY_MEMBERS:
        return None
    role = _own_role(message.guild, bot_id)
    if not message.content and not sees_all and role in message.role_mentions:
        return MentionHint(refusals.ROLE_HIDDEN)
    own_images = attached_images(message)
    address = _address(message, bot_id, role, has_images=bool(own_images))
    own_images += sticker_images(message)
    if address is None:
        return None
    prompt = prompt_of(message, bot_id)
    if address is Address.MENTION or message.guild is None:
        return _direct(message, bot_id, address, prompt, own_images, sees_all=sees_all)
    above = _replied_to(message)
    above_images = _images_above(message, above)
    has_request = has_words(prompt) or prompt_file(message) is not None
    if above is None or not has_request or not (above_images or own_images):
        return None
    return _request(message, address, prompt, above, above_images, own_images, [])


def _direct(
    message: discord.Message, bot_id: int, address: Address, prompt: str, own_images: list[Source], *, sees_all: bool
) -> MentionRequest | MentionHint:
    """What a message asks for that speaks to the bot, and so is owed an answer."""
    too_short = address is Address.WORDS and len(prompt) < PROMPT_MIN
    says_nothing = too_short or _is_reaction(prompt) or prompt.casefold().rstrip("!?.") in _HELP
    if says_nothing and prompt_file(message) is None:
        return MentionHint(refusals.HOW_TO if message.guild else refusals.HOW_TO_DIRECTLY)
    above = _replied_to(message)
    above_images = _images_above(message, above)
    hidden = above is not None and not above_images and not sees_all and _is_hidden(above, bot_id)
    if not (above_images or own_images):
        if hidden:
            return MentionHint(refusals.CANNOT_SEE)
        if message.reference is not None and above is None:
            return MentionHint(refusals.REPLY_LOST)
        if animations(above or message) or animations(message):
            return MentionHint(refusals.STICKER)
        if other_files(message):
            return MentionHint(refusals.NO_IMAGE)
        if above is not None and other_files(above):
            return MentionHint(refusals.NO_IMAGE_ABOVE)
    notes = [refusals.ONLY_YOURS] if hidden else []
    if left_out := other_files(message):
        notes.append(refusals.passed_over(left_out))
    return _request(message, address, prompt, above, above_images, own_images, notes)


def has_words(prompt: str) -> bool:
    """Whether a prompt is long enough and no mere reaction."""
    return len(prompt) >= PROMPT_MIN and not _is_reaction(prompt)


def generation_request(
    requester: Requester,
    prompt: str,
    sources: Sequence[Source | Reference],
    origin: Origin | None,
    destination: Destination,
    preferences: Preferences,
) -> GenerationRequest:
    """The request that a message stands for; its sources are handed over beside it."""
    settings = preferences.settings(has_images=bool(sources))
    return GenerationRequest(requester, prompt, settings, preferences.images, (), destination, origin)


def price_for(prices: PriceList, preferences: Preferences, sources: Sequence[Source | Reference]) -> Credits:
    """What a message costs that comes with these images."""
    return prices.of(preferences.settings(has_images=bool(sources))) * preferences.images


def _address(message: discord.Message, bot_id: int, role: discord.Role | None, *, has_images: bool) -> Address | None:
    """How the message speaks to the bot; None if it does not."""
    pinged = bot_id in {user.id for user in message.mentions}
    spoken = _QUOTED.sub(" ", message.content)
    if (pinged and re.search(rf"<@!?{bot_id}>", spoken)) or (role and role.mention in spoken):
        return Address.MENTION
    if message.guild is None:
        return Address.MENTION if has_images else Address.WORDS
    above = _replied_to(message)
    if not pinged or above is None or above.author.id != bot_id:
        return None
    return Address.REPLY_WITH_IMAGES if has_images else Address.WORDS


def _is_reaction(prompt: str) -> bool:
    """Whether a prompt has no word but emoji, punctuation or a link."""
    return not any(char.isalpha() for char in _NO_WORDS.sub("", prompt))


def _own_role(guild: discord.Guild | None, bot_id: int) -> discord.Role | None:
    """The role that Discord made for the bot when it was invited; its tags name the bot, and nobody else has it."""
    if guild is None:
        return None
    me = guild.get_member(bot_id)
    managed = [role for role in me.roles if role.managed] if me else []
    return guild.self_role or next(iter(managed), None)


def _request(
    message: discord.Message,
    address: Address,
    prompt: str,
    above: discord.Message | None,
    above_images: Sequence[Source],
    own_images: Sequence[Source],
    notes: Sequence[str],
) -> MentionRequest:
    origin = Origin(ChannelId(above.channel.id), MessageId(above.id)) if above and above_images else None
    note, file = "\n".join(notes) or None, prompt_file(message)
    return MentionRequest(address, prompt, (*above_images, *own_images), origin, note, file)


def prompt_of(message: discord.Message, bot_id: int, more: str = "") -> str:
    """The message's text, and what its file adds, without the bot's mention and with names for all others."""
    role = _own_role(message.guild, bot_id) if message.guild else None
    text = re.sub(rf"<@!?{bot_id}>", " ", f"{message.content}\n{more}")
    if role is not None:
        text = text.replace(role.mention, " ")
    return written_prompt(message, text)


def _replied_to(message: discord.Message) -> discord.Message | None:
    reference = message.reference
    if reference is None or not isinstance(reference.resolved, discord.Message):
        return None
    if reference.channel_id != message.channel.id:
        return None  # its author may not see that channel
    return reference.resolved


def _images_above(message: discord.Message, above: discord.Message | None) -> list[Source]:
    return images_of(above, UserId(message.author.id)) if above else []


def _is_hidden(message: discord.Message, bot_id: int) -> bool:
    """Whether Discord left out the content of another member's message."""
    content = message.content or message.attachments or message.embeds or message.components or message.stickers
    return not content and message.author.id != bot_id and message.guild is not None
