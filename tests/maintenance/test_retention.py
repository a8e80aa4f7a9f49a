"""The nightly maintenance: each setting deletes what it says, a stopped one goes on, and errors stop nothing."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import fields, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.credit_requests import CreditRequest, CreditRequestState
from bot.domain.credits import Credits
from bot.domain.errors import StoreUnavailable
from bot.domain.generation import Draft, Origin
from bot.domain.ids import ChannelId, CreditRequestId, DraftId, MessageId, UserId, first_snowflake
from bot.domain.image_reports import Reporter
from bot.domain.states import TaskState
from bot.maintenance.retention import NightlyMaintenance, RetentionOptions
from bot.runtime import BackgroundTasks, Runtime
from bot.store.audit import audit
from bot.store.retention import RetentionRepository
from bot.store.store import Store
from tests.database import execute, fresh_database
from tests.factories import ALICE, BOB, NOW
from tests.store.services import SetClock
from tests.store.test_retention import image_of, made
from tests.waiting import until

OLD = NOW - timedelta(days=100)
KEPT = timedelta(days=90)
NOTHING = RetentionOptions(**{field.name: None for field in fields(RetentionOptions)})
EVERYTHING = RetentionOptions(**{field.name: KEPT for field in fields(RetentionOptions)})
TABLES = (
    "generations",
    "generation_references",
    "tasks",
    "images",
    "ledger",
    "credit_requests",
    "drafts",
    "uploads",
    "image_reporters",
)
NIGHT = NOW.date()
OLD_GENERATIONS = 60
"""More than are handled in one transaction."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store, None]:
    """With one of everything that is old, and one that is young."""
    async with Store.open(fresh_database(tmp_path)) as store:
        for at in (OLD, NOW):
            generation = await made(store, at, TaskState.DELIVERED)
            number = first_snowflake(at)
            async with store.write() as tx:
                await tx.images.add([image_of(generation)])
                await tx.image_reports.add(image_of(generation).id, ALICE.guild_id, ChannelId(1))
                await tx.image_reports.add_reporter(image_of(generation).id, Reporter(UserId(9), "why"), at)
                request = CreditRequest(CreditRequestId(number), ALICE, at, ChannelId(1))
                await tx.credit_requests.add(request)
                await tx.credit_requests.close(request.id, CreditRequestState.EXPIRED)
                await tx.drafts.add(Draft(DraftId(number), ALICE.user_id, at, Origin(ChannelId(1), MessageId(1)), ()))
                await tx.uploads.remember(f"{number}", "https://kie/a", at)
                await tx.ledger.grant(ALICE, Credits(1), UserId(9), "welcome", at)
        yield store


def maintenance(
    store: Store, options: RetentionOptions, clock: SetClock | None = None, **rest: Any
) -> NightlyMaintenance:
    runtime = Runtime(store, clock or SetClock(), BackgroundTasks("background", grace=0), count(1).__next__)
    return NightlyMaintenance(runtime, options, None, **rest)


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {table: sorted(execute(folder, f"SELECT * FROM {table}"), key=repr) for table in TABLES}


CHANGED = {
    "prompts": {"generations", "generation_references"},
    "images": {"images", "image_reporters"},
    "ledger": {"generations", "generation_references", "tasks", "images", "image_reporters", "ledger"},
    "credit_requests": {"credit_requests"},
    "drafts": {"drafts"},
    "uploads": {"uploads"},
    "reports": {"image_reporters"},
}


@pytest.mark.parametrize("name", [None, *CHANGED])
async def test_each_setting_deletes_what_it_says_and_nothing_else(
    store: Store, tmp_path: Path, name: str | None
) -> None:
    before = contents(tmp_path)
    await maintenance(store, replace(NOTHING, **({name: KEPT} if name else {}))).perform(NIGHT)
    after = contents(tmp_path)
    assert {table for table in TABLES if after[table] != before[table]} == (CHANGED[name] if name else set())
    for table, rows in after.items():
        deleted = [row for row in before[table] if row not in rows]
        assert len(deleted) == (0 if table not in CHANGED.get(name or "", ()) else 3 if table == "ledger" else 1)
    assert list(audit(fresh_database(tmp_path), NOW)) == []


class _Stopped(Exception):
    """Stands for a process that is killed."""


async def test_maintenance_that_was_stopped_goes_on_where_it_was(store: Store, tmp_path: Path) -> None:
    for _ in range(OLD_GENERATIONS):
        await made(store, OLD, TaskState.DELIVERED)
    stops = 0
    for stop_at in count(1):
        rests = count(1)

        async def rest(_seconds: float, stop_at: int = stop_at, rests: Any = rests) -> None:
            if next(rests) == min(stop_at, 3):
                raise _Stopped

        try:
            await maintenance(store, EVERYTHING, rest=rest).perform(NIGHT)
        except _Stopped:
            stops += 1
            assert list(audit(fresh_database(tmp_path), NOW)) == []
            continue
        break
    assert stops > 2
    assert execute(tmp_path, "SELECT count(*) FROM generations") == [(1,)]
    assert {len(rows) for table, rows in contents(tmp_path).items() if table != "ledger"} == {1}
    assert list(audit(fresh_database(tmp_path), NOW)) == []
    left = contents(tmp_path)
    await maintenance(store, EVERYTHING).perform(NIGHT)
    assert contents(tmp_path) == left


async def test_no_bonus_is_folded_that_is_older_than_its_grant(store: Store, tmp_path: Path) -> None:
    """Time passes in the night, and a grant may come while the request that it pays for is being accepted."""
    clock = SetClock()

    async def rest(_seconds: float) -> None:
        clock.moment += timedelta(hours=3)

    for later in (timedelta(seconds=-1), timedelta(hours=2)):
        at = NOW - KEPT + later
        async with store.write() as tx:
            await tx.ledger.grant(ALICE, Credits(1), UserId(9), "something to rest after", OLD)
            await tx.ledger.grant(BOB, Credits(5), UserId(9), "for this one", at + timedelta(seconds=2))
        await made(store, at, TaskState.DELIVERED, account=BOB, bonus=5)
        await maintenance(store, replace(NOTHING, ledger=KEPT), clock, rest=rest).perform(NIGHT)
        assert list(audit(fresh_database(tmp_path), NOW)) == []
        clock.moment = NOW


async def test_it_runs_once_a_night_and_an_error_is_logged_and_tried_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("_AFTER_START", "_LOOK_EVERY", "_AGAIN_AFTER", "_SPREAD"):
        monkeypatch.setattr(f"bot.maintenance.retention.{pause}", 0.001 if pause != "_SPREAD" else 1)
    errors: list[Exception] = [RuntimeError("a bug"), StoreUnavailable("locked")]
    original = RetentionRepository.delete_old_drafts

    async def failing(*arguments: Any) -> int:
        if errors:
            raise errors.pop(0)
        return await original(*arguments)

    monkeypatch.setattr(RetentionRepository, "delete_old_drafts", failing)
    with capture_logs() as logs:
        running = asyncio.create_task(maintenance(store, EVERYTHING).run())
        await until(lambda: any(entry["event"] == "nightly maintenance done" for entry in logs), what="the night")
        running.cancel()
    events = [entry["event"] for entry in logs]
    assert events == [
        "nightly maintenance failed",
        "nightly maintenance interrupted: database unavailable",
        "nightly maintenance done",
    ]
    assert logs[-1]["generations"] == 1
    assert execute(tmp_path, "SELECT value FROM facts WHERE key = 'maintenance.done'") == [(NIGHT.isoformat(),)]
