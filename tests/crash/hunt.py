"""The hunt: start a victim under load, see it die, start the next one, and let the last one finish."""

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

from demo.kie import Succeed
from tests.crash.books import Books, read_after_death, read_books
from tests.crash.continuing import Left, left_open, waits
from tests.crash.load import PROVOKES, Load
from tests.crash.world import Victim, World
from tests.waiting import until

AT_START, AT_WORK, LOCKED = "at start", "at work", "while the database is locked"
_PATIENCE: Final = 7.0
_LONG_PATIENCE: Final = 14.0
_RARE: Final = frozenset({"commit: overdue", "commit: undelivered", "remove stale card", "commit: waiting again"})
_ONCE: Final = frozenset({"commit: key-value kept", "recover"})
_TRIES: Final = 4
_START_SECONDS: Final = 30.0
_SETTLE_SECONDS: Final = 120.0
_END_SECONDS: Final = 20.0
_LOOK_EVERY: Final = 0.25
_LONG_AT_KIE: Final = 4.5
DOUBTFUL: Final = ("after KIE create", "before commit: running")
"""Who dies there leaves a task that only KIE's callback can tell of."""
_LOCKER: Final = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(60)
"""


@dataclass
class Hunt:
    """What came of it. ``deaths`` counts the kills by where they hit, ``waits`` has what, and for how long."""

    deaths: Counter[str] = field(default_factory=Counter[str])
    missed: Counter[str] = field(default_factory=Counter[str])
    waits: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    starts: list[float] = field(default_factory=list[float])
    doubted: set[int] = field(default_factory=set[int])
    """Tasks that were being submitted when a process died."""
    found_again: int = 0
    """Those of them whose id KIE's callback told."""
    wrong: list[str] = field(default_factory=list[str])

    @property
    def kills(self) -> int:
        """All of them."""
        return self.deaths.total()


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the next victim is to die: at the n-th crossing of a boundary, or at a random moment of a kind."""

    boundary: str
    nth: int
    moment: str
    seconds: float
    tries: int = 1


def plans(dice: random.Random, kills: int, boundaries: Sequence[str]) -> list[Plan]:
    """Every boundary as often as it is named, in any order but for those that only a first start crosses.

    The rest of the kills come at random moments.
    """
    first = [one for one in boundaries if "key-value kept" in one]
    others = [one for one in boundaries if one not in first]
    drawn = [Plan(one, 1 if _step(one) in _RARE | _ONCE else dice.choice((1, 1, 2, 3)), "", 0) for one in others]
    for _ in range(kills - len(boundaries)):
        moment = dice.choices((AT_START, AT_WORK, LOCKED), (2, 7, 1))[0]
        drawn.append(Plan("", 0, moment, dice.uniform(0, 0.8 if moment == AT_START else 2.0)))
    dice.shuffle(drawn)
    return [Plan(one, 1, "", 0) for one in first] + drawn


async def hunt(
    world: World, load: Load, dice: random.Random, planned: Sequence[Plan], say: Callable[[str], None]
) -> Hunt:
    """Kill a victim for every plan, then let one finish what is left, and end it orderly."""
    found = Hunt()
    left: list[Left] = []
    died_at = ""
    acting = asyncio.create_task(load.run())
    try:
        async with _Standby(world, planned) as standby:
            while standby.planned:
                async with standby.next() as (plan, victim):
                    in_doubt = died_at in DOUBTFUL and world.callbacks
                    died_at = await _die(world, load, victim, plan, at_least=_LONG_AT_KIE if in_doubt else 0)
                found.deaths[died_at] += 1
                if plan.boundary and died_at != plan.boundary:
                    if plan.tries < _TRIES:
                        standby.try_again(plan)
                    else:
                        found.missed[plan.boundary] += 1
                books = _after_death(world, found, victim, left)
                left = left_open(books, held=world.callbacks)
                say(f"{found.kills:4} {died_at:34} unsettled {books.unsettled:4}  wishes {len(load.wishes):5}")
                if acting.done():
                    break
    finally:
        acting.cancel()
        await asyncio.wait({acting})
    if not acting.cancelled() and (error := acting.exception()) is not None:
        raise error
    if load.errors:
        raise load.errors[0]
    await _finish(world, found, left)
    return found


@final
class _Standby:
    """Always one victim ahead: the next one loads its modules while this one lives."""

    def __init__(self, world: World, planned: Sequence[Plan]) -> None:
        self.planned = list(planned)
        self._world = world
        self._loading: tuple[Plan, Victim, AsyncExitStack] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._loading is not None:
            await self._loading[2].aclose()

    @asynccontextmanager
    async def next(self) -> AsyncGenerator[tuple[Plan, Victim]]:
        """The next victim, which ends with the block."""
        plan, victim, opened = self._loading or await self._load()
        self.planned.remove(plan)
        self._loading = None
        async with opened:
            if self.planned:
                self._loading = await self._load()
            yield plan, victim

    def try_again(self, plan: Plan) -> None:
        """It did not come to that boundary: another try at the end, in the stead of a random moment."""
        loading = self._loading[0] if self._loading else None
        other = next((one for one in self.planned if one.moment == AT_WORK and one is not loading), None)
        if other is not None:
            self.planned.remove(other)
        self.planned.append(replace(plan, nth=1, tries=plan.tries + 1))

    async def _load(self) -> tuple[Plan, Victim, AsyncExitStack]:
        plan = self.planned[0]
        async with AsyncExitStack() as stack:
            victim = await stack.enter_async_context(self._world.victim(plan.boundary, plan.nth))
            return plan, victim, stack.pop_all()


def _after_death(world: World, found: Hunt, victim: Victim, left: Sequence[Left]) -> Books:
    """Note what it went on with, and look at what it left."""
    if victim.ready_at is not None:
        found.starts.append(victim.ready_at - victim.let_go_at)
        found.waits += waits(world, left, since=victim.let_go_at, ready_at=victim.ready_at, until=victim.ended_at)
    books, problems = read_after_death(world.database, world.folder / "copy")
    found.wrong += [f"after kill {found.kills}: {problem}" for problem in problems]
    _note_doubts(found, books)
    return books


def _note_doubts(found: Hunt, books: Books) -> None:
    doubted = {task.id for task in books.tasks if task.state == "submitting"}
    found.doubted |= doubted


async def _die(world: World, load: Load, victim: Victim, plan: Plan, *, at_least: float) -> str:
    """Let it go and see it die; tells where. At work, ``at_least`` is how many seconds it gets."""
    step = _step(plan.boundary)
    load.wanted = PROVOKES.get(step)
    if world.callbacks and plan.boundary in DOUBTFUL:
        world.kie.script.next_tasks(*[Succeed(duration=_LONG_AT_KIE)] * 6)
    identified = world.front.gateway.identified
    victim.let_go()
    if plan.moment == AT_START:
        await asyncio.sleep(plan.seconds)
    else:
        await until(
            lambda: world.front.gateway.identified > identified or victim.process.returncode is not None,
            within=_START_SECONDS,
            what="the bot to connect",
        )
    if world.front.gateway.identified > identified:
        victim.ready_at = time.monotonic()
        world.down.append((world.down_since, time.time()))
    if plan.boundary:
        patience = _LONG_PATIENCE if step in _RARE else _PATIENCE
        with contextlib.suppress(AssertionError):
            await victim.process.ended(within=patience)
    elif plan.moment == AT_WORK:
        await asyncio.sleep(max(plan.seconds, at_least))
    elif plan.moment == LOCKED:
        await _lock(world, victim, plan.seconds / 2)
    if victim.process.returncode is None:
        victim.process.send(signal.SIGKILL)
    await victim.process.ended()
    victim.ended_at = time.monotonic()
    if victim.ready_at is not None:
        world.down_since = time.time()
    assert victim.process.returncode == -signal.SIGKILL, victim.process.output()
    return victim.died_at or plan.moment or AT_WORK


async def _lock(world: World, victim: Victim, seconds: float) -> None:
    """Kill it while another process has the database locked.

    That one is killed as well: whoever closes a database last tidies up what the next victim is to find.
    """
    locker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LOCKER, str(world.database), stdout=asyncio.subprocess.PIPE
    )
    assert locker.stdout is not None
    try:
        await locker.stdout.readline()
        await asyncio.sleep(seconds)
        victim.process.send(signal.SIGKILL)
        await victim.process.ended()
    finally:
        locker.kill()
        await locker.wait()


async def _finish(world: World, found: Hunt, left: Sequence[Left]) -> None:
    """No more load, no more faults of KIE's: one process works until everything is settled, and ends when asked to."""
    identified = world.front.gateway.identified
    async with world.victim() as victim:
        victim.let_go()
        await until(
            lambda: world.front.gateway.identified > identified, within=_START_SECONDS, what="the last bot to connect"
        )
        victim.ready_at = time.monotonic()
        world.down.append((world.down_since, time.time()))

        async def settled() -> bool:
            await asyncio.sleep(_LOOK_EVERY)
            return read_books(world.database).unsettled == 0

        try:
            await until(settled, within=_SETTLE_SECONDS, what="everything to be settled")
        except AssertionError as error:
            found.wrong.append(str(error))
        victim.ended_at = time.monotonic()
        found.starts.append(victim.ready_at - victim.let_go_at)
        found.waits += waits(world, left, since=victim.let_go_at, ready_at=victim.ready_at, until=victim.ended_at)
        code = await victim.process.terminate(within=_END_SECONDS)
        if code != 0:
            found.wrong.append(f"the last process ended with {code}")
    found.found_again = sum(
        task.id in found.doubted and task.kie_task_id is not None for task in read_books(world.database).tasks
    )


def _step(boundary: str) -> str:
    return boundary.partition(" ")[2]
