"""What a run prints: deaths by boundary, the books with every term, and how soon things were gone on with."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from statistics import median

from tests.crash.continuing import PROMISED
from tests.crash.hunt import Hunt
from tests.crash.verdict import Verdict
from tests.crash.world import World

_WIDTH = 36
_EXAMPLES = 40


def table(deaths: Counter[str], boundaries: Iterable[str]) -> Iterator[str]:
    """Every boundary with how often it was died at, then the random moments."""
    yield "== kills"
    named = list(boundaries)
    for boundary in named:
        yield f"{deaths[boundary]:5}  {boundary}"
    for moment in sorted(set(deaths) - set(named)):
        yield f"{deaths[moment]:5}  at random, {moment}"


def report(world: World, found: Hunt, verdict: Verdict) -> Iterator[str]:
    """The books of one world."""
    yield "-- wishes"
    yield from _counts(verdict.wishes)
    yield "-- tasks"
    yield from _counts(verdict.tasks)
    yield "-- KIE's bill, in credits"
    yield from _counts(verdict.bill)
    yield f"{verdict.billed!s:>8}  billed by KIE"
    yield "-- submissions that nobody knows the outcome of"
    yield f"{len(found.doubted):8}  were under way when a process died"
    if world.callbacks:
        yield f"{found.found_again:8}  of these were found again by KIE's callback"
    yield from _counts(verdict.ambiguous)
    yield "-- cards that go on waiting"
    yield from _counts(verdict.waiting_cards)
    yield "-- seconds from being ready to going on with what was left"
    yield from _waits(found)
    yield "-- errors logged"
    yield from _counts(errors(world))
    yield f"-- left behind: {len(list((world.folder / 'tmp').iterdir()))} temporary folders, spool {_spooled(world)}"
    yield f"-- wrong: {len(found.wrong) + len(verdict.wrong)}"
    yield from (found.wrong + verdict.wrong)[:_EXAMPLES]


def errors(world: World) -> Counter[str]:
    """What all processes logged as errors, by event and kind of exception."""
    found: Counter[str] = Counter()
    for printed in world.printed:
        for line in printed.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                # The end of a line that a kill cut off, or a traceback of no logger's.
                found["not a log line"] += line.startswith("Traceback")
                continue
            if entry.get("level") in {"error", "critical"}:
                trace = str(entry.get("exception", "")).strip().splitlines()
                why = trace[-1] if trace else str(entry.get("error", entry.get("detail", "")))
                found[f"{entry['event']} {why}".strip()] += 1
    return +found


def _waits(found: Hunt) -> Iterator[str]:
    kinds = sorted({what for what, _ in found.waits})
    for kind in (*kinds, ""):
        times = sorted(seconds for what, seconds in found.waits if kind in ("", what))
        if times:
            late = sum(one > PROMISED for one in times)
            yield (
                f"{len(times):8}  {kind or 'all':12} median {median(times):.2f}  worst {times[-1]:.2f}"
                f"  over {PROMISED:g} s: {late}"
            )
    if found.starts:
        yield f"{len(found.starts):8}  starts, from loaded to ready: median {median(found.starts):.2f}"


def _counts(counted: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(counted):
        yield f"{counted[name]!s:>8}  {name}"


def _spooled(world: World) -> int:
    folder = world.folder / "spool"
    return len(list(folder.iterdir())) if folder.exists() else 0
