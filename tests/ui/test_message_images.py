"""Where in a message an image may be."""

from typing import Any

import pytest

from bot.domain.generation import Source
from bot.domain.ids import UserId
from bot.ui.message_images import images_of
from tests.ui.messages import CDN, PROXY, MessageMaker, attachment, gallery, media, text

ATTACHED = Source(f"{CDN}/a.png?ex=1&is=2&hm=3", "a.png", 12)
VIEWER = UserId(101)
UPLOADED = Source(f"{CDN}/a.png?ex=4&is=5&hm=6", "a.png")
FETCHED = Source(f"{PROXY}/a.png", "a.png")

EMBED = {"type": "rich", "image": {"url": "https://example.com/a.png", "proxy_url": f"{PROXY}/a.png"}}
THUMBNAIL = {"type": "image", "thumbnail": {"url": "https://example.com/a.png", "proxy_url": f"{PROXY}/a.png"}}
OTHER = {"url": "https://example.com/b.png", "proxy_url": f"{PROXY}/b.png"}
SECTION: dict[str, Any] = {"type": 9, "id": 3, "components": [text()]}

FORMS: dict[str, tuple[dict[str, Any], list[Source]]] = {
    "nothing": ({}, []),
    "an attachment": ({"attachments": [attachment("a.png")]}, [ATTACHED]),
    "a file that is no image": ({"attachments": [attachment("a.txt", "text/plain")]}, []),
    "a name that lies": ({"attachments": [attachment("a.png", "video/mp4")]}, []),
    "an image's name alone": ({"attachments": [attachment("a.png", None)]}, [ATTACHED]),
    "another name alone": ({"attachments": [attachment("a.txt", None)]}, []),
    "an embed's image": ({"embeds": [EMBED]}, [FETCHED]),
    "an embed's thumbnail": ({"embeds": [THUMBNAIL]}, [FETCHED]),
    "an image goes before the thumbnail": ({"embeds": [{**EMBED, "thumbnail": OTHER}]}, [FETCHED]),
    "an embed of words": ({"embeds": [{"type": "rich", "title": "words"}]}, []),
    "a gallery": ({"components": [gallery(media("a.png"))]}, [UPLOADED]),
    "a gallery of foreign images": ({"components": [gallery(media("a.png", ours=False))]}, [FETCHED]),
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
    "a forwarded attachment": ({"snapshots": [{"attachments": [attachment("a.png")]}]}, [ATTACHED]),
    "a forwarded embed": ({"snapshots": [{"embeds": [EMBED]}]}, [FETCHED]),
    "a forwarded gallery": ({"snapshots": [{"components": [gallery(media("a.png"))]}]}, [UPLOADED]),
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
    endings = ["PNG", "jpeg", "jfif", "webp", "gif", "bmp", "tiff", "avif", "HEIC"]
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
