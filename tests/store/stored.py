"""Putting generations into a store, and reading what only SQL can tell."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.domain.credits import ZERO
from bot.domain.generation import Generation, Task
from bot.domain.ids import KieTaskId
from bot.domain.ports import Progress, TaskReport
from bot.domain.states import Failure, TaskState
from bot.store.store import Store, Transaction
from tests.factories import NOW

DEADLINE = NOW + timedelta(minutes=10)
RESULT = TaskReport(Progress.SUCCEEDED, result_url="https://tempfile.aiquickdraw.com/one.png", seconds=14.0)


async def keep(store: Store, generation: Generation, at: datetime | None = None) -> Generation:
    """Write down a reserved generation and its reservation, as accepting it does."""
    parts = {task.id: ZERO for task in generation.tasks}
    account = generation.request.account
    async with store.write() as tx:
        await tx.generations.add(generation)
        await tx.ledger.reserve(account, generation.id, parts, generation.unit_price, at or generation.created_at)
    return generation


async def bring(tx: Transaction, task: Task, state: TaskState, at: datetime = NOW) -> None:
    """Lead a reserved task along the usual way to a state."""
    kie = KieTaskId(f"kie-{task.id}")
    to_running = (TaskState.SUBMITTING, TaskState.RUNNING)
    ways: dict[TaskState, tuple[TaskState, ...]] = {
        TaskState.RESERVED: (),
        TaskState.SUBMITTING: to_running[:1],
        TaskState.RUNNING: to_running,
        TaskState.READY: (*to_running, TaskState.READY),
        TaskState.DELIVERED: (*to_running, TaskState.READY, TaskState.DELIVERED),
        TaskState.OVERDUE: (*to_running, TaskState.OVERDUE),
        TaskState.FAILED: (TaskState.SUBMITTING, TaskState.FAILED),
        TaskState.CANCELLED: (TaskState.CANCELLED,),
    }
    for step in ways[state]:
        assert await move(tx, task, step, kie, at), f"{task.id} would not go to {step}"


async def move(tx: Transaction, task: Task, to: TaskState, kie: KieTaskId, at: datetime = NOW) -> bool:
    """Ask the store for one move; whether it was made."""
    match to:
        case TaskState.RESERVED:
            return await tx.tasks.waiting_again(task.id)
        case TaskState.SUBMITTING:
            return await tx.tasks.submitting(task.id, DEADLINE)
        case TaskState.RUNNING:
            return await tx.tasks.running(task.id, kie, at, DEADLINE)
        case TaskState.READY:
            return await tx.tasks.ready(task.id, RESULT, at)
        case TaskState.DELIVERED:
            before = await tx.tasks.get(task.id)
            await tx.tasks.delivered([before], at)
            return (await tx.tasks.get(task.id)).state is not before.state
        case TaskState.OVERDUE:
            return await tx.tasks.overdue(task.id, at, DEADLINE)
        case TaskState.FAILED:
            return await tx.tasks.fail(task.id, Failure.BROKEN, at)
        case TaskState.CANCELLED:
            return task.id in await tx.tasks.cancel(task.generation_id, at)


def rows(file: Path, query: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """Ask the file itself, past all of our code."""
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query, tuple(values)).fetchall()
    finally:
        connection.close()
