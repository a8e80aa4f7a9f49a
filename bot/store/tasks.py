"""Tasks: their changes of state, with the ledger rows that belong to each in the same transaction."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import RowMapping, Update, bindparam, exists, func, select, text, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Credits
from bot.domain.generation import Task
from bot.domain.ids import GenerationId, KieTaskId, TaskId
from bot.domain.ports import TaskReport
from bot.domain.settings import Settings, TaskClass
from bot.domain.states import BILLED_FAILURES, MOVES, REFUNDED, Failure, TaskState
from bot.store.clauses import in_constants, in_parameter, readable
from bot.store.leases import Taken
from bot.store.ledger import LedgerRepository
from bot.store.tables import generations, leases, tasks, undelivered

_WITH_CLASS = select(tasks, generations.c.model, generations.c.resolution, generations.c.reference_count).join(
    generations, generations.c.id == tasks.c.generation_id
)
_BY_ID = _WITH_CLASS.where(tasks.c.id == bindparam("task"))
_IN_STATES = _WITH_CLASS.where(in_parameter(tasks.c.state, "states")).order_by(tasks.c.id)
_WITH_NEEDED_IMAGES = union(
    select(tasks.c.id).where(tasks.c.state == TaskState.READY),
    select(tasks.c.id).join(undelivered, undelivered.c.generation_id == tasks.c.generation_id),
)
_STATE = select(tasks.c.state, tasks.c.free).where(tasks.c.id == bindparam("task"))
_RESERVED_IDS = select(tasks.c.id).where(
    tasks.c.generation_id == bindparam("generation"), tasks.c.state == TaskState.RESERVED
)
_SUBMITTED_SINCE = (
    select(tasks.c.submitted_at, tasks.c.finished_at, tasks.c.kie_task_id, tasks.c.state)
    .where(tasks.c.submitted_at >= bindparam("since"))
    .order_by(tasks.c.submitted_at)
)
_RECENT_DURATIONS = (
    select(generations.c.model, generations.c.resolution, generations.c.reference_count, tasks.c.seconds)
    .join(generations, generations.c.id == tasks.c.generation_id)
    .where(tasks.c.seconds.is_not(None))
    .order_by(tasks.c.id.desc())
    .limit(bindparam("limit"))
)
_ORPHANS = select(func.count()).where(
    # Written out: SQLite uses a partial index only when its condition contains no parameter.
    tasks.c.state == TaskState.FAILED,
    tasks.c.failure == text(f"'{Failure.UNKNOWN_OUTCOME}'"),
)


def _moving(to: TaskState, *sources: TaskState) -> Update:
    return update(tasks).where(tasks.c.id == bindparam("moved"), in_constants(tasks.c.state, sources)).values(state=to)


_MOVING = {to: _moving(to, *(state for state, targets in MOVES.items() if to in targets)) for to in TaskState}
_OTHERS = tasks.alias("others")
_RUNNING_UNCLAIMED = _MOVING[TaskState.RUNNING].where(
    ~exists().where(_OTHERS.c.kie_task_id == bindparam("claimed"), _OTHERS.c.id != bindparam("moved"))
)
_IN_TERM = exists().where(leases.c.name == bindparam("lease"), leases.c.term == bindparam("term"))
_MOVING_IN_TERM = {to: moving.where(_IN_TERM) for to, moving in _MOVING.items()}
_READY_IN_TIME = _moving(TaskState.READY, TaskState.RUNNING)
_READY_LATE = _moving(TaskState.READY, TaskState.OVERDUE)


class TaskRepository:
    """Tasks and their moves between states. A move that ``MOVES`` does not allow gives False and changes nothing."""

    def __init__(self, connection: AsyncConnection, ledger: LedgerRepository) -> None:
        self._connection = connection
        self._ledger = ledger

    async def get(self, task: TaskId) -> Task:
        """A task in its present state; raises NoResultFound when there is none."""
        row = (await self._connection.execute(_BY_ID, {"task": task})).mappings().one()
        return task_from(row, row)

    async def find(self, task: TaskId) -> Task | None:
        """A task in its present state, or None; for ids that come from outside."""
        row = (await self._connection.execute(_BY_ID, {"task": task})).mappings().one_or_none()
        return None if row is None else task_from(row, row)

    async def in_states(self, states: Collection[TaskState]) -> list[Task]:
        """All tasks in any of these states that can be read, oldest first."""
        rows = await self._connection.execute(_IN_STATES, {"states": list(states)})
        return [task_from(row, row) for row in readable(rows)]

    async def with_needed_images(self) -> set[TaskId]:
        """Those whose image exists and is to be posted, or handed over with their member's next command."""
        return set(await self._connection.scalars(_WITH_NEEDED_IMAGES))

    async def submitting(
        self, task: TaskId, deadline: datetime, leader: Taken | None = None, *, at: datetime | None = None
    ) -> bool:
        """KIE is about to be asked, ``at`` this time. Recorded first, so that a task is never sent twice.

        False also when another process has taken the leader's lease since. True again for the same time: of an earlier
        try it may be unknown whether it was committed.
        """
        if await self._move_in_term(task, TaskState.SUBMITTING, leader, deadline=deadline, submitted_at=at):
            return True
        found = await self.find(task) if at is not None else None
        return found is not None and (found.state, found.submitted_at) == (TaskState.SUBMITTING, at)

    async def requeue(self, task: TaskId, leader: Taken | None = None) -> bool:
        """KIE has certainly not taken the task: it waits for another attempt. False also for a former leader."""
        return await self._move_in_term(task, TaskState.RESERVED, leader, deadline=None)

    async def running(self, task: TaskId, kie_task_id: KieTaskId, at: datetime, deadline: datetime) -> bool:
        """KIE has the task. False also when the KIE task already belongs to another task."""
        values = {"kie_task_id": kie_task_id, "claimed": kie_task_id, "submitted_at": at, "deadline": deadline}
        return await self._execute(_RUNNING_UNCLAIMED, task, **values)

    async def ready(self, task: TaskId, report: TaskReport, at: datetime) -> bool:
        """KIE has made the image; after the deadline, it is free for the member."""
        values = {
            "result_url": report.result_url,
            "seconds": report.seconds,
            "consumed": report.consumed,
            "finished_at": at,
            "failure": None,
        }
        if await self._execute(_READY_IN_TIME, task, **values, free=False):
            return True
        is_late = await self._execute(_READY_LATE, task, **values, free=True)
        if is_late:
            await self._ledger.record_late(task, at)
        return is_late

    async def delivered(self, ready: Iterable[Task], at: datetime) -> None:
        """The images are posted: their reservations are settled, except for those refunded before."""
        paid = [task.id for task in ready if await self._move(task.id, TaskState.DELIVERED) and not task.free]
        if paid:
            await self._ledger.settle(paid, at)

    async def overdue(self, task: TaskId, at: datetime, watch_until: datetime, leader: Taken | None = None) -> bool:
        """The deadline has passed: the task is refunded, and watched for a late success until ``watch_until``.

        False also for a former leader.
        """
        values = {"deadline": watch_until, "finished_at": at, "failure": Failure.TOO_SLOW}
        moved = await self._move_in_term(task, TaskState.OVERDUE, leader, **values)
        if moved:
            await self._ledger.refund([task], at)
        return moved

    async def fail(
        self,
        task: TaskId,
        failure: Failure,
        at: datetime,
        consumed: Credits | None = None,
        *,
        leader: Taken | None = None,
    ) -> bool:
        """There will be no image: the task is refunded, unless it was before. ``consumed`` is what KIE took for it.

        False also for a former leader, to whom what has become of the task is not known.
        """
        row = (await self._connection.execute(_STATE, {"task": task})).one_or_none()
        billed = failure in BILLED_FAILURES
        is_late = billed and row is not None and row.state == TaskState.OVERDUE
        values: dict[str, object] = {"free": True} if is_late else {}
        if consumed is not None:
            values["consumed"] = consumed
        if not await self._move_in_term(task, TaskState.FAILED, leader, finished_at=at, failure=failure, **values):
            return False
        if is_late:
            await self._ledger.record_late(task, at)
        elif row is not None and row.state not in REFUNDED and not row.free:
            await self._ledger.refund([task], at, billed=billed)
        return True

    async def cancel(self, generation: GenerationId, at: datetime) -> list[TaskId]:
        """Cancel and refund every task of the generation that KIE has not been asked for; gives their ids."""
        waiting = list(await self._connection.scalars(_RESERVED_IDS, {"generation": generation}))
        for task in waiting:
            await self._move(task, TaskState.CANCELLED, finished_at=at)
        if waiting:
            await self._ledger.refund(waiting, at)
        return waiting

    async def submitted_since(self, since: datetime, now: datetime) -> list[datetime]:
        """When KIE last took or refused each task that it was asked for at or after this time, as far as is known.

        What it was being asked for when a process ended, it may take up to now.
        """
        rows = await self._connection.execute(_SUBMITTED_SINCE, {"since": since})
        return [
            row["submitted_at"]
            if row["kie_task_id"] is not None or row["state"] == TaskState.RESERVED
            else row["finished_at"] or now
            for row in readable(rows)
        ]

    async def recent_durations(self, limit: int) -> list[tuple[TaskClass, float]]:
        """How many seconds KIE took for the last finished tasks, oldest first."""
        rows = await self._connection.execute(_RECENT_DURATIONS, {"limit": limit})
        durations = [
            (TaskClass(row["model"], row["resolution"], row["reference_count"] > 0), row["seconds"])
            for row in readable(rows)
        ]
        return durations[::-1]

    async def orphans(self) -> int:
        """The number of tasks of which it is unknown whether KIE made them."""
        return await self._connection.scalar(_ORPHANS) or 0

    async def _move_in_term(self, task: TaskId, to: TaskState, leader: Taken | None, **values: object) -> bool:
        if leader is None:
            return await self._move(task, to, **values)
        return await self._execute(_MOVING_IN_TERM[to], task, lease=leader.name, term=leader.term, **values)

    async def _move(self, task: TaskId, to: TaskState, **values: object) -> bool:
        return await self._execute(_MOVING[to], task, **values)

    async def _execute(self, statement: Update, task: TaskId, **values: object) -> bool:
        result = await self._connection.execute(statement, {"moved": task, **values})
        return result.rowcount == 1


def task_values(task: Task) -> dict[str, object]:
    """A new task as a row."""
    return {
        "id": task.id,
        "generation_id": task.generation_id,
        "user_id": task.user_id,
        "position": task.position,
        "state": task.state,
        "created_at": task.created_at,
        "free": task.free,
    }


def settings_from(row: RowMapping) -> Settings:
    """The settings in the row of a generation."""
    return Settings(row["model"], row["aspect_ratio"], row["resolution"], row["steps"], row["guidance"])


def task_from(row: RowMapping, generation_row: RowMapping) -> Task:
    """A task from its row and the row of its generation."""
    return Task(
        id=row["id"],
        generation_id=row["generation_id"],
        user_id=row["user_id"],
        position=row["position"],
        state=row["state"],
        task_class=TaskClass(
            generation_row["model"], generation_row["resolution"], generation_row["reference_count"] > 0
        ),
        created_at=row["created_at"],
        kie_task_id=row["kie_task_id"],
        submitted_at=row["submitted_at"],
        deadline=row["deadline"],
        finished_at=row["finished_at"],
        result_url=row["result_url"],
        failure=row["failure"],
        free=row["free"],
    )
