"""The ledger: what counts when, and that money moves once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.credits import Account, Credits, LedgerEntry, Movement, Period, Span, period_around
from bot.domain.generation import Generation, Task
from bot.domain.ids import DIRECT_MESSAGES, GuildId, UserId
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import TaskState
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import bring, keep

YESTERDAY = NOW - timedelta(days=1)


def day_of(moment: datetime) -> Span:
    return period_around(Period.DAY, moment)


async def spent(store: Store, account: Account, at: datetime) -> Credits:
    async with store.read() as tx:
        return await tx.ledger.spent(account, day_of(at))


async def test_nothing_spent_is_zero(store: Store) -> None:
    assert await spent(store, ALICE, NOW) == 0


async def test_a_refund_counts_for_the_day_of_its_reservation(store: Store) -> None:
    generation = await keep(store, make_generation(created_at=YESTERDAY))
    await keep(store, make_generation())
    async with store.write() as tx:
        await bring(tx, generation.tasks[0], TaskState.FAILED, NOW)
    assert await spent(store, ALICE, YESTERDAY) == 0
    assert await spent(store, ALICE, NOW) == Credits(5)


async def test_a_settlement_changes_no_balance(store: Store) -> None:
    generation = await keep(store, make_generation(created_at=YESTERDAY))
    async with store.write() as tx:
        await bring(tx, generation.tasks[0], TaskState.DELIVERED, NOW)
    assert await spent(store, ALICE, YESTERDAY) == Credits(5)
    assert await spent(store, ALICE, NOW) == 0


async def test_a_period_ends_before_the_next_begins(store: Store) -> None:
    midnight = day_of(NOW).end
    await keep(store, make_generation(created_at=midnight))
    await keep(store, make_generation(created_at=midnight - timedelta(microseconds=1)))
    assert await spent(store, ALICE, NOW) == Credits(5)
    assert await spent(store, ALICE, midnight) == Credits(5)


async def test_servers_and_direct_messages_are_accounts_of_their_own(store: Store) -> None:
    private = replace(ALICE, guild_id=DIRECT_MESSAGES)
    await keep(store, make_generation(request=make_request(account=private, settings=Settings(Model.FLEX))))
    assert await spent(store, private, NOW) == Credits(14)
    assert await spent(store, ALICE, NOW) == 0


@pytest.mark.parametrize("price", ["0.001", "0.1", "7", "24", "123456.789"])
async def test_credits_are_exact(store: Store, price: str) -> None:
    states = [TaskState.RESERVED] * 3
    await keep(store, make_generation(states=states, unit_price=Decimal(price)))
    assert await spent(store, ALICE, NOW) == Decimal(price) * 3


@pytest.mark.parametrize("ends", [["settle", "settle"], ["refund", "refund"], ["settle", "refund"]])
async def test_a_reservation_ends_once(store: Store, ends: Sequence[str]) -> None:
    task = (await keep(store, make_generation())).tasks[0]
    first, second = ends
    await _end(store, task, first)
    with pytest.raises(IntegrityError):
        await _end(store, task, second)


async def _end(store: Store, task: Task, movement: str) -> None:
    async with store.write() as tx:
        end = tx.ledger.settle if movement == "settle" else tx.ledger.refund
        await end([task.id], NOW)


async def test_a_task_is_reserved_once(store: Store) -> None:
    generation = await keep(store, make_generation())
    with pytest.raises(IntegrityError):
        async with store.write() as tx:
            await tx.ledger.reserve(ALICE, generation.id, {generation.tasks[0].id: Credits(0)}, Credits(5), NOW)
    assert await spent(store, ALICE, NOW) == Credits(5)


async def test_what_was_never_reserved_is_not_refunded(store: Store) -> None:
    generation = make_generation()
    async with store.write() as tx:
        await tx.generations.add(generation)
        await tx.ledger.refund([generation.tasks[0].id], NOW)
    assert await spent(store, ALICE, NOW) == 0


async def test_recent_movements_are_told_per_generation_and_kind_newest_first(store: Store) -> None:
    settings = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K)
    first = await keep(
        store,
        make_generation(states=[TaskState.RESERVED] * 4, request=make_request(settings=settings), created_at=YESTERDAY),
    )
    second = await keep(store, make_generation())
    async with store.write() as tx:
        await bring(tx, first.tasks[0], TaskState.FAILED, NOW)
        await bring(tx, second.tasks[0], TaskState.DELIVERED, NOW)
        await bring(tx, first.tasks[1], TaskState.FAILED, NOW + timedelta(seconds=1))
    async with store.read() as tx:
        entries = await tx.ledger.recent(ALICE, 10)
        newest = await tx.ledger.recent(ALICE, 1)
    assert [(entry.movement, entry.credits, entry.at) for entry in entries] == [
        (Movement.REFUND, Credits(48), NOW + timedelta(seconds=1)),
        (Movement.RESERVE, Credits(-5), NOW),
        (Movement.RESERVE, Credits(-96), YESTERDAY),
    ]
    assert [entry.settings for entry in entries] == [settings, Settings(), settings]
    assert newest == entries[:1]


async def test_recent_movements_are_the_accounts_own(store: Store) -> None:
    elsewhere = replace(ALICE, guild_id=DIRECT_MESSAGES)
    await keep(store, make_generation(request=make_request(account=elsewhere)))
    async with store.read() as tx:
        assert await tx.ledger.recent(ALICE, 10) == []
        assert len(await tx.ledger.recent(elsewhere, 10)) == 1


ADMIN = UserId(9)
EVERYBODY = Account(UserId(0), ALICE.guild_id)


async def tell_a_story(store: Store) -> None:
    """A wish of Alice's, of which one image fails, one of Bob's, and what an admin did in between."""
    mine = await keep(store, make_generation(states=[TaskState.RESERVED] * 2))
    await keep(store, make_generation(request=make_request(account=BOB)))
    elsewhere = replace(ALICE, guild_id=GuildId(901))
    await keep(store, make_generation(request=make_request(account=elsewhere)))
    async with store.write() as tx:
        await tx.ledger.grant(ALICE, Credits("12.5"), ADMIN, "won the contest", NOW)
        await tx.ledger.changed(EVERYBODY, ADMIN, "server: 50 a day", NOW)
        await bring(tx, mine.tasks[0], TaskState.DELIVERED)
        await bring(tx, mine.tasks[1], TaskState.FAILED)
        await tx.ledger.reset(ALICE, ADMIN, "a bad day", NOW)
        await tx.ledger.changed(ALICE, ADMIN, "member: 70 a week", NOW)
        await tx.ledger.grant(elsewhere, Credits(1), ADMIN, "not here", NOW)


Told = tuple[Movement, Decimal, UserId | None, UserId | None, str]


def told(entries: Sequence[LedgerEntry]) -> list[Told]:
    return [(one.movement, one.credits, one.user_id, one.actor_id, one.note) for one in entries]


A, B = ALICE.user_id, BOB.user_id
PAGE: list[Told] = [
    (Movement.RULE, Decimal(0), A, ADMIN, "member: 70 a week"),
    (Movement.RESET, Decimal(0), A, ADMIN, "a bad day"),
    (Movement.REFUND, Decimal(5), A, None, ""),
    (Movement.RULE, Decimal(0), None, ADMIN, "server: 50 a day"),
    (Movement.GRANT, Decimal("12.5"), A, ADMIN, "won the contest"),
    (Movement.RESERVE, Decimal(-5), B, None, ""),
    (Movement.RESERVE, Decimal(-5), A, None, ""),
    (Movement.RESERVE, Decimal(-5), A, None, ""),
]


async def test_a_servers_page_tells_everything_but_settlements_newest_first(store: Store) -> None:
    await tell_a_story(store)
    async with store.read() as tx:
        assert told(await tx.ledger.page(ALICE.guild_id, None, 0, 100)) == PAGE
        pages = [await tx.ledger.page(ALICE.guild_id, None, offset, 3) for offset in (0, 3, 6, 9)]
    assert [len(page) for page in pages] == [3, 3, 2, 0]
    assert told([entry for page in pages for entry in page]) == PAGE


async def test_a_members_page_leaves_out_others_and_the_server(store: Store) -> None:
    await tell_a_story(store)
    async with store.read() as tx:
        assert told(await tx.ledger.page(ALICE.guild_id, A, 0, 100)) == [one for one in PAGE if one[2] == A]
        assert told(await tx.ledger.page(ALICE.guild_id, B, 0, 100)) == [one for one in PAGE if one[2] == B]
        assert await tx.ledger.page(GuildId(902), None, 0, 100) == []


async def test_pictures_are_told_with_their_settings_and_the_rest_without(store: Store) -> None:
    await tell_a_story(store)
    async with store.read() as tx:
        entries = await tx.ledger.page(ALICE.guild_id, None, 0, 100)
    of_pictures = {Movement.RESERVE, Movement.REFUND}
    assert all((entry.settings == Settings()) is (entry.movement in of_pictures) for entry in entries)


async def test_a_members_last_movements_hold_grants_and_resets_and_no_rules(store: Store) -> None:
    await tell_a_story(store)
    async with store.read() as tx:
        recent = await tx.ledger.recent(ALICE, 10)
    assert [(entry.movement, entry.credits, entry.note) for entry in recent] == [
        (Movement.RESET, 0, "a bad day"),
        (Movement.REFUND, 5, ""),
        (Movement.GRANT, Decimal("12.5"), "won the contest"),
        (Movement.RESERVE, -10, ""),
    ]


async def test_grants_are_told_one_by_one(store: Store) -> None:
    async with store.write() as tx:
        for number in range(3):
            await tx.ledger.grant(ALICE, Credits(5), ADMIN, f"number {number}", NOW)
    async with store.read() as tx:
        assert [entry.note for entry in await tx.ledger.recent(ALICE, 10)] == ["number 2", "number 1", "number 0"]
        assert await tx.ledger.bonus(ALICE) == 15


async def test_what_all_spend_together_is_no_grant_and_holds_what_the_bonus_paid(store: Store) -> None:
    await tell_a_story(store)
    generation = make_generation(request=make_request(account=BOB))
    async with store.write() as tx:
        await tx.generations.add(generation)
        parts = {task.id: Credits(3) for task in generation.tasks}
        await tx.ledger.reserve(BOB, generation.id, parts, Credits(5), NOW)
    async with store.read() as tx:
        assert await tx.ledger.spent(BOB, day_of(NOW)) == 7
        assert await tx.ledger.spent_together(day_of(NOW), ALICE.guild_id) == 15
        assert await tx.ledger.spent_together(day_of(NOW)) == 20
        assert await tx.ledger.spent_together(day_of(YESTERDAY)) == 0


@pytest.fixture
async def generation(store: Store) -> Generation:
    return await keep(store, make_generation(states=[TaskState.RESERVED] * 2))


async def test_each_task_can_end_its_own_way(store: Store, generation: Generation) -> None:
    paid, refunded = generation.tasks
    await _end(store, paid, "settle")
    await _end(store, refunded, "refund")
    assert await spent(store, ALICE, NOW) == Credits(5)
