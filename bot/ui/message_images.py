"""The pictures of a message, wherever Discord lets one be: attached, embedded, in components, or forwarded."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import discord
from yarl import URL

from bot.domain.generation import Source

_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
_UNNAMED = "picture"


def images_of(message: discord.Message) -> list[Source]:
    """Every picture of a message in the order in which it is seen, each once."""
    found: dict[str, Source] = {}
    parts: list[discord.Message | discord.MessageSnapshot] = [message, *message.message_snapshots]
    for part in parts:
        for source in _pictures(part):
            # A card shows what is attached to it: the same file under two addresses.
            found.setdefault(source.url.partition("?")[0], source)
    return list(found.values())


def attached_images(attachments: Iterable[discord.Attachment]) -> list[Source]:
    """The pictures among attached files, by what Discord or their names say; their content is looked at later."""
    return [
        Source(one.url, one.filename, one.size)
        for one in attachments
        if _may_be_picture(one.content_type, one.filename)
    ]


def _pictures(part: discord.Message | discord.MessageSnapshot) -> Iterator[Source]:
    yield from attached_images(part.attachments)
    for embed in part.embeds:
        media = embed.image if embed.image.url else embed.thumbnail
        # Discord's proxy fetched it already: no foreign host is ever asked.
        if address := media.proxy_url or media.url:
            yield Source(address, _name(media.url or address))
    for item in _media(part.components):
        address = item.url if item.attachment_id is not None else item.proxy_url or item.url
        if _may_be_picture(item.content_type, _name(item.url)):
            yield Source(address, _name(item.url))


def _media(components: Iterable[object]) -> Iterator[discord.UnfurledMediaItem]:
    for component in components:
        match component:
            case discord.Container(children=inside):
                yield from _media(inside)
            case discord.SectionComponent(accessory=accessory):
                yield from _media([accessory])
            case discord.MediaGalleryComponent(items=items):
                yield from (item.media for item in items)
            case discord.ThumbnailComponent(media=media) | discord.FileComponent(media=media):
                yield media
            case _:
                pass


def _may_be_picture(content_type: str | None, filename: str) -> bool:
    if content_type is not None:
        return content_type.startswith("image/")
    return PurePosixPath(filename).suffix.lower() in _SUFFIXES


def _name(address: str) -> str:
    return URL(address).name or _UNNAMED
