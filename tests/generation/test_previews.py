"""Previews of posted images: the newest ones are kept, and a failure to make one harms nothing."""

import io
import struct
import zlib

import pytest
from PIL import Image
from structlog.testing import capture_logs

from demo.kie import KieStandIn, Reply
from tests.database import execute
from tests.generation.backend import SETTLED, Backend, Installation
from tests.generation.tuning import tuned
from tests.waiting import until


async def at_rest(backend: Backend) -> None:
    await until(lambda: not len(backend.runtime.background), what="the work in the background")
    assert not list(backend.spool_folder.iterdir())
    assert not list(backend.folder.glob("preview-*"))


def undecodable() -> bytes:
    """A PNG whose checksums are right and whose pixels are nonsense."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    head, pixels = file.getvalue()[:33], b"no zlib at all"
    chunks = ((b"IDAT", pixels), (b"IEND", b""))
    return head + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


async def test_the_newest_previews_are_kept(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.generation.previews._EVICT_EVERY", 1)
    async with installation.start(tuned(previews=2)) as backend:
        for _ in range(3):
            await backend.wait_for_post(await backend.request())
            await at_rest(backend)
        images = [image for (image,) in execute(backend.folder, "SELECT id FROM images ORDER BY id")]
        kept = execute(backend.folder, "SELECT image_id, data FROM previews ORDER BY image_id")
    assert [image for image, _ in kept] == images[1:]
    assert all(bytes(data).startswith(b"RIFF") for _, data in kept)


async def test_an_image_that_cannot_be_decoded_is_posted_without_a_preview(
    installation: Installation, kie: KieStandIn
) -> None:
    kie.script.always("result", Reply(200, undecodable(), "image/png"))
    async with installation.start(tuned(previews=2)) as backend:
        with capture_logs() as logs:
            generation_id = await backend.request()
            await backend.wait_for_post(generation_id)
            await at_rest(backend)
        assert backend.ledger(generation_id)[-1] == SETTLED
        assert execute(backend.folder, "SELECT 1 FROM previews") == []
    assert "preview not made: the image could not be decoded" in [entry["event"] for entry in logs]
