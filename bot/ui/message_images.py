"""The images of a message: attached, embedded, in components, or forwarded."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import unquote

import discord

from bot.domain.generation import Source
from bot.domain.ids import UserId

_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
_UNNAMED = "image"


def images_of(message: discord.Message, viewer: UserId) -> list[Source]:
    """Every image of a message in the order in which it is shown, each once; of a private message, as the viewer's."""
    owner = _owner(message, viewer)
    sources: dict[str, Source] = {}
    parts: list[discord.Message | discord.MessageSnapshot] = [message, *message.message_snapshots]
    for part in parts:
        for source in _images(part):
            # A card shows what is attached to it: the same file under two URLs that differ in their queries.
            sources.setdefault(source.url.partition("?")[0], replace(source, owner=owner))
    return list(sources.values())


def attached_images(message: discord.Message) -> list[Source]:
    """The images among the attached files of a member's message; in a direct message only its author sees them."""
    owner = _owner(message, UserId(message.author.id))
    return [replace(source, owner=owner) for source in _attached(message.attachments)]


def source_of(attachment: discord.Attachment, owner: UserId | None) -> Source:
    """An attached file, whatever it is; ``owner`` is None if it was posted for all to see."""
    return Source(attachment.url, attachment.filename, attachment.size, owner)


def _owner(message: discord.Message, viewer: UserId) -> UserId | None:
    """Whose a message's images are; nobody's if others see the message as well."""
    return viewer if message.guild is None or message.flags.ephemeral else None


def _attached(attachments: Iterable[discord.Attachment]) -> Iterator[Source]:
    """The images among attached files, by their content types or names; what they contain is checked later."""
    for attachment in attachments:
        if _may_be_image(attachment.content_type, attachment.filename):
            yield source_of(attachment, None)


def _images(part: discord.Message | discord.MessageSnapshot) -> Iterator[Source]:
    yield from _attached(part.attachments)
    for embed in part.embeds:
        media = embed.image if embed.image.url else embed.thumbnail
        # Discord's proxy has fetched it already: no foreign host is ever contacted.
        if url := media.proxy_url or media.url:
            yield Source(url, _name(media.url or url))
    for item in _media(part.components):
        if _may_be_image(item.content_type, _name(item.url)):
            url = item.url if item.attachment_id is not None else item.proxy_url or item.url
            yield Source(url, _name(item.url))


def _media(components: Iterable[object]) -> Iterator[discord.UnfurledMediaItem]:
    for component in components:
        match component:
            case discord.Container(children=children):
                yield from _media(children)
            case discord.SectionComponent(accessory=accessory):
                yield from _media([accessory])
            case discord.MediaGalleryComponent(items=items):
                yield from (item.media for item in items)
            case discord.ThumbnailComponent(media=media) | discord.FileComponent(media=media):
                yield media
            case _:
                pass


def _may_be_image(content_type: str | None, filename: str) -> bool:
    if content_type is not None:
        return content_type.startswith("image/")
    return PurePosixPath(filename).suffix.lower() in _SUFFIXES


def _name(url: str) -> str:
    # Discord passes on what members and their bots link to, so it need not be a URL that a parser takes.
    return unquote(url.partition("?")[0].partition("#")[0].rpartition("/")[2]) or _UNNAMED
