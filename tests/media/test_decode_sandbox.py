"""The decode sandbox: whatever an image does to its process, it does nothing to the bot."""

import asyncio
import io
import os
import signal
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from PIL import Image
from structlog.testing import capture_logs

from bot.domain.errors import ReferenceProblem
from bot.domain.ids import UserId
from bot.media import decode_sandbox
from bot.media.decode_sandbox import DecodeSandbox, TimeLimits
from bot.media.formats import PNG, PREVIEW_MAX_BYTES
from bot.media.sanitize import Sanitized
from tests.media.hostile import scan_bomb, tiff_of_jpeg
from tests.media.images import encoded, noise
from tests.media.processes import children, grandchildren, is_alive
from tests.waiting import until


@pytest.fixture
async def sandbox() -> AsyncGenerator[DecodeSandbox, None]:
    async with DecodeSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(encoded(noise(40, 30), "PNG"))
    return path


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file whose end never comes."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


async def fork_at_work() -> int:
    """The process that is decoding."""
    (fork,) = await until(grandchildren, what="the fork to start")
    return fork


async def test_a_preview_is_small_and_what_cannot_be_decoded_has_none(
    sandbox: DecodeSandbox, tmp_path: Path, target: Path
) -> None:
    large, broken, other = (tmp_path / name for name in ("large", "broken", "other"))
    large.write_bytes(encoded(noise(1200, 900), "JPEG"))
    broken.write_bytes(large.read_bytes()[:200])
    other.write_text("<svg/>")
    for file in (broken, other, tmp_path / "missing"):
        assert await sandbox.preview(file, target) is None
    data = await sandbox.preview(large, target)
    assert data is not None
    assert len(data) <= PREVIEW_MAX_BYTES
    with Image.open(io.BytesIO(data)) as preview:
        assert preview.format == "WEBP"
        assert preview.size in {(256, 192), (128, 96)}


async def test_an_image_is_sanitized(sandbox: DecodeSandbox, image: Path, target: Path) -> None:
    assert await sandbox.sanitize(image.with_name("missing"), target) is ReferenceProblem.DAMAGED
    assert await sandbox.sanitize(image, target) == Sanitized(target, PNG)
    with Image.open(target) as sanitized:
        assert sanitized.size == (40, 30)


async def test_an_image_that_crashes_its_process_is_damaged(
    sandbox: DecodeSandbox, endless: Path, image: Path, target: Path
) -> None:
    sanitizing = asyncio.create_task(sandbox.sanitize(endless, target))
    os.kill(await fork_at_work(), signal.SIGKILL)
    assert await sanitizing is ReferenceProblem.DAMAGED
    assert isinstance(await sandbox.sanitize(image, target), Sanitized)


async def test_a_fork_server_that_dies_is_replaced(
    sandbox: DecodeSandbox, endless: Path, image: Path, target: Path
) -> None:
    before = children()
    sanitizing = asyncio.create_task(sandbox.sanitize(endless, target))
    orphan = await fork_at_work()
    (server,) = children() - before
    os.kill(server, signal.SIGKILL)
    assert await sanitizing is ReferenceProblem.DAMAGED
    os.kill(orphan, signal.SIGKILL)
    assert isinstance(await sandbox.sanitize(image, target), Sanitized)


async def test_an_image_that_never_ends_is_too_slow(
    endless: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_sandbox, "_QUICK", TimeLimits(processor=1, total=0.2))
    monkeypatch.setattr(decode_sandbox, "_SLOW", TimeLimits(processor=1, total=0.4))
    async with DecodeSandbox() as sandbox:
        assert await sandbox.sanitize(endless, target) is ReferenceProblem.TOO_SLOW
        assert grandchildren() == set()


