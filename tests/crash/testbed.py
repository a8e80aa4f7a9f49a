"""What outlives the killed processes: a loopback Discord, the KIE stand-in, the data folder, and a callback relay."""

import random
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web
from simcord import ChannelHandle, MemberActor

from bot.domain.ids import TaskId, from_base36
from demo.kie import KieStandIn
from tests.bench.processes import free_port
from tests.front import BotProcess, DiscordFront, Fault
from tests.process.deployment import bot_settings

_KIE_KEY, _CALLBACK_KEY = "kie-key", "callback-key"
_MEMBERS: Final = ("alice", "bob", "carol", "dave", "erin")
_CANNOT_SEND: Final = 50007
"""Discord's code for a member who accepts no direct messages."""
_DEADLINE: Final = 8.0


@dataclass(slots=True)
class KillableProcess:
    """One process of the bot. Times are monotonic."""

    process: BotProcess
    go_file: Path
    mark_file: Path
    started_at: float = 0.0
    ready_at: float | None = None
    ended_at: float = 0.0

    def go(self) -> None:
        """Let it start: everything is imported."""
        self.started_at = time.monotonic()
        self.go_file.touch()

    @property
    def killed_at(self) -> str:
        """The crash point at which it killed itself; empty if it did not."""
        return self.mark_file.read_text(encoding="utf-8") if self.mark_file.exists() else ""


class CallbackRelay:
    """Passes KIE's callbacks on to the bot's port, and records whether the bot accepted them."""

    def __init__(self) -> None:
        self.bot_port = free_port()
        self.port = 0
        self.accepted: defaultdict[TaskId, list[bool]] = defaultdict(list)

    def task_of(self, url: str) -> TaskId:
        """Our task's id, which every callback's address ends with."""
        return TaskId(from_base36(url.rpartition("/")[2]))

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Relay until the block ends."""
        # No kept-alive connections: one to a killed process would look like a callback that a process lost.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def relay(request: web.Request) -> web.Response:
                task, body = self.task_of(request.path), await request.read()
                url = f"http://127.0.0.1:{self.bot_port}{request.path}"
                try:
                    async with session.post(url, data=body, headers=request.headers) as response:
                        status = response.status
                except aiohttp.ClientError:
                    status = 502
                self.accepted[task].append(status == 200)
                return web.Response(status=status)

            app = web.Application()
            app.router.add_post("/{path:.*}", relay)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self.port = runner.addresses[0][1]
                yield
            finally:
                await runner.cleanup()


@dataclass
class CrashTestbed:
    """Starts killable processes. ``blocked`` is a member who accepts no direct messages."""

    front: DiscordFront
    kie: KieStandIn
    channel: ChannelHandle
    members: tuple[MemberActor, ...]
    blocked: MemberActor
    folder: Path
    relay: CallbackRelay | None
    """None where KIE does not call back."""
    deadline: float
    """Seconds that KIE gets for a task, and as many again for a late image."""
    outputs: list[str] = field(default_factory=list[str])
    """What each ended process printed."""
    starts: int = 0

    @property
    def database(self) -> Path:
        """The file that all processes share."""
        return self.folder / "easel.db"

    @asynccontextmanager
    async def process(
        self, crash_point: str = "", nth: int = 1, variables: Mapping[str, str] | None = None
    ) -> AsyncGenerator[KillableProcess]:
        """A process that imports everything and waits for :meth:`KillableProcess.go`."""
        self.starts += 1
        go, mark = (self.folder / f"{self.starts}.{name}" for name in ("go", "mark"))
        environment = {
            **self._settings(),
            "CRASH_GO": str(go),
            "CRASH_MARK": str(mark),
            "CRASH_POINT": crash_point,
            "CRASH_NTH": str(nth),
            **(variables or {}),
        }
        arguments = ("bot", "--config", str(self.folder / "empty.toml"), "run")
        async with self.front.launch("tests.crash.inject", *arguments, environment=environment) as process:
            try:
                yield KillableProcess(process, go, mark)
            finally:
                self.outputs.append(process.output())

    def _settings(self) -> dict[str, str]:
        settings = bot_settings(self.front, self.kie, _KIE_KEY, self.database) | {
            "EASEL__KIE__NEW_TASKS": "1000",
            "EASEL__KIE__RUNNING_TASKS": "1000",
            "EASEL__QUOTA__CREDITS": "1000000",
            "EASEL__QUOTA__OPEN_GENERATIONS": "1000",
            "EASEL__TRACKER__DEADLINE": str(self.deadline),
            "EASEL__TRACKER__LATE_EVERY": "0.5",
            "EASEL__TRACKER__LATE_FOR": str(self.deadline),
            "EASEL__LOG__LEVEL": "info",
            "TMPDIR": str(self.folder / "tmp"),
        }
        if self.relay is not None:
            settings |= {
                "EASEL__WEB__PORT": str(self.relay.bot_port),
                "EASEL__KIE__CALLBACK_URL": f"http://127.0.0.1:{self.relay.port}",
                "EASEL__KIE__CALLBACK_KEY": _CALLBACK_KEY,
            }
        return settings


@asynccontextmanager
async def open_testbed(
    folder: Path, dice: random.Random, *, callbacks: bool, deadline: float = _DEADLINE
) -> AsyncGenerator[CrashTestbed]:
    """A server with members, a KIE without limits whose tasks take 0.2 to 1 s, and an empty database."""
    (folder / "tmp").mkdir(parents=True)
    (folder / "empty.toml").touch()
    durations = random.Random(dice.random())
    async with AsyncExitStack() as stack:
        relay = CallbackRelay() if callbacks else None
        if relay is not None:
            await stack.enter_async_context(relay.run())
        kie = await stack.enter_async_context(
            KieStandIn(
                api_key=_KIE_KEY,
                durations=lambda _model, _resolution: durations.uniform(0.2, 1.0),
                credits=Decimal(10_000_000),
                callback_key=_CALLBACK_KEY if callbacks else None,
                create_limit=100_000,
                running_limit=100_000,
                draw=False,
                remember=None,
            )
        )
        front = await stack.enter_async_context(DiscordFront())
        guild = front.env.create_guild("Studio")
        members = tuple(guild.add_member(front.env.create_user(name)) for name in _MEMBERS)
        blocked = guild.add_member(front.env.create_user("mallory"))
        channel = guild.create_text_channel("studio")
        direct = front.env.backend.get_dm_channel(blocked.id)
        front.faults.on("POST", f"/channels/{direct.id}/messages", Fault(status=403, code=_CANNOT_SEND), times=None)
        yield CrashTestbed(front, kie, channel, members, blocked, folder, relay, deadline)
