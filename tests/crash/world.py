"""What outlives the victims: a loopback Discord, a KIE, a folder, and what is known of the processes so far."""

import json
import random
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from simcord import ChannelHandle, MemberActor

from demo.kie import KieStandIn
from tests.bench.processes import free_port
from tests.front import BotProcess, DiscordFront, Fault

_KIE_KEY, _CALLBACK_KEY = "kie-key", "callback-key"
_MEMBERS: Final = ("alice", "bob", "carol", "dave", "erin")
_CANNOT_SEND: Final = 50007
"""Discord's code for a member who takes no direct messages."""
_DEADLINE: Final = 8.0


@dataclass(slots=True)
class Victim:
    """One process of the bot. Times are monotonic."""

    process: BotProcess
    go: Path
    mark: Path
    boundary: str
    let_go_at: float = 0.0
    ready_at: float | None = None
    ended_at: float = 0.0

    def let_go(self) -> None:
        """Everything is loaded: begin."""
        self.let_go_at = time.monotonic()
        self.go.touch()

    @property
    def died_at(self) -> str:
        """The boundary at which it ended itself; empty if it did not."""
        return self.mark.read_text(encoding="utf-8") if self.mark.exists() else ""


@dataclass
class World:
    """The world around the victims. ``blocked`` is a member who takes no direct messages."""

    front: DiscordFront
    kie: KieStandIn
    channel: ChannelHandle
    members: tuple[MemberActor, ...]
    blocked: MemberActor
    folder: Path
    callback_port: int | None
    deadline: float = _DEADLINE
    """Seconds that KIE gets for a task, and as many again for a late image."""
    printed: list[str] = field(default_factory=list[str])
    down: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """When no bot could take a callback, by KIE's clock: from, to."""
    down_since: float = field(default_factory=time.time)
    started: int = 0

    @property
    def database(self) -> Path:
        """The file that all victims share."""
        return self.folder / "easel.db"

    @property
    def callbacks(self) -> bool:
        """Whether KIE calls back."""
        return self.callback_port is not None

    @asynccontextmanager
    async def victim(
        self, boundary: str = "", nth: int = 1, variables: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Victim]:
        """A process that has loaded everything and waits for the word; it is to end itself at the boundary."""
        self.started += 1
        go, mark = (self.folder / f"{self.started}.{name}" for name in ("go", "mark"))
        environment = {
            **self._settings(),
            "VICTIM_GO": str(go),
            "VICTIM_MARK": str(mark),
            "VICTIM_BOUNDARY": boundary,
            "VICTIM_NTH": str(nth),
            **(variables or {}),
        }
        arguments = ("bot", "--config", str(self.folder / "empty.toml"), "run")
        async with self.front.launch("tests.crash.victim", *arguments, environment=environment) as process:
            try:
                yield Victim(process, go, mark, boundary)
            finally:
                self.printed.append(process.output())

    def _settings(self) -> dict[str, str]:
        settings = {
            "DISCORD__TOKEN": self.front.token,
            "DISCORD__API_URL": self.front.api_url,
            "DISCORD__GATEWAY_URL": self.front.gateway_url,
            "DISCORD__CDN_HOSTS": json.dumps(["127.0.0.1"]),
            "KIE__API_KEY": _KIE_KEY,
            "KIE__BASE_URL": self.kie.base_url,
            "KIE__UPLOAD_URL": self.kie.base_url,
            "KIE__RESULT_HOSTS": json.dumps(["127.0.0.1"]),
            "KIE__NEW_TASKS": "1000",
            "KIE__RUNNING_TASKS": "1000",
            "DATABASE__URL": f"sqlite:///{self.database}",
            "WEB__PORT": str(self.callback_port or 0),
            "QUOTA__CREDITS": "1000000",
            "QUOTA__OPEN_GENERATIONS": "1000",
            "TRACKER__POLL_EVERY": "0.1",
            "TRACKER__DEADLINE": str(self.deadline),
            "TRACKER__LATE_EVERY": "0.5",
            "TRACKER__LATE_FOR": str(self.deadline),
            "LOG__LEVEL": "info",
            "LOG__FORMAT": "json",
        }
        if self.callback_port is not None:
            settings |= {
                "KIE__CALLBACK_URL": f"http://127.0.0.1:{self.callback_port}",
                "KIE__CALLBACK_KEY": _CALLBACK_KEY,
            }
        temporary = self.folder / "tmp"
        return {f"EASEL__{name}": value for name, value in settings.items()} | {"TMPDIR": str(temporary)}


@asynccontextmanager
async def open_world(
    folder: Path, dice: random.Random, *, callbacks: bool, deadline: float = _DEADLINE
) -> AsyncGenerator[World]:
    """A server with members, a KIE without limits whose pictures take 0.2 to 1 s, and an empty database."""
    (folder / "tmp").mkdir(parents=True)
    (folder / "empty.toml").touch()
    lasting = random.Random(dice.random())
    async with AsyncExitStack() as stack:
        kie = await stack.enter_async_context(
            KieStandIn(
                api_key=_KIE_KEY,
                durations=lambda _model, _resolution: lasting.uniform(0.2, 1.0),
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
        yield World(front, kie, channel, members, blocked, folder, free_port() if callbacks else None, deadline)
