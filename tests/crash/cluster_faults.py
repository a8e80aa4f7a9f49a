"""Kills and stops processes of a cluster under load, ends its sessions with the database, and stops the database."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, final

from sqlalchemy import func, select

from bot.store.engines import kind_of
from bot.store.tables import pending_cards
from tests.crash.cluster_plan import (
    AWAY,
    BY_ANOTHERS_END,
    DATABASE,
    FIRST_START,
    GATEWAY,
    LEADER,
    SESSIONS,
    PlannedFault,
)
from tests.crash.cluster_processes import Cluster, ClusterHistory, ClusterProcess
from tests.crash.crash_points import Crash, step_of
from tests.crash.database_server import CRASH, FAST, DatabaseServer
from tests.crash.kills import RARE, KillLog
from tests.crash.load import PROVOKED_BY, MemberLoad
from tests.crash.snapshot import read_snapshot
from tests.crash.testbed import CrashTestbed
from tests.waiting import until

_PATIENCE: Final = 8.0
"""Seconds until a process reaches a crash point; twice as long for a rare one."""
_ATTEMPTS: Final = 3
_WHOLE_SECONDS: Final = 90.0
_SETTLE_SECONDS: Final = 240.0
_LOOK_EVERY: Final = 0.1


@dataclass
class ClusterLog(KillLog):
    """``kills`` counts all faults by name, a point's with its signal."""

    history: ClusterHistory = field(default_factory=ClusterHistory)

    @property
    def signals(self) -> int:
        """How many processes were killed or stopped."""
        return sum(times for name, times in self.kills.items() if name not in DATABASE)


