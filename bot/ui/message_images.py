"""The files of a message: images that are attached, embedded, in components, stickers or forwarded; a long prompt."""

import mimetypes
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum, auto
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

import discord

from bot.domain.errors import NoSourceImage, StickerUnreadable, TooManyImages
from bot.domain.generation import Origin, Source
from bot.domain.ids import ChannelId, MessageId, UserId
from bot.domain.settings import REFERENCES_MAX
from bot.media.formats import UNTYPED, is_readable

_TYPES_BY_SUFFIX = mimetypes.MimeTypes().types_map[True]
_UNNAMED = "image"
_SPOILER_PREFIX: Final = "SPOILER_"
_SPOILER_FLAG: Final = 1 << 3
"""Of an attachment (Discord's documentation, "Attachment Flags")."""
_HIDDEN_TEXT = re.compile(r"\|\|(.+?)\|\|", re.DOTALL)
_PROMPT_FILE: Final = "message.txt"
_CDN: Final = re.compile(r"^https://(?:cdn\.discordapp\.com|media\.discordapp\.net)(?=/)")
"""Both serve every uploaded file."""


class _Kind(Enum):
    """What a file is, by its content type and name; what it contains is checked later."""

    IMAGE = auto()
    UNKNOWN = auto()
    OTHER = auto()


def images_of(message: discord.Message, viewer: UserId) -> list[Source]:
    """What may be images in a message, in the order shown, each once; of a private message, as the viewer's."""
    owner = _owner(message, viewer)
    sources: dict[str, Source] = {}
    for part in _parts(message):
        forwarded = None if part is message else _forwarded_from(message)
        for source in _images(part):
            # A card shows what is attached to it, and a link what somebody uploaded: the same file under other URLs.
            file = _CDN.sub("", source.url.partition("?")[0])
            first = sources.setdefault(file, replace(source, owner=owner, forwarded=forwarded))
            if source.spoiler and not first.spoiler:
                sources[file] = replace(first, spoiler=True)
    return list(sources.values())


def images_to_use(message: discord.Message, viewer: UserId) -> list[Source]:
    """The images of a message, of any. Raises NoSourceImage, StickerUnreadable, or TooManyImages."""
    images = images_of(message, viewer)
    if not images:
        raise StickerUnreadable if animations(message) else NoSourceImage
    certain = [image for image in images if not image.uncertain]
    if len(certain) > REFERENCES_MAX:
        raise TooManyImages(tuple(image.filename for image in certain[REFERENCES_MAX:]))
    return images


def origin_of(message: discord.Message) -> Origin:
    """A message as what an edit was made from."""
    return Origin(ChannelId(message.channel.id), MessageId(message.id))


def attached_images(message: discord.Message) -> list[Source]:
    """What may be images among the attached files of a member's message; in a direct message only its author's."""
    owner = _owner(message, UserId(message.author.id))
    return [replace(source, owner=owner) for source in _attached(message.attachments)]


def sticker_images(message: discord.Message) -> list[Source]:
    """The stickers of a member's message that are images."""
    owner = _owner(message, UserId(message.author.id))
    return [replace(source, owner=owner) for source in _stickers(message.stickers)]


def other_files(message: discord.Message) -> list[str]:
    """The names of attached files and stickers that are surely no images, without a long prompt."""
    prompt = next(filter(_is_prompt, message.attachments), None)
    files = [
        attachment.filename
        for part in _parts(message)
        for attachment in part.attachments
        if attachment is not prompt and _kind(attachment.content_type, attachment.filename) is _Kind.OTHER
    ]
    return [*files, *(sticker.name for sticker in animations(message))]


def animations(message: discord.Message) -> list[discord.StickerItem]:
    """The stickers that are no images: Discord's own are animations in JSON (Lottie), which only its clients draw."""
    return [sticker for part in _parts(message) for sticker in part.stickers if sticker.format is _LOTTIE]


def prompt_file(message: discord.Message) -> Source | None:
    """The text file that Discord made of what was too long for a message."""
    files = [attachment for attachment in message.attachments if _is_prompt(attachment)]
    return source_of(files[0], UserId(message.author.id)) if files else None


def source_of(attachment: discord.Attachment, owner: UserId | None) -> Source:
    """An attached file, whatever it is; ``owner`` is None if it was posted for all to see."""
    return Source(attachment.url, attachment.filename, attachment.size, owner, attachment.is_spoiler())


def submitted_source(attachment: dict[str, Any], owner: UserId) -> Source:
    """A file from a form, as Discord describes it."""
    name, flags = attachment["filename"], attachment.get("flags") or 0
    hidden = name.startswith(_SPOILER_PREFIX) or bool(flags & _SPOILER_FLAG)
    return Source(attachment["url"], name, attachment["size"], owner, hidden)


