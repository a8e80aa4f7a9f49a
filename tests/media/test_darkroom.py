"""The darkroom: what a picture does to its process it does not do to the bot."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from PIL import Image

from bot.domain.errors import ReferenceProblem
from bot.media import darkroom
from bot.media.darkroom import Darkroom
from bot.media.develop import Developed
from bot.media.kinds import PNG
from tests.media.pictures import encoded, noise
from tests.waiting import until


def children() -> set[int]:
    """The processes that this one has started and that are still there."""
    found: set[int] = set()
    for thread in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):
            found.update(map(int, thread.read_text().split()))
    return found


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(encoded(noise(40, 30), "PNG"))
    return path


async def test_a_picture_is_developed(picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert await Darkroom().develop(picture, target) == Developed(target, PNG)
    with Image.open(target) as made:
        assert made.size == (40, 30)


async def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello")
    assert await Darkroom().develop(text, tmp_path / "target") is ReferenceProblem.NOT_AN_IMAGE
    assert await Darkroom().develop(tmp_path / "nothing", tmp_path / "target") is ReferenceProblem.DAMAGED


async def test_a_process_that_dies_is_a_damaged_picture(picture: Path, tmp_path: Path) -> None:
    before = children()
    room = Darkroom()
    developing = asyncio.create_task(room.develop(picture, tmp_path / "target"))
    (started,) = await until(lambda: children() - before, what="the process to start")
    os.kill(started, signal.SIGKILL)
    assert await developing is ReferenceProblem.DAMAGED
    assert isinstance(await room.develop(picture, tmp_path / "target"), Developed)


async def test_a_picture_that_never_ends_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(darkroom, "_SECONDS", 0.5)
    endless = tmp_path / "endless"
    os.mkfifo(endless)
    before = children()
    assert await Darkroom().develop(endless, tmp_path / "target") is ReferenceProblem.DAMAGED
    assert children() == before


async def test_one_picture_at_a_time(picture: Path, tmp_path: Path) -> None:
    room, most, before = Darkroom(), 0, children()
    developing = asyncio.gather(*(room.develop(picture, tmp_path / str(number)) for number in range(4)))
    while not developing.done():
        most = max(most, len(children() - before))
        await asyncio.sleep(0)
    assert most == 1
    assert all(isinstance(verdict, Developed) for verdict in await developing)


async def test_the_event_loop_never_waits(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(encoded(Image.effect_noise((5472, 3648), 40), "TIFF"))
    longest, last = 0.0, time.perf_counter()
    developing = asyncio.create_task(Darkroom().develop(large, tmp_path / "target"))
    while not developing.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert isinstance(await developing, Developed)
    # Decoding it takes hundreds of milliseconds of processor time; a busy machine may stop us for some.
    assert longest < 0.25
