"""Where in a message an image may be."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.domain.generation import Source
from bot.domain.ids import MessageId, UserId
from bot.ui.message_images import images_of
from tests.ui.messages import CDN, PROXY, MessageMaker, attachment, gallery, media, text

ATTACHED = Source(f"{CDN}/a.png?ex=1&is=2&hm=3", "a.png", 12)
VIEWER = UserId(101)
FORWARDED = MessageId(1)
UPLOADED = Source(f"{CDN}/a.png?ex=4&is=5&hm=6", "a.png")
FETCHED = Source(f"{PROXY}/a.png", "a.png")

EMBED = {"type": "rich", "image": {"url": "https://example.com/a.png", "proxy_url": f"{PROXY}/a.png"}}
THUMBNAIL = {"type": "image", "thumbnail": {"url": "https://example.com/a.png", "proxy_url": f"{PROXY}/a.png"}}
LINKED = replace(FETCHED, uncertain=True)
OTHER = {"url": "https://example.com/b.png", "proxy_url": f"{PROXY}/b.png"}
_POSTER = {"thumbnail": {"url": "https://example.com/a.png", "proxy_url": f"{PROXY}/a.png", "width": 0, "height": 0}}
JP2 = Source(f"{CDN}/a.jp2", "a.jp2", 12)
MEDIA = CDN.replace("cdn.discordapp.com", "media.discordapp.net")
SECTION: dict[str, Any] = {"type": 9, "id": 3, "components": [text()]}

STICKER = Source("https://cdn.discordapp.com/stickers/8.png", "wave")


def named(name: str) -> Source:
    """An attachment that may be an image."""
    return Source(f"{CDN}/{name}?ex=1&is=2&hm=3", name, 12, uncertain=True)


def sticker(kind: int) -> dict[str, Any]:
    """A sticker of one of Discord's formats, as it is sent."""
    return {"id": "8", "name": "wave", "format_type": kind}


def stored(kind: int) -> SimpleNamespace:
    """A sticker as simcord keeps it."""
    return SimpleNamespace(id=8, name="wave", format_type=kind)


FORMS: dict[str, tuple[dict[str, Any], list[Source]]] = {
    "nothing": ({}, []),
    "an attachment": ({"attachments": [attachment("a.png")]}, [ATTACHED]),
    "a file that is no image": ({"attachments": [attachment("a.txt", "text/plain")]}, []),
    "a name that lies": ({"attachments": [attachment("a.png", "video/mp4")]}, []),
    "an image's name alone": ({"attachments": [attachment("a.png", None)]}, [ATTACHED]),
    "another name alone": ({"attachments": [attachment("a.txt", None)]}, []),
    "a drawing": ({"attachments": [attachment("a.svg", "image/svg+xml")]}, [named("a.svg")]),
    "layers": ({"attachments": [attachment("a.psd", "application/octet-stream")]}, [named("a.psd")]),
    "no name, no type": ({"attachments": [attachment("a", None)]}, [named("a")]),
    "bytes under a name of their own": ({"attachments": [attachment("a.bin", None)]}, [named("a.bin")]),
    "a camera's format": ({"attachments": [attachment("a.jp2", "image/jp2", url=f"{CDN}/a.jp2")]}, [JP2]),
    "one file by two ways": (
        {
            "attachments": [attachment("a.png")],
            "embeds": [{"type": "image", "thumbnail": {"url": f"{CDN}/a.png", "proxy_url": f"{MEDIA}/a.png?x=1"}}],
        },
        [ATTACHED],
    ),
    "a film with a poster": (
        {"embeds": [{"type": "gifv", "video": {"url": "https://x.example/a.mp4"}, **_POSTER}]},
        [LINKED],
    ),
    "bytes of some kind": ({"attachments": [attachment("a.png", "application/octet-stream")]}, [ATTACHED]),
    "a type with parameters": ({"attachments": [attachment("a.png", "image/png; x=y")]}, [ATTACHED]),
    "a sticker": ({"stickers": [stored(1)]}, [STICKER]),
    "an animated sticker": ({"stickers": [stored(2)]}, [STICKER]),
    "a GIF sticker": (
        {"stickers": [stored(4)]},
        [replace(STICKER, url="https://media.discordapp.net/stickers/8.gif")],
    ),
    "a Lottie sticker": ({"stickers": [stored(3)]}, []),
    "a forwarded sticker": ({"snapshots": [{"sticker_items": [sticker(1)]}]}, [replace(STICKER, forwarded=FORWARDED)]),
    **{
        f"an address like {address!r}": (
            {"embeds": [{"type": "rich", "image": {"url": address, "proxy_url": address}}, EMBED]},
            [Source(address, name, uncertain=True), LINKED],
        )
        for address, name in {
            "https://[": "[",
            "https://example.com:99999/a": "a",
            "https://example.com/%ff\ud800": "\ufffd?",
            "attachment://b": "b",
            "data:image/png;base64,aGk/aGk=": "image",
            "\0": "\0",
        }.items()
    },
    "an embed without an address": ({"embeds": [{"type": "rich", "image": {"url": None}}, EMBED]}, [LINKED]),
    "an embed's image": ({"embeds": [EMBED]}, [LINKED]),
    "an embed's thumbnail": ({"embeds": [THUMBNAIL]}, [LINKED]),
    "an image goes before the thumbnail": ({"embeds": [{**EMBED, "thumbnail": OTHER}]}, [LINKED]),
    "an embed of words": ({"embeds": [{"type": "rich", "title": "words"}]}, []),
    "a gallery": ({"components": [gallery(media("a.png"))]}, [UPLOADED]),
    "a gallery of foreign images": ({"components": [gallery(media("a.png", ours=False))]}, [LINKED]),
    "a gallery's film": ({"components": [gallery(media("a.mp4", "video/mp4"))]}, []),
    "an image whose type is not told": ({"components": [gallery(media("a.png", None))]}, [UPLOADED]),
    "inside a container": (
        {"components": [{"type": 17, "id": 4, "components": [gallery(media("a.png"))]}]},
        [UPLOADED],
    ),
    "a section's thumbnail": (
        {"components": [{**SECTION, "accessory": {"type": 11, "id": 5, "media": media("a.png")}}]},
        [UPLOADED],
    ),
    "a file component": ({"components": [{"type": 13, "id": 6, "file": media("a.png")}]}, [UPLOADED]),
    "a forwarded attachment": (
        {"snapshots": [{"attachments": [attachment("a.png")]}]},
        [replace(ATTACHED, forwarded=FORWARDED)],
    ),
    "a forwarded embed": ({"snapshots": [{"embeds": [EMBED]}]}, [replace(LINKED, forwarded=FORWARDED)]),
    "a forwarded gallery": (
        {"snapshots": [{"components": [gallery(media("a.png"))]}]},
        [replace(UPLOADED, forwarded=FORWARDED)],
    ),
}