def _parts(message: discord.Message) -> list[discord.Message | discord.MessageSnapshot]:
    """The message and those that it forwards."""
    return [message, *message.message_snapshots]


def _forwarded_from(message: discord.Message) -> MessageId | None:
    above = message.reference
    is_forward = above is not None and above.type is discord.MessageReferenceType.forward
    return MessageId(above.message_id) if above is not None and is_forward and above.message_id is not None else None


def _owner(message: discord.Message, viewer: UserId) -> UserId | None:
    """Whose a message's images are; nobody's if others see the message as well."""
    return viewer if message.guild is None or message.flags.ephemeral else None


def _images(part: discord.Message | discord.MessageSnapshot) -> Iterator[Source]:
    yield from _attached(part.attachments)
    hidden = any("://" in text for text in _HIDDEN_TEXT.findall(part.content or ""))
    for embed in part.embeds:
        media = embed.image if embed.image.url else embed.thumbnail
        # Discord's proxy has fetched it already: no foreign host is ever contacted.
        if url := media.proxy_url or media.url:
            # Any bot can write the address, so it may lead nowhere.
            yield _linked(str(url), _name(str(media.url or url)), hidden=hidden, uncertain=True)
    uploaded = {f"attachment://{attachment.filename}": attachment.url for attachment in part.attachments}
    for item, spoiler in _media(part.components, hidden=False):
        name = _name(item.url)
        kind = _kind(item.content_type, name)
        if kind is not _Kind.OTHER:
            ours = item.attachment_id is not None or item.url in uploaded
            url = uploaded.get(item.url, item.url) if ours else item.proxy_url or item.url
            yield _linked(url, name, hidden=spoiler, uncertain=kind is _Kind.UNKNOWN or not ours)
    yield from _stickers(part.stickers)


def _attached(attachments: Iterable[discord.Attachment]) -> Iterator[Source]:
    for attachment in attachments:
        kind = _kind(attachment.content_type, attachment.filename)
        if kind is not _Kind.OTHER:
            yield replace(source_of(attachment, None), uncertain=kind is _Kind.UNKNOWN)


def _stickers(stickers: Iterable[discord.StickerItem]) -> Iterator[Source]:
    for sticker in stickers:
        if sticker.format is not _LOTTIE:
            yield _linked(sticker.url, sticker.name, hidden=False, uncertain=False)


def _linked(url: str, name: str, *, hidden: bool, uncertain: bool) -> Source:
    spoiler = hidden or name.startswith(_SPOILER_PREFIX)
    return Source(url, name, spoiler=spoiler, uncertain=uncertain)


def _media(components: Iterable[object], *, hidden: bool) -> Iterator[tuple[discord.UnfurledMediaItem, bool]]:
    """Each media item, and whether it is hidden, by itself or with the container around it."""
    for component in components:
        match component:
            case discord.Container(children=children, spoiler=spoiler):
                yield from _media(children, hidden=hidden or spoiler)
            case discord.SectionComponent(accessory=accessory):
                yield from _media([accessory], hidden=hidden)
            case discord.MediaGalleryComponent(items=items):
                yield from ((item.media, hidden or item.spoiler) for item in items)
            case discord.ThumbnailComponent(media=media, spoiler=spoiler):
                yield media, hidden or spoiler
            case discord.FileComponent(media=media, spoiler=spoiler):
                yield media, hidden or spoiler
            case _:
                pass


def _kind(content_type: str | None, filename: str) -> _Kind:
    if is_readable(content_type, filename):
        return _Kind.IMAGE
    media_type = _media_type(content_type)
    if media_type in UNTYPED:
        media_type = _TYPES_BY_SUFFIX.get(PurePosixPath(filename).suffix.lower(), "")
    return _Kind.UNKNOWN if media_type in UNTYPED or media_type.startswith("image/") else _Kind.OTHER


def _is_prompt(attachment: discord.Attachment) -> bool:
    is_text = _media_type(attachment.content_type) in {*UNTYPED, "text/plain"}
    return is_text and attachment.filename.lower() == _PROMPT_FILE


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _name(url: str) -> str:
    # Discord passes on what members and their bots link to, so it need not be a URL that a parser takes.
    name = "" if url.startswith("data:") else unquote(url.partition("?")[0].partition("#")[0].rpartition("/")[2])
    return name.encode("utf-8", "replace").decode() or _UNNAMED


_LOTTIE: Final = discord.StickerFormatType.lottie
