"""Starts Easel, the floor bot and the fake KIE as processes, and waits until they are ready."""

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from tests.bench.commands import arrivals, count_acknowledged, now
from tests.bench.fake_discord import FakeDiscord
from tests.bench.fake_kie import CALLBACK_KEY, TaskDurations
from tests.bench.processes import Child
from tests.ports import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
UNLIMITED: Final = {"EASEL__KIE__NEW_TASKS": "10000", "EASEL__KIE__RUNNING_TASKS": "100000"}
"""Settings with which Easel never holds a task back."""
ANSWER_SECONDS: Final = 30.0
_START_SECONDS: Final = 60.0
_FIRST_ANSWER_SECONDS: Final = 2.0
_SETTLE_SECONDS: Final = 0.5
_READY_CHECK_SECONDS: Final = 0.005
_CHECK_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class RunningBot:
    """A bot that is ready; moments are Unix seconds."""

    child: Child
    started_at: float
    ready_at: float


async def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; False when it did not hold in time."""
    deadline = now() + seconds
    while not condition():
        if now() > deadline:
            return False
        await asyncio.sleep(_CHECK_SECONDS)
    return True


@contextmanager
def without_gc() -> Generator[None]:
    """Without this process's garbage collector, whose pauses would count as the bot's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def database_url(folder: Path) -> str:
    """The database of an Easel in this folder."""
    return f"sqlite:///{folder / 'easel.db'}"


@asynccontextmanager
async def start_easel(
    folder: Path,
    discord: FakeDiscord,
    kie_port: int,
    settings: Mapping[str, str] | None = None,
    *,
    with_callbacks: bool = False,
    command: Sequence[str] = ("bot", "run"),
) -> AsyncGenerator[RunningBot]:
    """Easel in a folder of its own, with further settings as environment variables; it ends with the context.

    ``with_callbacks``: KIE reports the end of each task itself.
    """
    web_port, kie_url = free_port(), f"http://127.0.0.1:{kie_port}"
    environment = {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "EASEL__DISCORD__TOKEN": "easel-token",
        "EASEL__DISCORD__API_URL": discord.api_url,
        "EASEL__DISCORD__GATEWAY_URL": discord.gateway_url,
        "EASEL__DISCORD__CDN_HOSTS": '["127.0.0.1"]',
        "EASEL__KIE__API_KEY": "bench-key",
        "EASEL__KIE__BASE_URL": kie_url,
        "EASEL__KIE__UPLOAD_URL": kie_url,
        "EASEL__KIE__RESULT_HOSTS": '["127.0.0.1"]',
        "EASEL__DATABASE__URL": database_url(folder),
        "EASEL__WEB__HOST": "127.0.0.1",
        "EASEL__WEB__PORT": str(web_port),
        "EASEL__QUOTA__CREDITS": "100000",
        "EASEL__LIMITS__DAILY_BUDGET": "0",
        **(settings or {}),
    }
    if with_callbacks:
        environment["EASEL__KIE__CALLBACK_URL"] = f"http://127.0.0.1:{web_port}"
        environment["EASEL__KIE__CALLBACK_KEY"] = CALLBACK_KEY
    (folder / "config.toml").touch()
    started_at = now()
    async with Child.start("easel", command, folder / "easel.log", cwd=folder, environment=environment) as child:
        await _wait_for(f"http://127.0.0.1:{web_port}/readyz")
        ready_at = now()
        await asyncio.wait_for(discord.wait_ready(), _START_SECONDS)
        yield RunningBot(child, started_at, ready_at)


@asynccontextmanager
async def start_floor(folder: Path, discord: FakeDiscord) -> AsyncGenerator[RunningBot]:
    """The bot that only defers; it ends with the context."""
    addresses = ("--api-url", discord.api_url, "--gateway-url", discord.gateway_url)
    started_at = now()
    async with Child.start("floor", ("tests.bench.floor_bot", *addresses), folder / "floor.log", cwd=ROOT) as child:
        await asyncio.wait_for(discord.wait_ready(), _START_SECONDS)
        yield RunningBot(child, started_at, now())


@asynccontextmanager
async def start_kie(folder: Path, durations: TaskDurations, *, window: float = 10.0) -> AsyncGenerator[int]:
    """The fake KIE as a process; yields its port. For ``window`` see `KieStats.max_in_window`."""
    port = free_port()
    options = {"port": port, "mean": durations.mean, "spread": durations.spread, "window": window}
    arguments = ("tests.bench.fake_kie", *(f"--{name}={value}" for name, value in options.items()))
    async with Child.start("fake KIE", arguments, folder / "kie.log", cwd=ROOT):
        await _wait_for(f"http://127.0.0.1:{port}/stats")
        yield port


async def warm_up(discord: FakeDiscord, rate: float, references: Sequence[int] = ()) -> None:
    """Wait until the bot acknowledges, then send commands at this rate for a second."""
    async with asyncio.timeout(_START_SECONDS):
        while True:
            commands = discord.prepare([0.0])
            await discord.send(commands)
            if await wait_until(lambda sent=commands: count_acknowledged(sent) == 1, _FIRST_ANSWER_SECONDS):
                break
    commands = discord.prepare(arrivals(rate, 1.0), references=references)
    await discord.send(commands)
    await wait_until(lambda: count_acknowledged(commands) == len(commands), ANSWER_SECONDS)
    await asyncio.sleep(_SETTLE_SECONDS)


async def _wait_for(url: str) -> None:
    """Wait until this address answers with 200."""
    async with asyncio.timeout(_START_SECONDS), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(_READY_CHECK_SECONDS)
