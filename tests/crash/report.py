"""What a run prints: kills by crash point, the audit with every term, and how soon work was resumed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any

from tests.crash.audit import CrashAudit
from tests.crash.kills import KillLog
from tests.crash.process_log import log_entries
from tests.crash.recovery_time import PROMISED_SECONDS
from tests.crash.testbed import CrashTestbed

_PROBLEMS_SHOWN = 40


def kill_table(kills: Counter[str], points: Iterable[str]) -> Iterator[str]:
    """Every crash point with the number of kills there, then the random moments."""
    yield "== kills"
    named = list(points)
    for point in named:
        yield f"{kills[point]:5}  {point}"
    for moment in sorted(set(kills) - set(named)):
        yield f"{kills[moment]:5}  at random, {moment}"


def report(testbed: CrashTestbed, log: KillLog, audit: CrashAudit) -> Iterator[str]:
    """The audit of one testbed."""
    yield "-- requests"
    yield from _counts(audit.requests)
    yield "-- tasks"
    yield from _counts(audit.tasks)
    yield "-- KIE's bill, in credits"
    yield from _counts(audit.bill)
    yield f"{audit.billed!s:>8}  billed by KIE"
    yield "-- ambiguous tasks"
    yield f"{len(log.ambiguous):8}  were being submitted when a process was killed"
    if testbed.relay is not None:
        yield f"{log.found_by_callback:8}  of these were found by KIE's callback"
    yield from _counts(audit.ambiguous)
    yield "-- cards that keep waiting"
    yield from _counts(audit.waiting_cards)
    yield "-- seconds from being ready to resuming unfinished work"
    yield from _times(log)
    yield "-- errors logged"
    yield from _counts(logged_errors(testbed))
    temporary, spooled = _file_count(testbed, "tmp/*"), _file_count(testbed, "**/spool/*")
    yield f"-- left behind: {temporary} temporary folders, {spooled} files in the spool"
    problems = log.problems + audit.problems
    yield f"-- problems: {len(problems)}"
    yield from problems[:_PROBLEMS_SHOWN]


def logged_errors(testbed: CrashTestbed) -> Counter[str]:
    """What all processes logged as errors, by event and kind of exception."""
    errors: Counter[str] = Counter()
    for output in testbed.outputs:
        errors["not a log line"] += sum(line.startswith("Traceback") for line in output.splitlines())
        for entry in log_entries(output):
            if entry.get("level") in {"error", "critical"}:
                why = _reason(entry)
                errors[f"{entry['event']} {why}".strip()] += 1
    return +errors


def _reason(entry: Mapping[str, Any]) -> str:
    match entry:
        case {"exception": [{"exc_type": kind, "exc_value": value}, *_]}:
            return f"{kind}: {value}".partition("\n")[0]
        case _:
            return str(entry.get("error", entry.get("detail", "")))


def _times(log: KillLog) -> Iterator[str]:
    kinds = sorted({kind for kind, _ in log.recovery_times})
    for shown in (*kinds, "all"):
        times = sorted(seconds for kind, seconds in log.recovery_times if shown in ("all", kind))
        if times:
            late = sum(seconds > PROMISED_SECONDS for seconds in times)
            yield (
                f"{len(times):8}  {shown:12} median {median(times):.2f}  worst {times[-1]:.2f}"
                f"  over {PROMISED_SECONDS:g} s: {late}"
            )
    if log.start_times:
        yield f"{len(log.start_times):8}  starts, from imported to ready: median {median(log.start_times):.2f}"


def _counts(counted: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(counted):
        yield f"{counted[name]!s:>8}  {name}"


def _file_count(testbed: CrashTestbed, pattern: str) -> int:
    return sum(1 for _ in testbed.folder.glob(pattern))
