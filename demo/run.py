"""The demo: the real bot on a simulated Discord, a page to try it on, and a KIE stand-in that draws placeholders."""

import asyncio
import random
import signal
import socket
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import simcord
from simcord.preview import Preview

from bot import log
from bot.app import Application
from bot.assembly import assemble
from bot.config import Config
from bot.config.sections import (
    AssistantConfig,
    DatabaseConfig,
    DiscordConfig,
    KieConfig,
    LimitsConfig,
    OperatorConfig,
    QuotaConfig,
    TrackerConfig,
)
from bot.domain.credits import Period
from bot.domain.errors import OperatorError
from demo.assistant import AssistantStandIn
from demo.cdn import serve_cdn
from demo.guild import GUILD_ID, DemoGuild, build_guild
from demo.kie import KieStandIn
from demo.panel.server import serve_panel
from demo.simulation import (
    SETTLE_SECONDS,
    Simulation,
    catch_up_clock,
    ignore_idle_connections,
    show_errors_as_discord_does,
)

_API_KEY = "demo-key"
_MEDIAN_SECONDS = {"pro": 5.0, "flex": 8.0}
_SPREAD = 0.25

_WELCOME = """
Easel's demo is running: the real bot, on a simulated Discord, with a stand-in for KIE that draws placeholder images.
Nothing leaves this machine, and no credits are real.

  Open  {url}

  Try  /imagine  with a prompt, or  /balance
  The panel next to the channel sends replies with images attached, and opens Apps, like a message's menu.
  To see a failure, put [moderated], [broken], [unreadable], [nocredits] or [slow] in a prompt.
  Press Ctrl-C to end the demo.
"""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo; ``url`` is what a visitor opens."""

    app: Application
    env: simcord.Env
    kie: KieStandIn
    guild: DemoGuild
    preview: Preview
    simulation: Simulation
    url: str
    working: asyncio.Task[None]


def run_demo(port: int) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit code. Raises OperatorError if the port is taken."""
    log.set_up("warning", "console", [_API_KEY])
    asyncio.run(_run(port))
    return 0


@asynccontextmanager
async def open_demo(port: int, folder: Path) -> AsyncGenerator[Demo, None]:
    """The demo on loopback, with its database in ``folder``; port 0 is any free one.

    Raises OperatorError if the port is taken.
    """
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        listening = stack.enter_context(_listen(port))
        kie = await enter(KieStandIn(api_key=_API_KEY, durations=_task_seconds, credits=Decimal(100_000)))
        assistant = await enter(AssistantStandIn())
        config = _config(kie.base_url, assistant.base_url, folder)
        app = await enter(assemble(config, reads_messages=True))
        env = await enter(simcord.run(app.client, shard_count=1, check_errors=False, settle_timeout=SETTLE_SECONDS))
        ignore_idle_connections()
        show_errors_as_discord_does(env)
        await catch_up_clock(env)
        await enter(serve_cdn(env))
        guild = await build_guild(env)
        working = asyncio.create_task(app.work(), name="workers")
        stack.push_async_callback(_end, working)
        preview = await enter(env.preview(guild.channel, viewers=guild.members, layout="channel"))
        simulation = Simulation(env, preview)
        stack.push_async_callback(_end, asyncio.create_task(simulation.keep_page_fresh(), name="preview"))
        url = await enter(serve_panel(listening, env, preview, guild, simulation))
        yield Demo(app, env, kie, guild, preview, simulation, url, working)


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
    print("The demo has ended, and its data is deleted.")


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise OperatorError(f"port {port} is already in use: choose another with --port.") from error


async def _end(task: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def _task_seconds(model: str, resolution: str) -> float:
    """Shorter than at KIE but as varied, so that a visitor sees every state of the card without a long wait."""
    median = _MEDIAN_SECONDS["flex" if "flex" in model else "pro"] * (1.5 if resolution == "2K" else 1.0)
    return median * random.lognormvariate(0.0, _SPREAD)


def _config(kie_url: str, assistant_url: str, folder: Path) -> Config:
    return Config(
        discord=DiscordConfig(cdn_hosts=("127.0.0.1",)),
        kie=KieConfig.model_validate(
            {"api_key": _API_KEY, "base_url": kie_url, "upload_url": kie_url, "result_hosts": ("127.0.0.1",)}
        ),
        database=DatabaseConfig(url=f"sqlite:///{folder / 'easel.db'}"),
        quota=QuotaConfig(credits=100, period=Period.DAY),
        limits=LimitsConfig(daily_budget=500),
        operator=OperatorConfig(guild=GUILD_ID),
        assistant=AssistantConfig(base_url=assistant_url, model="demo"),
        tracker=TrackerConfig(poll_every=0.5, deadline=90),
    )
