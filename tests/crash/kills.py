"""Starts one process after another under load and kills each; the last one finishes what is left."""

import asyncio
import contextlib
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Self, final

from bot.generation.pending_cards import JOURNAL_NAME, read_pending_cards
from demo.kie import Succeed
from tests.crash.crash_points import CRASH_POINTS, Crash, step_of
from tests.crash.load import PROVOKED_BY, MemberLoad
from tests.crash.recovery_time import UnfinishedWork, recovery_times, unfinished_work
from tests.crash.snapshot import Snapshot, read_after_kill, read_snapshot
from tests.crash.testbed import CrashTestbed, KillableProcess
from tests.waiting import until

AT_START, AT_WORK, LOCKED = "at start", "at work", "while the database is locked"
AMBIGUOUS_POINTS: Final = ("after KIE create", "before commit: running")
"""A kill there leaves a task of which only KIE's callback can tell."""
PATIENCE: Final = 7.0
"""Seconds that a process gets to reach its crash point; twice as long for a rare one."""
RARE: Final = frozenset({"commit: overdue", "commit: undelivered", "remove stale card", "commit: waiting again"})
_ONCE_PER_PROCESS: Final = frozenset({"commit: key-value stored", "recover"})
_ATTEMPTS: Final = 4
_START_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 120.0
_SHUTDOWN_SECONDS: Final = 20.0
_LOOK_EVERY: Final = 0.25
_LONG_AT_KIE: Final = 4.5
_LOCKER: Final = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(60)
"""


@dataclass
class KillLog:
    """What happened: the kills by where they hit, and what was seen between them."""

    kills: Counter[str] = field(default_factory=Counter[str])
    missed: Counter[str] = field(default_factory=Counter[str])
    """Crash points that were not reached in any attempt."""
    recovery_times: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    """By kind of work, in seconds."""
    start_times: list[float] = field(default_factory=list[float])
    ambiguous: set[int] = field(default_factory=set[int])
    """Tasks that were being submitted when a process was killed."""
    found_by_callback: int = 0
    """How many of those KIE's callback brought an id for."""
    problems: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class PlannedKill:
    """Where to kill a process: when it reaches a crash point for the n-th time, or at a random moment of a kind."""

    point: str = ""
    nth: int = 1
    moment: str = ""
    seconds: float = 0.0
    attempt: int = 1


def plan_kills(dice: random.Random, kills: int, points: Sequence[str]) -> list[PlannedKill]:
    """Every point as often as it is named, in random order but for those that only a first start reaches.

    The rest of the kills come at random moments. Raises ValueError for an unknown point, which would never be reached.
    """
    if unknown := set(points) - set(CRASH_POINTS):
        raise ValueError(f"unknown crash points: {unknown}")
    first = [point for point in points if "key-value stored" in point]
    planned = [
        PlannedKill(point, 1 if step_of(point) in RARE | _ONCE_PER_PROCESS else dice.choice((1, 1, 2, 3)))
        for point in points
        if point not in first
    ]
    for _ in range(kills - len(points)):
        moment = dice.choices((AT_START, AT_WORK, LOCKED), (2, 7, 1))[0]
        planned.append(PlannedKill(moment=moment, seconds=dice.uniform(0, 0.8 if moment == AT_START else 2.0)))
    dice.shuffle(planned)
    return [*map(PlannedKill, first), *planned]


async def run_kills(
    testbed: CrashTestbed,
    load: MemberLoad,
    planned: Sequence[PlannedKill],
    say: Callable[[str], None],
    *,
    patience: float = PATIENCE,
) -> KillLog:
    """Kill a process for every plan under load, then let one finish what is left, and end it by SIGTERM."""
    log = KillLog()
    work: list[UnfinishedWork] = []
    killed_at = ""
    acting = asyncio.create_task(load.run())
    try:
        async with _WarmStart(testbed, planned) as processes:
            while processes.planned:
                async with processes.next() as (plan, process):
                    held = killed_at in AMBIGUOUS_POINTS and testbed.relay is not None
                    least = _LONG_AT_KIE if held else 0.0
                    killed_at = await _kill(testbed, load, process, plan, at_least=least, patience=patience)
                log.kills[killed_at] += 1
                if plan.point and killed_at != plan.point:
                    if plan.attempt < _ATTEMPTS:
                        processes.try_again(plan)
                    else:
                        log.missed[plan.point] += 1
                snapshot = _examine(testbed, log, process, work)
                work = unfinished_work(snapshot, held=testbed.relay is not None)
                count = log.kills.total()
                say(f"{count:4} {killed_at:34} unfinished {snapshot.unfinished:4}  requests {len(load.done):5}")
                if acting.done():
                    break
    finally:
        acting.cancel()
        await asyncio.wait({acting})
    if not acting.cancelled() and (error := acting.exception()) is not None:
        raise error
    if load.errors:
        raise load.errors[0]
    await _finish(testbed, log, work)
    return log


