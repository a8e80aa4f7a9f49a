"""Uploads and references."""

import io

import aiohttp
import pytest
from PIL import Image

from demo.kie import (
    Json,
)
from demo.kie.outbound import is_loopback
from tests.demo.kie.kit import PRO_EDIT, UPLOAD, Caller, Listener, picture, results, table


async def test_an_upload_is_kept_and_served_without_a_key(caller: Caller) -> None:
    content = picture()
    answer = await caller.upload(content, uploadPath="easel/in", fileName="a fox #1.png")
    data = table(answer["data"])
    assert (answer["success"], answer["code"]) == (True, 200)
    assert data["fileName"] == "a fox #1.png"
    assert data["filePath"] == "easel/in/a fox #1.png"
    assert (data["fileSize"], data["mimeType"]) == (len(content), "image/png")
    assert "uploadedAt" in data
    async with aiohttp.ClientSession() as stranger, stranger.get(str(data["downloadUrl"])) as response:
        assert response.content_type == "image/png"
        assert await response.read() == content
    async with caller.session.get(f"{caller.kie.base_url}/uploads/none.png") as response:
        assert response.status == 404


async def test_an_upload_needs_a_path_and_a_file(caller: Caller) -> None:
    answer = await caller.upload(picture())
    assert (answer["success"], answer["code"]) == (False, 400)
    async with caller.session.post(
        caller.kie.base_url + UPLOAD, data=aiohttp.FormData({"uploadPath": "x"})
    ) as response:
        assert (await response.json())["code"] == 400


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_uploaded_references_are_used(caller: Caller, kind: str) -> None:
    urls: list[Json] = [await caller.reference(picture((32, 48), kind=kind), f"{n}.x") for n in range(3)]
    record = await caller.ended(await caller.create(PRO_EDIT, input_urls=urls, aspect_ratio="auto"))
    assert record["state"] == "success"
    async with caller.session.get(results(record)[0]) as response:
        with Image.open(io.BytesIO(await response.read())) as painted:
            assert painted.width / painted.height == pytest.approx(32 / 48, rel=0.03)


async def test_a_reference_on_another_loopback_server_is_fetched(caller: Caller, listener: Listener) -> None:
    record = await caller.ended(await caller.create(PRO_EDIT, input_urls=[f"{listener.url}/fox.png"]))
    assert record["state"] == "success"


async def test_what_cannot_be_fetched_or_is_no_picture_fails_the_task(caller: Caller, listener: Listener) -> None:
    bad = [
        f"{caller.kie.base_url}/uploads/never-sent.png",
        f"{listener.url}/none.png",
        "http://192.0.2.1/fox.png",
        "https://example.com/fox.png",
        "not an address",
        await caller.reference(b"plain words", "words.png"),
        await caller.reference(picture() + bytes(10 * 1024 * 1024), "large.png"),
        await caller.reference(picture(kind="BMP"), "old.bmp"),
    ]
    good = await caller.reference(picture(), "good.png")
    for url in bad:
        record = await caller.ended(await caller.create(PRO_EDIT, input_urls=[good, url]))
        assert record["state"] == "fail", url
        assert str(record["failMsg"]).startswith("Image fetch failed.")
    assert caller.kie.billed == 0


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("http://127.0.0.1:80/x", True),
        ("http://127.8.8.8/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:8/x", True),
        ("http://10.0.0.1/x", False),
        ("http://0.0.0.0/x", False),
        ("http://localhost.example.com/x", False),
        ("http://127.0.0.1@example.com/x", False),
        ("file:///etc/hostname", False),
        ("http://[bad", False),
    ],
)
def test_only_this_machine_is_near(address: str, *, near: bool) -> None:
    assert is_loopback(address) is near