async def test_an_image_that_takes_too_much_processor_time_is_too_slow(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = tmp_path / "busy"
    busy.write_bytes(tiff_of_jpeg(scan_bomb(8_000, 28), 8_000))
    monkeypatch.setattr(decode_sandbox, "_SLOW", TimeLimits(processor=1, total=60.0))
    async with DecodeSandbox() as sandbox:
        with capture_logs() as logs:
            assert await sandbox.sanitize(busy, target) is ReferenceProblem.TOO_SLOW
    assert logs == []


async def test_a_slow_image_does_not_hold_up_others(
    endless: Path, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_sandbox, "_QUICK", TimeLimits(processor=1, total=0.5))
    monkeypatch.setattr(decode_sandbox, "_SLOW", TimeLimits(processor=100, total=100))
    async with DecodeSandbox() as sandbox:
        slow = [asyncio.create_task(sandbox.sanitize(endless, tmp_path / f"slow {number}")) for number in range(3)]
        # With the image here, which comes last, all of them have had their quick turn.
        for number in range(2):
            await sandbox.sanitize(image, tmp_path / str(number))
        assert not any(task.done() for task in slow)
        for task in slow:
            task.cancel()
        await asyncio.wait(slow)


async def test_who_has_used_the_least_time_is_next(
    endless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_sandbox, "_QUICK", TimeLimits(processor=1, total=0.1))
    monkeypatch.setattr(decode_sandbox, "_SLOW", TimeLimits(processor=1, total=0.1))
    ended: list[str] = []

    async def send(name: str, member: int) -> None:
        await sandbox.sanitize(endless, tmp_path / name, UserId(member))
        ended.append(name)

    async with DecodeSandbox() as sandbox:
        await asyncio.gather(*(send(f"slow {number}", 1) for number in range(4)), send("other", 2))
        assert ended.index("other") <= 1
        # A place in the queue that is given up is nobody's.
        waiting = [asyncio.create_task(send(name, 3)) for name in ("at work", "given up", "after it")]
        await fork_at_work()
        waiting[1].cancel()
        await asyncio.wait(waiting)
    assert ended[-2:] == ["at work", "after it"]


async def test_a_cancelled_caller_leaves_no_process_behind(
    sandbox: DecodeSandbox, endless: Path, image: Path, target: Path
) -> None:
    before = children()
    sanitizing = asyncio.create_task(sandbox.sanitize(endless, target))
    fork = await fork_at_work()
    sanitizing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sanitizing
    assert children() == before
    assert not is_alive(fork)
    assert isinstance(await sandbox.sanitize(image, target), Sanitized)


async def test_closing_ends_what_is_at_work(endless: Path, target: Path) -> None:
    before = children()
    async with DecodeSandbox() as sandbox:
        sanitizing = asyncio.create_task(sandbox.sanitize(endless, target))
        fork = await fork_at_work()
    with pytest.raises(RuntimeError, match="closed"):
        await sanitizing
    with pytest.raises(RuntimeError, match="closed"):
        await sandbox.sanitize(endless, target)
    assert children() == before
    assert not is_alive(fork)


async def test_an_idle_fork_server_is_stopped(
    sandbox: DecodeSandbox, image: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_sandbox, "_IDLE_TIMEOUT", 0.05)
    before = children()
    assert isinstance(await sandbox.sanitize(image, target), Sanitized)
    await until(lambda: children() == before, what="the fork server to end")
    assert isinstance(await sandbox.sanitize(image, target), Sanitized)


async def test_one_server_forks_for_one_quick_image_at_a_time(
    sandbox: DecodeSandbox, image: Path, tmp_path: Path
) -> None:
    before = children()
    servers: set[int] = set()
    most_forks = 0
    sanitizing = asyncio.gather(*(sandbox.sanitize(image, tmp_path / str(number)) for number in range(4)))
    while not sanitizing.done():
        servers |= children() - before
        most_forks = max(most_forks, len(grandchildren()))
        await asyncio.sleep(0)
    assert all(isinstance(result, Sanitized) for result in await sanitizing)
    assert len(servers) == most_forks == 1


async def test_the_event_loop_is_not_blocked(sandbox: DecodeSandbox, tmp_path: Path, target: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(encoded(Image.effect_noise((5472, 3648), 40), "TIFF"))
    started = last = time.perf_counter()
    longest_stall = 0.0
    sanitizing = asyncio.create_task(sandbox.sanitize(large, target))
    while not sanitizing.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest_stall, last = max(longest_stall, now - last), now
    assert isinstance(await sanitizing, Sanitized)
    # Relative, because a busy machine stops this process as well as the one that decodes.
    assert longest_stall < (last - started) / 2