@pytest.mark.parametrize("form", FORMS)
async def test_an_image_is_found_in_every_form(messages: MessageMaker, form: str) -> None:
    content, expected = FORMS[form]

    assert images_of(messages.make(**content), VIEWER) == expected


async def test_what_a_card_shows_of_its_attachments_counts_once(messages: MessageMaker) -> None:
    message = messages.make(attachments=[attachment("a.png")], components=[gallery(media("a.png"), media("b.png"))])

    assert [source.filename for source in images_of(message, VIEWER)] == ["a.png", "b.png"]
    assert images_of(message, VIEWER)[0] == ATTACHED


async def test_images_come_in_the_order_in_which_they_are_shown(messages: MessageMaker) -> None:
    names = ["c.png", "a.webp", "b.jpg"]
    message = messages.make(
        attachments=[attachment(name) for name in names], embeds=[EMBED], snapshots=[{"embeds": [{"image": OTHER}]}]
    )

    assert [source.filename for source in images_of(message, VIEWER)] == [*names, "a.png", "b.png"]


async def test_an_address_without_a_name_has_one_for_the_member(messages: MessageMaker) -> None:
    message = messages.make(
        embeds=[{"type": "rich", "image": {"url": "https://example.com/", "proxy_url": PROXY + "/"}}]
    )

    assert [source.filename for source in images_of(message, VIEWER)] == ["image"]


async def test_names_that_may_be_images(messages: MessageMaker) -> None:
    endings = ["PNG", "jpeg", "jpe", "jfif", "apng", "webp", "gif", "bmp", "tiff", "avif", "HEIC"]
    message = messages.make(attachments=[attachment(f"{ending}.{ending}", None) for ending in [*endings, "txt", "mp4"]])

    assert [source.filename for source in images_of(message, VIEWER)] == [f"{ending}.{ending}" for ending in endings]


@pytest.mark.parametrize(("flags", "owner"), [(0, None), (1 << 6, VIEWER), (1 << 15, None)])
async def test_an_image_in_a_message_for_one_member_is_that_members(
    messages: MessageMaker, flags: int, owner: UserId | None
) -> None:
    message = messages.make(
        attachments=[attachment("a.png")], snapshots=[{"attachments": [attachment("b.png")]}], flags=flags
    )

    assert [source.owner for source in images_of(message, VIEWER)] == [owner] * 2


HIDDEN: dict[str, dict[str, Any]] = {
    "by its name": {"attachments": [attachment("SPOILER_a.png")]},
    "by its flag": {"attachments": [attachment("a.png", flags=1 << 3)]},
    "in a gallery": {"components": [{**gallery(), "items": [{"media": media("a.png"), "spoiler": True}]}]},
    "as a thumbnail": {
        "components": [{**SECTION, "accessory": {"type": 11, "id": 5, "media": media("a.png"), "spoiler": True}}]
    },
    "as a file": {"components": [{"type": 13, "id": 6, "file": media("a.png"), "spoiler": True}]},
    "with the container": {
        "components": [{"type": 17, "id": 4, "spoiler": True, "components": [gallery(media("a.png"))]}]
    },
    "on a card, where the attachment is not": {
        "attachments": [attachment("a.png")],
        "components": [{**gallery(), "items": [{"media": media("a.png"), "spoiler": True}]}],
    },
    "behind a hidden link": {"content": "look: ||https://example.com/a.png||", "embeds": [EMBED]},
    "in a forwarded message": {"snapshots": [{"attachments": [attachment("SPOILER_a.png")]}]},
}


@pytest.mark.parametrize("form", HIDDEN)
async def test_a_spoiler_is_known_in_every_form(messages: MessageMaker, form: str) -> None:
    assert [source.spoiler for source in images_of(messages.make(**HIDDEN[form]), VIEWER)] == [True]


async def test_a_link_beside_hidden_words_is_no_spoiler(messages: MessageMaker) -> None:
    message = messages.make("||he dies|| https://example.com/a.png ||in the end||", embeds=[EMBED])

    assert [source.spoiler for source in images_of(message, VIEWER)] == [False]
