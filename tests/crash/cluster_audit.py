"""What has to hold between several processes: one leads at a time, and KIE's rate limit is kept by all together."""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import psycopg

from bot.domain.kie_limits import KIE_LIMITS
from bot.domain.states import TaskState
from tests.crash.cluster_processes import LEASE, ClusterHistory, leaders
from tests.crash.load import TAG
from tests.crash.process_log import seconds
from tests.crash.snapshot import read_snapshot
from tests.crash.testbed import CrashTestbed
from tests.kie.schema import created

_FENCED: Final = {TaskState.SUBMITTING.value, TaskState.RESERVED.value}
"""States that only the leader may move a task to."""


@dataclass(frozen=True, slots=True)
class Term:
    """A process that began to lead at a moment."""

    number: int
    process: str
    began: float


@dataclass(frozen=True, slots=True)
class Move:
    """A task's change of state, by the database's clock."""

    at: float
    process: str
    task: int
    origin: str | None
    state: str


@dataclass
class ClusterAudit:
    """What is wrong, and what there is to tell. Times in seconds."""

    problems: list[str] = field(default_factory=list[str])
    terms: list[Term] = field(default_factory=list[Term])
    without_leader: list[float] = field(default_factory=list[float])
    """Of each takeover: from the moment at which the former leader was disturbed to that at which the next one led."""
    busiest_window: int = 0
    """The most tasks that KIE took in any of its windows, without those that came late."""
    most_calls: int = 0
    """The same of createTask calls, with those that KIE refused."""
    late_calls: int = 0
    """createTask calls of a process that was stopped just before it asked: no process can take those back."""
    in_doubt: set[int] = field(default_factory=set[int])
    """Tasks that one process was submitting, and another one went on with."""


def audit_cluster(testbed: CrashTestbed, history: ClusterHistory) -> ClusterAudit:
    """Compare logs, the recorded moves and KIE's calls, after the last process has ended."""
    audit = ClusterAudit(terms=[Term(entry["term"], process, seconds(entry)) for entry, process in leaders(history)])
    moves = _moves(testbed.url)
    audit.problems += _terms_out_of_order(audit.terms)
    audit.problems += moves_by_former_leaders(audit.terms, moves)
    audit.without_leader = list(_times_without_leader(audit.terms, history))
    asked = _asked(testbed, moves)
    since_epoch = time.time() - time.monotonic()
    calls = [(call.at + since_epoch, str(call.json)) for call in created(testbed.kie)]
    in_time = _in_time(calls, asked)
    audit.late_calls = len(calls) - len(in_time)
    audit.most_calls = busiest_window(in_time, KIE_LIMITS.window)
    taken = [(task.created, task.request.prompt) for task in testbed.kie.tasks.values()]
    audit.busiest_window = busiest_window(_in_time(taken, asked), KIE_LIMITS.window)
    if audit.busiest_window > KIE_LIMITS.new_tasks:
        audit.problems.append(f"{audit.busiest_window} new tasks in {KIE_LIMITS.window:g} s")
    audit.in_doubt = _in_doubt(moves)
    return audit


def _terms_out_of_order(terms: Sequence[Term]) -> Iterator[str]:
    for before, after in pairwise(terms):
        if after.number <= before.number:
            yield f"{after.process} led in term {after.number} after {before.process} in term {before.number}"


def moves_by_former_leaders(terms: Sequence[Term], moves: Sequence[Move]) -> Iterator[str]:
    """What a process wrote for KIE's sake when another one had begun to lead, or without ever leading."""
    own = {term.process: term.number for term in terms}
    for move in moves:
        if move.origin is None or move.state not in _FENCED:
            continue
        present = max((term.number for term in terms if term.began < move.at), default=0)
        if own.get(move.process, 0) < present:
            yield f"{move.process}, of term {own.get(move.process)}, wrote in term {present}: {move}"


def _times_without_leader(terms: Sequence[Term], history: ClusterHistory) -> Iterator[float]:
    """Whatever befell the former leader last is why; otherwise the database, or the machine was too slow."""
    for former, term in pairwise(terms):
        between = [event for event in history.disturbances if former.began < event.at < term.began]
        own = [event.at for event in between if event.process == former.process and event.what != "SIGCONT"]
        database = [event.at for event in between if not event.process]
        yield term.began - min(own[-1:] or database[-1:] or [term.began - LEASE])


def _asked(testbed: CrashTestbed, moves: Sequence[Move]) -> Mapping[str, Sequence[float]]:
    """When KIE was about to be asked, by the tag of the request."""
    tags = {
        task.id: generation.tag for generation in read_snapshot(testbed.url).generations for task in generation.tasks
    }
    asked: dict[str, list[float]] = defaultdict(list)
    for move in moves:
        if move.state == TaskState.SUBMITTING:
            asked[tags[move.task]].append(move.at)
    return asked


def _in_time(calls: Iterable[tuple[float, str]], asked: Mapping[str, Sequence[float]]) -> list[float]:
    """The times of those that came within a lease of the move before them; each text has the tag of its request."""
    return [
        at
        for at, text in calls
        if (tag := TAG.search(text)) and any(0 <= at - moved <= LEASE for moved in asked.get(tag[0], ()))
    ]


def busiest_window(times: Sequence[float], length: float) -> int:
    """The most moments that lie within so many seconds of one another."""
    ordered = sorted(times)
    return max((position + 1 - bisect_left(ordered, at - length) for position, at in enumerate(ordered)), default=0)


def _in_doubt(moves: Sequence[Move]) -> set[int]:
    by_task: dict[int, list[Move]] = defaultdict(list)
    for move in moves:
        by_task[move.task].append(move)
    return {
        task
        for task, made in by_task.items()
        for before, after in pairwise(made)
        if before.state == TaskState.SUBMITTING and after.process != before.process
    }


def _moves(url: str) -> list[Move]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT extract(epoch FROM at)::float8, process, task, origin, state FROM recorded_moves ORDER BY id"
        )
        return [Move(*row) for row in rows.fetchall()]
