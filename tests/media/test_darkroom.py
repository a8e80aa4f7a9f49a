"""The darkroom: what a picture does to its process it does not do to the bot."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from PIL import Image

from bot.domain.errors import ReferenceProblem
from bot.media import decode_sandbox
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.formats import PNG
from bot.media.sanitize import Sanitized
from tests.media.family import children, grandchildren, is_there
from tests.media.pictures import encoded, noise
from tests.waiting import until


@pytest.fixture
async def room() -> AsyncGenerator[DecodeSandbox, None]:
    async with DecodeSandbox() as one:
        yield one


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(encoded(noise(40, 30), "PNG"))
    return path


async def test_a_picture_is_developed(room: DecodeSandbox, picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert await room.sanitize(picture, target) == Sanitized(target, PNG)
    with Image.open(target) as image:
        assert image.size == (40, 30)


async def test_what_is_no_picture_is_refused(room: DecodeSandbox, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello")
    assert await room.sanitize(text, tmp_path / "target") is ReferenceProblem.NOT_AN_IMAGE
    assert await room.sanitize(tmp_path / "nothing", tmp_path / "target") is ReferenceProblem.DAMAGED


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A picture that never comes to its end."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


async def at_work() -> int:
    """The process that is at a picture."""
    (one,) = await until(grandchildren, what="the process to start")
    return one


async def test_a_process_that_dies_is_a_damaged_picture(
    room: DecodeSandbox, endless: Path, picture: Path, tmp_path: Path
) -> None:
    developing = asyncio.create_task(room.sanitize(endless, tmp_path / "target"))
    os.kill(await at_work(), signal.SIGKILL)
    assert await developing is ReferenceProblem.DAMAGED
    assert isinstance(await room.sanitize(picture, tmp_path / "target"), Sanitized)


async def test_an_assistant_that_dies_is_replaced(
    room: DecodeSandbox, endless: Path, picture: Path, tmp_path: Path
) -> None:
    before = children()
    developing = asyncio.create_task(room.sanitize(endless, tmp_path / "target"))
    orphan = await at_work()
    (assistant,) = children() - before
    os.kill(assistant, signal.SIGKILL)
    assert await developing is ReferenceProblem.DAMAGED
    os.kill(orphan, signal.SIGKILL)
    assert isinstance(await room.sanitize(picture, tmp_path / "target"), Sanitized)


async def test_a_picture_that_never_ends_is_damaged(
    room: DecodeSandbox, endless: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_sandbox, "_SECONDS", 0.5)
    assert await room.sanitize(endless, tmp_path / "target") is ReferenceProblem.DAMAGED
    assert grandchildren() == set()
    monkeypatch.setattr(decode_sandbox, "_SECONDS", 30.0)
    assert isinstance(await room.sanitize(picture, tmp_path / "target"), Sanitized)


async def test_whoever_waits_no_more_leaves_nothing_behind(
    room: DecodeSandbox, endless: Path, picture: Path, tmp_path: Path
) -> None:
    before = children()
    developing = asyncio.create_task(room.sanitize(endless, tmp_path / "target"))
    child = await at_work()
    developing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await developing
    assert children() == before
    assert not is_there(child)
    assert isinstance(await room.sanitize(picture, tmp_path / "target"), Sanitized)


async def test_leaving_ends_what_is_at_work(endless: Path, tmp_path: Path) -> None:
    before = children()
    async with DecodeSandbox() as room:
        developing = asyncio.create_task(room.sanitize(endless, tmp_path / "target"))
        child = await at_work()
    with pytest.raises(RuntimeError, match="closed"):
        await developing
    with pytest.raises(RuntimeError, match="closed"):
        await room.sanitize(endless, tmp_path / "target")
    assert children() == before
    assert not is_there(child)


async def test_the_assistant_goes_home_when_nothing_comes(
    room: DecodeSandbox, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_sandbox, "_IDLE_SECONDS", 0.05)
    before = children()
    assert isinstance(await room.sanitize(picture, tmp_path / "target"), Sanitized)
    await until(lambda: children() == before, what="the assistant to go")
    assert isinstance(await room.sanitize(picture, tmp_path / "target"), Sanitized)


async def test_one_assistant_forks_for_each_picture(room: DecodeSandbox, picture: Path, tmp_path: Path) -> None:
    before = children()
    await room.sanitize(picture, tmp_path / "first")
    (assistant,) = children() - before
    await room.sanitize(picture, tmp_path / "second")
    assert children() - before == {assistant}


async def test_one_picture_at_a_time(room: DecodeSandbox, picture: Path, tmp_path: Path) -> None:
    most = 0
    developing = asyncio.gather(*(room.sanitize(picture, tmp_path / str(number)) for number in range(4)))
    while not developing.done():
        most = max(most, len(grandchildren()))
        await asyncio.sleep(0)
    assert most == 1
    assert all(isinstance(verdict, Sanitized) for verdict in await developing)


async def test_the_bot_goes_first(room: DecodeSandbox, endless: Path, tmp_path: Path) -> None:
    developing = asyncio.create_task(room.sanitize(endless, tmp_path / "target"))
    child = await at_work()
    assert os.getpriority(os.PRIO_PROCESS, child) >= os.getpriority(os.PRIO_PROCESS, 0) + 10
    developing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await developing


async def test_the_event_loop_never_waits(room: DecodeSandbox, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(encoded(Image.effect_noise((5472, 3648), 40), "TIFF"))
    longest, last = 0.0, time.perf_counter()
    developing = asyncio.create_task(room.sanitize(large, tmp_path / "target"))
    while not developing.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert isinstance(await developing, Sanitized)
    # Decoding it takes hundreds of milliseconds of processor time; a busy machine may stop us for some.
    assert longest < 0.25
