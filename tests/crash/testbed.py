"""What outlives the killed processes: a loopback Discord, the KIE stand-in, the database, and a callback relay."""

import random
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web
from simcord import ChannelHandle, GuildHandle, MemberActor

from bot.domain.ids import TaskId, from_base36
from bot.store.sqlite import database_file
from demo.kie import KieStandIn
from tests.crash.crash_points import Crash
from tests.front import BotProcess, DiscordFront, Fault
from tests.ports import free_port
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
    def crash(self) -> Crash | None:
        """What it has done to itself, and where."""
        return Crash.from_json(self.mark_file.read_text(encoding="utf-8")) if self.mark_file.exists() else None


class CallbackRelay:
    """Passes KIE's callbacks on to the bots' ports in turn, and records whether a bot accepted them."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = cycle(ports)
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
                url = f"http://127.0.0.1:{next(self._ports)}{request.path}"
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
    channels: Mapping[int, ChannelHandle]
    """Where members act, by server."""
    members: tuple[MemberActor, ...]
    blocked: MemberActor
    folder: Path
    url: str
    """Of the database that all processes share."""
    settings: Mapping[str, str]
    """Of every process, as environment variables; they go before the usual ones."""
    ports: Sequence[int]
    """For the processes' web servers."""
    relay: CallbackRelay | None
    """None where KIE does not call back."""
    deadline: float
    """Seconds that KIE gets for a task, and as many again for a late image."""
    outputs: list[str] = field(default_factory=list[str])
    """What each ended process printed."""
    starts: int = 0

    @property
    def database(self) -> Path:
        """The file, where it is SQLite."""
        return database_file(self.url)

    def channel_of(self, member: MemberActor) -> ChannelHandle:
        """The one in which a member acts."""
        return self.channels[member.guild.id]

    @asynccontextmanager
    async def process(
        self, crash: Crash | None = None, variables: Mapping[str, str] | None = None
    ) -> AsyncGenerator[KillableProcess]:
        """A process that imports everything and waits for :meth:`KillableProcess.go`."""
        self.starts += 1
        go, mark, at = (self.folder / f"{self.starts}.{name}" for name in ("go", "mark", "crash"))
        if crash is not None:
            ask_for_crash(at, crash)
        environment = {
            **self._settings(),
            "CRASH_GO": str(go),
            "CRASH_MARK": str(mark),
            "CRASH_AT": str(at),
            **(variables or {}),
        }
        arguments = ("bot", "--config", str(self.folder / "empty.toml"), "run")
        async with self.front.launch("tests.crash.inject", *arguments, environment=environment) as process:
            try:
                yield KillableProcess(process, go, mark)
            finally:
                self.outputs.append(process.output())

    def _settings(self) -> dict[str, str]:
        settings = bot_settings(self.front, self.kie, _KIE_KEY, self.url) | {
            "EASEL__KIE__NEW_TASKS": "1000",
            "EASEL__KIE__RUNNING_TASKS": "1000",
            "EASEL__QUOTA__CREDITS": "1000000",
            "EASEL__QUOTA__OPEN_GENERATIONS": "1000",
            "EASEL__TRACKER__DEADLINE": str(self.deadline),
            "EASEL__TRACKER__LATE_EVERY": "0.5",
            "EASEL__TRACKER__LATE_FOR": str(self.deadline),
            "EASEL__LOG__LEVEL": "info",
            "EASEL__WEB__PORT": str(self.ports[0]),
            "TMPDIR": str(self.folder / "tmp"),
            **self.settings,
        }
        if self.relay is not None:
            settings |= {
                "EASEL__KIE__CALLBACK_URL": f"http://127.0.0.1:{self.relay.port}",
                "EASEL__KIE__CALLBACK_KEY": _CALLBACK_KEY,
            }
        return settings


def ask_for_crash(file: Path, crash: Crash) -> None:
    """Let the next process that reads this file crash so."""
    written = file.with_suffix(".part")
    written.write_text(crash.to_json(), encoding="utf-8")
    written.rename(file)


@asynccontextmanager
async def open_testbed(
    folder: Path,
    dice: random.Random,
    *,
    callbacks: bool,
    deadline: float = _DEADLINE,
    shards: int = 1,
    processes: int = 1,
    url: str = "",
    settings: Mapping[str, str] | None = None,
) -> AsyncGenerator[CrashTestbed]:
    """A server with members on each shard, and a KIE without limits whose tasks take 0.2 to 1 s.

    ``url`` is that of an empty database, by default a file; ``processes`` is how many run at a time.
    """
    (folder / "tmp").mkdir(parents=True)
    (folder / "empty.toml").touch()
    durations = random.Random(dice.random())
    async with AsyncExitStack() as stack:
        ports = [free_port() for _ in range(processes)]
        relay = CallbackRelay(ports) if callbacks else None
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
        front.name_shards(shards, max_concurrency=shards)
        guilds = [_guild_on(front, shard, shards) for shard in range(shards)]
        members = tuple(guild.add_member(user) for user in map(front.env.create_user, _MEMBERS) for guild in guilds)
        blocked = guilds[0].add_member(front.env.create_user("mallory"))
        channels = {guild.id: guild.create_text_channel("studio") for guild in guilds}
        direct = front.env.backend.get_dm_channel(blocked.id)
        front.faults.on("POST", f"/channels/{direct.id}/messages", Fault(status=403, code=_CANNOT_SEND), times=None)
        yield CrashTestbed(
            front=front,
            kie=kie,
            channels=channels,
            members=members,
            blocked=blocked,
            folder=folder,
            url=url or f"sqlite:///{folder / 'easel.db'}",
            settings=settings or {},
            ports=ports,
            relay=relay,
            deadline=deadline,
        )


def _guild_on(front: DiscordFront, shard: int, shards: int) -> GuildHandle:
    """A new server that has this shard."""
    while ((guild := front.env.create_guild("Studio")).id >> 22) % shards != shard:
        pass
    return guild
