"""What the store tells about a server's spending."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.credits import Account, Credits, Period, Span, period_around
from bot.domain.ids import DIRECT_MESSAGES, GuildId, KieTaskId
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.spending import Outcome, PriceClass, SpendingRow
from bot.domain.states import Failure, TaskState
from bot.quota.spending_report import days_of
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import bring, keep, move

PRO = PriceClass(Model.PRO, Resolution.ONE_K)
WEEK = period_around(Period.WEEK, NOW)
TODAY = NOW.date()


async def rows(
    store: Store, span: Span = WEEK, zone: ZoneInfo | None = None, guild: GuildId = ALICE.guild_id
) -> list[SpendingRow]:
    async with store.read() as tx:
        return list(await tx.spending.rows(guild, days_of(span, zone or UTC)))


async def spend(
    store: Store,
    *states: TaskState,
    account: Account = ALICE,
    at: datetime = NOW,
    settings: Settings | None = None,
    ended_at: datetime | None = None,
) -> None:
    """One generation with a task for each state."""
    request = make_request(account=account, settings=settings or Settings())
    reserved = [TaskState.RESERVED] * len(states)
    generation = await keep(store, make_generation(states=reserved, request=request, created_at=at))
    async with store.write() as tx:
        for task, state in zip(generation.tasks, states, strict=True):
            await bring(tx, task, state, ended_at or at)


def row(outcome: Outcome, images: int, credits_: int, failure: Failure | None = None) -> SpendingRow:
    return SpendingRow(TODAY, ALICE.user_id, PRO, outcome, failure, images, Credits(credits_))


async def test_nothing_is_nothing(store: Store) -> None:
    assert await rows(store) == []
    async with store.read() as tx:
        assert await tx.spending.rows(ALICE.guild_id, ()) == ()


async def test_every_task_is_told_once_with_what_it_cost(store: Store) -> None:
    await spend(store, TaskState.DELIVERED, TaskState.DELIVERED, TaskState.RUNNING, TaskState.READY)
    await spend(store, TaskState.DELIVERED, TaskState.FAILED)
    await spend(store, TaskState.CANCELLED)
    await spend(store, TaskState.OVERDUE)
    assert await rows(store) == [
        row(Outcome.AT_WORK, 2, 10),
        row(Outcome.CANCELLED, 1, 0),
        row(Outcome.DELIVERED, 3, 15),
        row(Outcome.FAILED, 1, 0, Failure.BROKEN),
        row(Outcome.FAILED, 1, 0, Failure.TOO_SLOW),
    ]


async def test_a_late_image_is_delivered_for_nothing(store: Store) -> None:
    generation = await keep(store, make_generation())
    (task,) = generation.tasks
    async with store.write() as tx:
        await bring(tx, task, TaskState.OVERDUE)
        for state in (TaskState.READY, TaskState.DELIVERED):
            assert await move(tx, task, state, KieTaskId("late"))
    assert await rows(store) == [row(Outcome.DELIVERED, 1, 0)]


async def test_members_models_and_sizes_are_told_apart(store: Store) -> None:
    flex = Settings(Model.FLEX, resolution=Resolution.TWO_K)
    await spend(store, TaskState.DELIVERED)
    await spend(store, TaskState.DELIVERED, account=BOB, settings=flex)
    found = [(one.user_id, one.price_class, one.credits) for one in await rows(store)]
    assert found == [
        (ALICE.user_id, PRO, 5),
        (BOB.user_id, PriceClass(Model.FLEX, Resolution.TWO_K), 24),
    ]


async def test_other_servers_and_times_are_left_out(store: Store) -> None:
    for guild in (GuildId(901), DIRECT_MESSAGES):
        await spend(store, TaskState.DELIVERED, account=replace(ALICE, guild_id=guild))
    await spend(store, TaskState.DELIVERED, at=WEEK.start - timedelta(microseconds=1))
    await spend(store, TaskState.DELIVERED, at=WEEK.end)
    assert await rows(store) == []
    assert len(await rows(store, guild=GuildId(901))) == 1


async def test_a_refund_stands_on_the_day_of_its_reservation(store: Store) -> None:
    await spend(store, TaskState.FAILED, TaskState.DELIVERED, at=NOW - timedelta(days=2), ended_at=NOW)
    found = await rows(store)
    assert {one.day for one in found} == {(NOW - timedelta(days=2)).date()}
    assert sum(one.credits for one in found) == 5


async def test_days_are_those_of_the_zone(store: Store) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # The 26th has 25 hours there: it begins at 22:00 UTC and ends at 23:00.
    for at in ("2025-10-25T21:59", "2025-10-25T22:00", "2025-10-26T22:59", "2025-10-26T23:00"):
        await spend(store, TaskState.DELIVERED, at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    month = period_around(Period.MONTH, NOW, berlin)
    found = {one.day.day: one.images for one in await rows(store, month, berlin)}
    assert found == {25: 1, 26: 2, 27: 1}


async def test_a_single_day_can_be_asked_for(store: Store) -> None:
    await spend(store, TaskState.DELIVERED)
    await spend(store, TaskState.DELIVERED, at=NOW - timedelta(days=1))
    assert await rows(store, period_around(Period.DAY, NOW)) == [row(Outcome.DELIVERED, 1, 5)]


async def test_grants_and_resets_are_no_spending(store: Store) -> None:
    await spend(store, TaskState.DELIVERED)
    async with store.write() as tx:
        await tx.ledger.grant(ALICE, Credits(100), BOB.user_id, "for the contest", NOW)
        await tx.ledger.reset(ALICE, BOB.user_id, "", NOW)
    assert await rows(store) == [row(Outcome.DELIVERED, 1, 5)]
