"""Three processes on one database, each of which is started again whenever it ends."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, final

from tests.crash.crash_points import Crash
from tests.crash.process_log import log_entries
from tests.crash.testbed import CrashTestbed, KillableProcess, ask_for_crash

SHARDS: Final = 2
LEASE: Final = 2.0
"""The shortest that may be set, in seconds."""
ROLES: Final = (("all",), ("all",), ("all", "worker", "gateway"))
"""Of each process; at each start one of them. Two can always lead, and two can always serve a block of shards."""
SETTINGS: Final = {
    "EASEL__CLUSTER__GATEWAYS": str(SHARDS),
    "EASEL__CLUSTER__SHARDS": str(SHARDS),
    "EASEL__CLUSTER__LEASE": str(LEASE),
    "EASEL__KIE__NEW_TASKS": "20",
}
_LONG: Final = 24 * 3600.0
_LOST: Final = ("LeaseLost", "BlockLost")
_SHOWN: Final = 1500


@dataclass(slots=True)
class ClusterProcess:
    """One of the processes. ``name`` is unique, and that of its sessions with the database."""

    name: str
    role: str
    killable: KillableProcess
    stopped: bool = False
    killed: bool = False
    _kept: list[dict[str, Any]] | None = None

    @property
    def is_working(self) -> bool:
        """Whether it runs, and is not stopped."""
        return self.killable.process.returncode is None and not self.stopped

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return list(log_entries(self.killable.process.output())) if self._kept is None else self._kept

    def keep_log(self) -> None:
        """It has ended, or its output can soon be read no longer."""
        self._kept = self.log

    def first(self, event: str) -> dict[str, Any] | None:
        """Its first log entry of this kind."""
        return next((entry for entry in self.log if entry["event"] == event), None)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A moment at which a process was killed, stopped or let go on, or the database failed: ``process`` is empty."""

    at: float
    process: str
    what: str


@dataclass
class ClusterHistory:
    """What happened to the processes."""

    processes: list[ClusterProcess] = field(default_factory=list[ClusterProcess])
    disturbances: list[Disturbance] = field(default_factory=list[Disturbance])
    ends: Counter[str] = field(default_factory=Counter[str])
    """How processes ended that nobody killed."""
    problems: list[str] = field(default_factory=list[str])

    def disturbed(self, process: str, what: str) -> None:
        """Record that it happens now."""
        self.disturbances.append(Disturbance(time.time(), process, what))


@final
class Cluster:
    """Keeps the processes running, and knows which one leads and which ones have shards."""

    def __init__(self, testbed: CrashTestbed, dice: random.Random) -> None:
        self.history = ClusterHistory()
        self._testbed = testbed
        self._dice = dice
        self._running: dict[int, ClusterProcess] = {}
        self._closing = False
        self._numbers = count(1)

    @property
    def crash_file(self) -> Path:
        """Which crash is asked for; the first process that reaches its point takes the file away."""
        return self._testbed.folder / "crash"

    @property
    def working(self) -> list[ClusterProcess]:
        """The processes that run and are not stopped."""
        return [process for process in self._running.values() if process.is_working]

    @property
    def leader(self) -> ClusterProcess | None:
        """The one that has begun to lead last, while it works."""
        terms = {process.name: (process.first("leading") or {}).get("term", 0) for process in self.working}
        latest = max(self.working, key=lambda process: terms[process.name], default=None)
        return latest if latest is not None and terms[latest.name] else None

    @property
    def with_shards(self) -> list[ClusterProcess]:
        """Those that serve members."""
        return [process for process in self.working if process.first("shards taken")]

    @property
    def is_whole(self) -> bool:
        """Whether one leads, and both shards are connected; of three processes two can do that."""
        blocks = {(process.first("shards taken") or {}).get("block") for process in self.with_shards}
        connected = self._testbed.front.gateway.connected_shards
        return len(blocks) == len(connected) == SHARDS and self.leader is not None

    def ask_for_crash(self, crash: Crash) -> None:
        """Let the next process that reaches the point crash."""
        ask_for_crash(self.crash_file, crash)

    def take_crash(self) -> tuple[ClusterProcess, Crash] | None:
        """The process that has crashed as it was asked for, and has not been taken yet."""
        for process in self.history.processes:
            if (crash := process.killable.crash) is not None:
                process.killable.mark_file.unlink()
                self._record(process, signal.Signals(crash.signal))
                return process, crash
        return None

    def send(self, process: ClusterProcess, number: signal.Signals) -> None:
        """Kill it, stop it or let it go on; nothing if it has ended meanwhile."""
        if process.killable.process.returncode is None:
            self._record(process, number)
            process.killable.process.send(number)

    def _record(self, process: ClusterProcess, number: signal.Signals) -> None:
        process.killed |= number is signal.SIGKILL
        process.stopped = number is signal.SIGSTOP
        self.history.disturbed(process.name, number.name)

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Start all; at the end of the block each is asked to end, and has to end well."""
        async with AsyncExitStack() as stack:
            keeping = [asyncio.create_task(self._keep(slot, stack)) for slot in range(len(ROLES))]
            try:
                yield
                self._closing = True
                for process in self.working:
                    process.killable.process.send(signal.SIGTERM)
                ended, running = await asyncio.wait(keeping, timeout=30)
                for task in ended:
                    task.result()
                if running:
                    self.history.problems.append(f"{len(running)} processes did not end within 30 s of SIGTERM")
            finally:
                for task in keeping:
                    task.cancel()
                await asyncio.wait(keeping)
                for process in self.history.processes:
                    process.keep_log()

    async def _keep(self, slot: int, stack: AsyncExitStack) -> None:
        """Always one process ahead: the next one imports its modules while this one lives."""
        process = await self._start(slot, stack)
        while not self._closing:
            self._running[slot] = process
            process.killable.go()
            following = await self._start(slot, stack)
            await process.killable.process.ended(within=_LONG)
            process.keep_log()
            self._look_at_end(process)
            process = following

    async def _start(self, slot: int, stack: AsyncExitStack) -> ClusterProcess:
        name, role = f"process-{next(self._numbers)}", self._dice.choice(ROLES[slot])
        variables = {
            "EASEL__CLUSTER__ROLE": role,
            "EASEL__DATABASE__URL": f"{self._testbed.url}&application_name={name}",
            "EASEL__DATABASE__FOLDER": str(self._testbed.folder / "files"),
            "EASEL__WEB__PORT": str(self._testbed.ports[slot]),
            "CRASH_AT": str(self.crash_file),
        }
        killable = await stack.enter_async_context(self._testbed.process(variables=variables))
        process = ClusterProcess(name, role, killable)
        self.history.processes.append(process)
        return process

    def _look_at_end(self, process: ClusterProcess) -> None:
        code, output = process.killable.process.returncode, process.killable.process.output()
        crash = process.killable.crash
        if code == -signal.SIGKILL and (process.killed or crash is not None):
            return
        if code == 1 and any(lost in output for lost in _LOST):
            self.history.ends["its lease was lost"] += 1
        elif code != 0 or not self._closing:
            self.history.problems.append(f"{process.name} ended with {code}: {output[-_SHOWN:]}")


def leaders(history: ClusterHistory) -> Iterator[tuple[dict[str, Any], str]]:
    """Every log entry with which a process began to lead, and the process, in the order of time."""
    entries = [(entry, process.name) for process in history.processes if (entry := process.first("leading"))]
    return iter(sorted(entries, key=lambda found: found[0]["timestamp"]))
