"""Easel's own process against the light stand-ins: its configuration, its start, and figures over several rounds."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, Self

import aiohttp

from tests.bench.discord_load import DiscordLoad
from tests.bench.processes import Child, free_port, listening

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The median of these, and the least and the largest."""
        return cls(median(values), min(values), max(values))

    def text(self, digits: int = 2) -> str:
        """The median, and the range behind it if there is one."""
        if self.low == self.high:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


@dataclass(frozen=True, slots=True)
class Started:
    """A running bot. Moments are Unix seconds."""

    child: Child
    started_at: float
    ready_at: float

    @property
    def seconds(self) -> float:
        """From the process's start to its readiness."""
        return self.ready_at - self.started_at


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; False when time ran out before it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def easel_config(folder: Path, discord: DiscordLoad, kie_port: int, web_port: int) -> str:
    """A config.toml that points Easel at the stand-ins."""
    kie_url = f"http://127.0.0.1:{kie_port}"
    return f"""\
[discord]
token = "easel-token"
api_url = "{discord.api_url}"
gateway_url = "{discord.gateway_url}"
cdn_hosts = ["127.0.0.1"]

[kie]
api_key = "bench-key"
base_url = "{kie_url}"
upload_url = "{kie_url}"
result_hosts = ["127.0.0.1"]

[database]
url = "{database_url(folder)}"

[web]
host = "127.0.0.1"
port = {web_port}

[quota]
credits = 100000
period = "day"
"""


def database_url(folder: Path) -> str:
    """Where the bot of :func:`easel_config` keeps its database."""
    return f"sqlite:///{folder / 'easel.db'}"


@asynccontextmanager
async def easel(
    folder: Path,
    discord: DiscordLoad,
    kie_port: int,
    environment: Mapping[str, str] | None = None,
    *,
    callback_key: str = "",
) -> AsyncGenerator[Started]:
    """A bot in a folder of its own, ready; ``environment`` are further settings. It is ended with the block.

    With a key for callbacks, KIE is asked to call back.
    """
    web_port = free_port()
    (folder / "config.toml").write_text(easel_config(folder, discord, kie_port, web_port), encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    begun = time.time()
    settings = {"PYTHONPATH": path, **(environment or {})}
    if callback_key:
        settings["EASEL__KIE__CALLBACK_URL"] = f"http://127.0.0.1:{web_port}"
        settings["EASEL__KIE__CALLBACK_KEY"] = callback_key
    async with Child("easel", ("bot", "run"), folder / "output.log", cwd=folder, environment=settings) as child:
        await child.outlive(_ready(web_port), START_SECONDS, "starting")
        yield Started(child, begun, time.time())


@asynccontextmanager
async def kie_stand_in(
    folder: Path, *, seconds: float, spread: float = 0.0, lognormal: float = 0.0, window: float = 10.0
) -> AsyncGenerator[int]:
    """The KIE stand-in as a process of its own, whose options these are; yields its port."""
    port = free_port()
    figures = {"port": port, "seconds": seconds, "spread": spread, "lognormal": lognormal, "window": window}
    options = [f"--{name}={figure}" for name, figure in figures.items()]
    async with Child("kie", ("tests.bench.kie_load", *options), folder / "kie.log", cwd=ROOT) as child:
        await child.outlive(listening(port), START_SECONDS, "starting to listen")
        yield port


async def _ready(port: int) -> None:
    address = f"http://127.0.0.1:{port}/readyz"
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(address) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(_LOOK_SECONDS)
