"""Puts generations into a store, makes databases of earlier versions, and reads what only SQL can tell."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config

from bot.domain.credits import ZERO, Credits
from bot.domain.generation import Generation, Task
from bot.domain.ids import KieTaskId
from bot.domain.ports import Progress, TaskReport
from bot.domain.states import Failure, TaskState
from bot.store import sqlite
from bot.store.engines import kind_of
from bot.store.store import Store, Transaction
from tests.database import execute
from tests.factories import NOW

DEADLINE = NOW + timedelta(minutes=10)
RESULT = TaskReport(Progress.SUCCEEDED, result_url="https://tempfile.aiquickdraw.com/one.png", seconds=14.0)
MIGRATIONS = Path(sqlite.__file__).parent / "migrations"

_TO_RUNNING = (TaskState.SUBMITTING, TaskState.RUNNING)
_STEPS: dict[TaskState, tuple[TaskState, ...]] = {
    TaskState.RESERVED: (),
    TaskState.SUBMITTING: (TaskState.SUBMITTING,),
    TaskState.RUNNING: _TO_RUNNING,
    TaskState.READY: (*_TO_RUNNING, TaskState.READY),
    TaskState.DELIVERED: (*_TO_RUNNING, TaskState.READY, TaskState.DELIVERED),
    TaskState.OVERDUE: (*_TO_RUNNING, TaskState.OVERDUE),
    TaskState.FAILED: (TaskState.SUBMITTING, TaskState.FAILED),
    TaskState.CANCELLED: (TaskState.CANCELLED,),
}


async def keep(store: Store, generation: Generation, bonus: Credits = ZERO) -> Generation:
    """Store a reserved generation and its reservation, of which the bonus pays so much, as accepting it does."""
    parts = {task.id: bonus for task in generation.tasks}
    account = generation.request.account
    async with store.write() as tx:
        await tx.generations.add(generation)
        await tx.ledger.reserve(account, generation.id, parts, generation.unit_price, generation.created_at)
    return generation


async def bring(tx: Transaction, task: Task, state: TaskState, at: datetime = NOW) -> None:
    """Bring a reserved task to a state in the usual steps."""
    for step in _STEPS[state]:
        assert await move(tx, task, step, KieTaskId(f"kie-{task.id}"), at), f"{task.id} did not go to {step}"


async def move(tx: Transaction, task: Task, to: TaskState, kie: KieTaskId, at: datetime = NOW) -> bool:
    """Ask the store for one move; whether it was made."""
    match to:
        case TaskState.RESERVED:
            return await tx.tasks.requeue(task.id)
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
    """Query the database itself, without the store."""
    return execute(file, query, values)


def upgrade(database: Path | str, version: str) -> None:
    """Create a database of an earlier version, by its file or URL."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with change(f"sqlite:///{database}" if isinstance(database, Path) else database) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


@contextmanager
def change(url: str) -> Generator[Any, None, None]:
    engine = kind_of(url).create_sync(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