@final
class _WarmStart:
    """Always one process ahead: the next one imports its modules while this one lives."""

    def __init__(self, testbed: CrashTestbed, planned: Sequence[PlannedKill]) -> None:
        self.planned = list(planned)
        self._testbed = testbed
        self._warm: tuple[PlannedKill, KillableProcess, AsyncExitStack] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._warm is not None:
            await self._warm[2].aclose()

    @asynccontextmanager
    async def next(self) -> AsyncGenerator[tuple[PlannedKill, KillableProcess]]:
        """The next process, which ends with the block."""
        plan, process, stack = self._warm or await self._start()
        self.planned.remove(plan)
        self._warm = None
        async with stack:
            if self.planned:
                self._warm = await self._start()
            yield plan, process

    def try_again(self, plan: PlannedKill) -> None:
        """The point was not reached: try again at the end, in place of a random moment."""
        warm = self._warm[0] if self._warm else None
        other = next((other for other in self.planned if other.moment == AT_WORK and other is not warm), None)
        if other is not None:
            self.planned.remove(other)
        self.planned.append(replace(plan, nth=1, attempt=plan.attempt + 1))

    async def _start(self) -> tuple[PlannedKill, KillableProcess, AsyncExitStack]:
        plan = self.planned[0]
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(
                self._testbed.process(Crash(plan.point, plan.nth) if plan.point else None)
            )
            return plan, process, stack.pop_all()


def _examine(testbed: CrashTestbed, log: KillLog, process: KillableProcess, work: Sequence[UnfinishedWork]) -> Snapshot:
    """Record what the killed process resumed, and read what it left."""
    _record_recovery(testbed, log, process, work)
    snapshot, problems = read_after_kill(testbed.database, testbed.folder / "copy")
    log.problems += [f"after kill {log.kills.total()}: {problem}" for problem in problems]
    log.ambiguous |= {task.id for task in snapshot.tasks if task.state == "submitting"}
    return snapshot


def _record_recovery(
    testbed: CrashTestbed, log: KillLog, process: KillableProcess, work: Sequence[UnfinishedWork]
) -> None:
    if process.ready_at is not None:
        log.start_times.append(process.ready_at - process.started_at)
        log.recovery_times += recovery_times(
            testbed, work, since=process.started_at, ready_at=process.ready_at, until=process.ended_at
        )


async def _kill(
    testbed: CrashTestbed,
    load: MemberLoad,
    process: KillableProcess,
    plan: PlannedKill,
    *,
    at_least: float,
    patience: float,
) -> str:
    """Start the process and see it killed; returns where. At work it gets ``at_least`` seconds."""
    step = step_of(plan.point)
    load.preferred = PROVOKED_BY.get(step)
    if testbed.relay is not None and plan.point in AMBIGUOUS_POINTS:
        testbed.kie.script.next_tasks(*[Succeed(duration=_LONG_AT_KIE)] * 6)
    identified = testbed.front.gateway.identified
    process.go()
    if plan.moment == AT_START:
        await asyncio.sleep(plan.seconds)
    else:
        await until(
            lambda: testbed.front.gateway.identified > identified or process.process.returncode is not None,
            within=_START_SECONDS,
            what="the bot to connect",
        )
    if testbed.front.gateway.identified > identified:
        process.ready_at = time.monotonic()
    if plan.point:
        with contextlib.suppress(AssertionError):
            await process.process.ended(within=patience * 2 if step in RARE else patience)
    elif plan.moment == AT_WORK:
        await asyncio.sleep(max(plan.seconds, at_least))
    elif plan.moment == LOCKED:
        await _kill_while_locked(testbed, process, plan.seconds / 2)
    if process.process.returncode is None:
        process.process.send(signal.SIGKILL)
    await process.process.ended()
    process.ended_at = time.monotonic()
    assert process.process.returncode == -signal.SIGKILL, process.process.output()
    return process.crash.point if process.crash else plan.moment or AT_WORK


async def _kill_while_locked(testbed: CrashTestbed, process: KillableProcess, seconds: float) -> None:
    """Kill it while another process has the database locked.

    That one is killed as well: closing a database as the last one checkpoints what the next process is to find.
    """
    locker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LOCKER, str(testbed.database), stdout=asyncio.subprocess.PIPE
    )
    assert locker.stdout is not None
    try:
        await locker.stdout.readline()
        await asyncio.sleep(seconds)
        process.process.send(signal.SIGKILL)
        await process.process.ended()
    finally:
        locker.kill()
        await locker.wait()


async def _finish(testbed: CrashTestbed, log: KillLog, work: Sequence[UnfinishedWork]) -> None:
    """Without load and faults, one process works until nothing is unfinished, and is ended by SIGTERM."""
    identified = testbed.front.gateway.identified
    async with testbed.process() as process:
        process.go()
        await until(
            lambda: testbed.front.gateway.identified > identified, within=_START_SECONDS, what="the bot to connect"
        )
        process.ready_at = time.monotonic()

        async def finished() -> bool:
            await asyncio.sleep(_LOOK_EVERY)
            pending = read_pending_cards(testbed.folder / JOURNAL_NAME)
            return read_snapshot(testbed.url).unfinished == 0 and not pending

        try:
            await until(finished, within=_SETTLE_SECONDS, what="everything to be finished")
        except AssertionError as error:
            log.problems.append(str(error))
        process.ended_at = time.monotonic()
        _record_recovery(testbed, log, process, work)
        code = await process.process.terminate(within=_SHUTDOWN_SECONDS)
        if code != 0:
            log.problems.append(f"the last process ended with {code}")
    log.found_by_callback = sum(
        task.id in log.ambiguous and task.kie_task_id is not None for task in read_snapshot(testbed.url).tasks
    )