@final
class ClusterFaults:
    """Carries out what is planned on one testbed."""

    def __init__(self, testbed: CrashTestbed, server: DatabaseServer, load: MemberLoad, dice: random.Random) -> None:
        self._testbed = testbed
        self._server = server
        self._load = load
        self._dice = dice
        self._cluster = Cluster(testbed, dice)
        self.log = ClusterLog(history=self._cluster.history)
        self._again: list[PlannedFault] = []
        self._going_on: set[asyncio.Task[None]] = set()

    async def run(self, planned: Sequence[PlannedFault], say: Callable[[str], None]) -> ClusterLog:
        """Do it all under load; then everything that was accepted has to end, and the processes with it."""
        first = planned[0]
        if step_of(first.point) == FIRST_START:
            self._cluster.ask_for_crash(Crash(first.point, first.nth, first.number))
        async with self._cluster.run():
            acting = asyncio.create_task(self._act())
            try:
                for fault in self._with_retries(planned):
                    await self._carry_out(fault)
                    say(self._line(fault))
                    if acting.done():
                        break
            finally:
                acting.cancel()
                await asyncio.wait({acting})
            if not acting.cancelled() and (error := acting.exception()) is not None:
                raise error
            if self._load.errors:
                raise self._load.errors[0]
            if self._going_on:
                await asyncio.wait(self._going_on)
            await self._settle()
        self.log.problems += self._cluster.history.problems
        return self.log

    def _with_retries(self, planned: Sequence[PlannedFault]) -> Iterator[PlannedFault]:
        """Points that were not reached are tried again at the end."""
        yield from planned
        while self._again:
            yield self._again.pop(0)

    async def _act(self) -> None:
        """Members act as soon as the commands are registered."""
        await until(
            lambda: self._testbed.front.calls("PUT", "/commands"),
            within=_WHOLE_SECONDS,
            what="the commands to be registered",
        )
        await self._load.run()

    def _line(self, fault: PlannedFault) -> str:
        return f"{self.log.signals:4} {fault.name:45} requests {len(self._load.done):5}"

    async def _carry_out(self, fault: PlannedFault) -> None:
        if fault.waits:
            await self._wait_until_whole()
        self._load.preferred = PROVOKED_BY.get(step_of(fault.point))
        if fault.whom in DATABASE:
            await asyncio.sleep(fault.after)
            await self._disturb_database(fault)
        elif fault.point:
            await self._crash_at(fault)
        else:
            await asyncio.sleep(fault.after)
            await self._signal(fault.whom, fault.number, fault.lasts)

    async def _crash_at(self, fault: PlannedFault) -> None:
        step = step_of(fault.point)
        if step != FIRST_START:
            self._cluster.ask_for_crash(Crash(fault.point, fault.nth, fault.number))
        if step in BY_ANOTHERS_END:
            await self._signal(BY_ANOTHERS_END[step], signal.SIGKILL, 0)
        patience = _WHOLE_SECONDS if step in {*BY_ANOTHERS_END, FIRST_START} else _PATIENCE
        with contextlib.suppress(AssertionError):
            await until(
                lambda: not self._cluster.crash_file.exists(),
                within=2 * _PATIENCE if step in RARE else patience,
                what=fault.point,
            )
        self._cluster.crash_file.unlink(missing_ok=True)
        if (taken := self._cluster.take_crash()) is None:
            if fault.attempt < _ATTEMPTS:
                self._again.append(replace(fault, nth=1, attempt=fault.attempt + 1))
            else:
                self.log.missed[fault.name] += 1
            return
        self.log.kills[fault.name] += 1
        self._end_stop_later(taken[0], fault.lasts if fault.number is signal.SIGSTOP else 0)

    async def _signal(self, whom: str, number: signal.Signals, lasts: float) -> None:
        process = self._choose(whom)
        if process is None:
            return
        self._cluster.send(process, number)
        self.log.kills[PlannedFault(number, whom=whom).name] += 1
        self._end_stop_later(process, lasts if number is signal.SIGSTOP else 0)

    def _choose(self, whom: str) -> ClusterProcess | None:
        """None where there is none at the moment."""
        working = self._cluster.working
        leader = self._cluster.leader
        if whom == LEADER and leader is not None:
            return leader
        if whom == GATEWAY and (serving := self._cluster.with_shards):
            return self._dice.choice(serving)
        return self._dice.choice(working) if working else None

    def _end_stop_later(self, process: ClusterProcess, seconds: float) -> None:
        async def go_on() -> None:
            await asyncio.sleep(seconds)
            self._cluster.send(process, signal.SIGCONT)

        if seconds:
            task = asyncio.create_task(go_on())
            self._going_on.add(task)
            task.add_done_callback(self._going_on.discard)

    async def _disturb_database(self, fault: PlannedFault) -> None:
        history = self._cluster.history
        history.disturbed("", fault.whom)
        if fault.whom == SESSIONS:
            await asyncio.to_thread(self._server.end_sessions)
        else:
            await asyncio.to_thread(self._server.stop, self._dice.choice((FAST, CRASH)))
            if fault.whom == AWAY:
                await asyncio.sleep(fault.lasts)
            await asyncio.to_thread(self._server.start)
            history.disturbed("", "the database is back")
        self.log.kills[fault.whom] += 1

    async def _wait_until_whole(self) -> None:
        try:
            await until(self._is_whole, within=_WHOLE_SECONDS, what="a leader and both shards")
        except AssertionError as error:
            self.log.problems.append(str(error))

    async def _is_whole(self) -> bool:
        await asyncio.sleep(_LOOK_EVERY)
        return self._cluster.is_whole

    async def _settle(self) -> None:
        """Without load and faults, the processes work until nothing is unfinished."""

        async def finished() -> bool:
            if not await self._is_whole() or read_snapshot(self._testbed.url).unfinished:
                return False
            with kind_of(self._testbed.url).snapshot(self._testbed.url) as connection:
                return connection.scalar(select(func.count()).select_from(pending_cards)) == 0

        try:
            await until(finished, within=_SETTLE_SECONDS, what="everything to be finished")
        except AssertionError as error:
            self.log.problems.append(str(error))
