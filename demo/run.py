"""make demo: the real bot on a simulated Discord with a page to try it on, and a KIE stand-in that paints."""

import asyncio
import random
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import simcord
from simcord.preview import Preview

from bot import log
from bot.app import Application, assemble
from bot.config import Config, DatabaseConfig, DiscordConfig, KieConfig, QuotaConfig, TrackerConfig
from bot.domain.credits import Period
from demo.cdn import CdnServer
from demo.kie import KieStandIn
from demo.panel import open_socket, serve_panel
from demo.simulation import Stage, follow_the_clock
from demo.world import World, build_world

_KEY = "demo-key"
_MEDIAN_SECONDS = {"pro": 5.0, "flex": 8.0}
_SPREAD = 0.25


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo; ``url`` is what a visitor opens."""

    app: Application
    env: simcord.Env
    kie: KieStandIn
    world: World
    preview: Preview
    url: str
    working: asyncio.Task[None]


def run_demo(port: int) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit code."""
    log.set_up("warning", "console", [_KEY])
    asyncio.run(_run(port))
    return 0


@asynccontextmanager
async def open_demo(port: int, folder: Path) -> AsyncGenerator[Demo, None]:
    """The demo on loopback, with its database in ``folder``. Raises OperatorError when the port is taken."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        listening = stack.enter_context(open_socket(port))
        kie = await enter(KieStandIn(api_key=_KEY, durations=_seconds, credits=Decimal(100_000)))
        app = await enter(assemble(_config(kie.base_url, folder), reads_messages=True))
        env = await enter(simcord.run(app.client, check_errors=False))
        await follow_the_clock(env)
        await enter(CdnServer(env))
        world = await build_world(env)
        working = asyncio.create_task(app.work(), name="workers")
        stack.push_async_callback(_end, working)
        preview = await enter(env.preview(world.studio, viewers=world.members, layout="channel"))
        stage = Stage(env, preview)
        looking = asyncio.create_task(stage.keep_fresh(), name="preview")
        stack.push_async_callback(_end, looking)
        url = await enter(serve_panel(listening, env, preview, world, stage))
        yield Demo(app, env, kie, world, preview, url, working)


async def _run(port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="easel-demo-") as folder:
        async with open_demo(port, Path(folder)) as demo:
            print(_WELCOME.format(url=demo.url), flush=True)
            closed = asyncio.create_task(demo.preview.wait_closed(), name="page closed")
            stopped = asyncio.create_task(stop.wait(), name="stop signal")
            await asyncio.wait({closed, stopped, demo.working}, return_when=asyncio.FIRST_COMPLETED)
            await _end(closed)
            await _end(stopped)
    print("The demo has ended; nothing of it is kept.")


_WELCOME = """
Easel's demo is running: the real bot, on a simulated Discord, with a stand-in for KIE that paints what you ask for.
Nothing leaves this machine, and no credit is real.

  Open  {url}

  Type  /imagine  and a prompt, or  /balance
  The panel beside the channel replies with pictures attached, and opens Apps, as in a message's menu.
  A prompt with [moderated], [broken], [unreadable], [nocredits] or [slow] in it shows what a failure looks like.
  Ctrl-C ends the demo.
"""


async def _end(task: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def _seconds(model: str, resolution: str) -> float:
    """Faster than KIE, with its kind of spread: a visitor waits to see the card, not to wait."""
    median = _MEDIAN_SECONDS["flex" if "flex" in model else "pro"] * (1.5 if resolution == "2K" else 1.0)
    return median * random.lognormvariate(0.0, _SPREAD)


def _config(kie_url: str, folder: Path) -> Config:
    return Config(
        discord=DiscordConfig(cdn_hosts=("127.0.0.1",)),
        kie=KieConfig.model_validate(
            {"api_key": _KEY, "base_url": kie_url, "upload_url": kie_url, "result_hosts": ("127.0.0.1",)}
        ),
        database=DatabaseConfig(url=f"sqlite:///{folder / 'easel.db'}"),
        quota=QuotaConfig(credits=100, period=Period.DAY),
        tracker=TrackerConfig(poll_every=0.5, give_up_submitting=15),
    )
