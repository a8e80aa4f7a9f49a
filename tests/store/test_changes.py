"""Rules change while tasks run: nothing becomes unpaid, no balance negative, and no credits come back twice."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.credits import Account, Allowance, Balance, Credits, Period, Requester
from bot.domain.errors import NotEnoughCredits
from bot.domain.generation import Generation
from bot.domain.ids import RoleId, UserId
from bot.domain.rules import CapState, Rule, Scope, ServerSettings
from bot.domain.settings import Model, Settings
from bot.domain.states import TaskState
from bot.quota.service import Change
from bot.store.store import Store
from tests.factories import ALICE, NOW, limits_of, make_request
from tests.store.desk import Desk, open_desk, settle_settings
from tests.store.stored import bring, rows

CHANGE = Change(ALICE.guild_id, UserId(9), "because")
FIFTY = Allowance(Credits(50), Period.DAY)


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncGenerator[Desk, None]:
    """Fifty credits a day."""
    async with open_desk(store, tmp_path, open_limit=100, limits=limits_of(FIFTY)) as one:
        yield one


async def wish(
    store: Store, desk: Desk, count: int, *, flex: bool = False, roles: frozenset[RoleId] | None = None
) -> Generation:
    settings = Settings(Model.FLEX if flex else Model.PRO)
    asker = Requester(ALICE, roles or frozenset())
    accepted = await desk.generations.accept(make_request(requester=asker, settings=settings, count=count))
    async with store.read() as tx:
        generation = await tx.generations.get(accepted)
    assert generation is not None
    return generation


async def end(store: Store, desk: Desk, generation: Generation, *states: TaskState) -> None:
    """Each task of the generation in its own way."""
    async with store.write() as tx:
        for task, state in zip(generation.tasks, states, strict=True):
            await bring(tx, task, state, desk.clock.now())


async def balance(desk: Desk, account: Account = ALICE) -> Balance:
    return (await desk.quotas.overview(Requester(account))).quota.balance


async def limit(desk: Desk, amount: int | None, period: Period = Period.DAY, scope: Scope = Scope.SERVER) -> None:
    subject = ALICE.user_id if scope is Scope.MEMBER else 0
    allowance = Allowance(None if amount is None else Credits(amount), period)
    await desk.quotas.put_rule(CHANGE, Rule(scope, subject, allowance))


async def pool(desk: Desk) -> CapState:
    (state,) = (await desk.quotas.overview(Requester(ALICE))).caps
    return state


async def test_an_allowance_lowered_below_what_is_spent_leaves_nothing_and_owes_nothing(
    store: Store, desk: Desk
) -> None:
    generation = await wish(store, desk, 4)
    await limit(desk, 12)
    assert ((await balance(desk)).spent, (await balance(desk)).left) == (20, 0)
    with pytest.raises(NotEnoughCredits) as caught:
        await wish(store, desk, 1)
    assert (caught.value.left, caught.value.allowance, caught.value.affordable) == (0, 12, ())
    # One comes back: still overspent. Another: now there is something left, and never more than the rule gives.
    await end(store, desk, generation, TaskState.FAILED, TaskState.DELIVERED, TaskState.RUNNING, TaskState.RESERVED)
    assert (await balance(desk)).left == 0
    await desk.generations.cancel(generation.id, ALICE.user_id)
    assert ((await balance(desk)).spent, (await balance(desk)).left) == (10, 2)


async def test_what_runs_is_paid_as_agreed_whatever_the_rules_say_since(store: Store, desk: Desk, file: Path) -> None:
    generation = await wish(store, desk, 2)
    await limit(desk, 0, scope=Scope.MEMBER)
    await limit(desk, 0, scope=Scope.POOL)
    await end(store, desk, generation, TaskState.DELIVERED, TaskState.DELIVERED)
    assert rows(file, "SELECT count(*) FROM ledger WHERE movement = 'settle'") == [(2,)]
    assert ((await balance(desk)).spent, (await balance(desk)).left) == (10, 0)
    state = await pool(desk)
    assert (state.spent, state.left) == (10, 0)


async def test_a_rule_that_is_raised_or_cleared_holds_at_once(store: Store, desk: Desk) -> None:
    await limit(desk, 5)
    await wish(store, desk, 1)
    await limit(desk, None)
    assert (await balance(desk)).left is None
    await wish(store, desk, 4, flex=True)
    assert await desk.quotas.remove_rule(CHANGE, Scope.SERVER)
    assert not await desk.quotas.remove_rule(CHANGE, Scope.SERVER)
    # What was spent without limit counts against the limit that there is again.
    assert ((await balance(desk)).spent, (await balance(desk)).left) == (61, 0)


async def test_a_longer_period_counts_what_was_spent_earlier_in_it(store: Store, desk: Desk) -> None:
    await wish(store, desk, 2)
    desk.clock.moment = NOW + timedelta(days=1)
    assert (await balance(desk)).spent == 0
    await limit(desk, 30, Period.WEEK)
    assert ((await balance(desk)).spent, (await balance(desk)).left) == (10, 20)


async def test_a_role_that_is_lost_takes_its_allowance_with_it(store: Store, desk: Desk) -> None:
    await desk.quotas.put_rule(CHANGE, Rule(Scope.ROLE, 7, Allowance(Credits(500), Period.DAY)))
    await wish(store, desk, 4, flex=True, roles=frozenset({RoleId(7)}))
    with pytest.raises(NotEnoughCredits):
        await wish(store, desk, 1)
    await wish(store, desk, 1, roles=frozenset({RoleId(7)}))


async def test_refunds_go_back_to_the_pot_that_paid(store: Store, desk: Desk) -> None:
    """Three at 14: 12 of the allowance are left, so the first takes 12 and 2, the others the bonus alone."""
    await limit(desk, 12)
    await desk.quotas.grant(CHANGE, ALICE.user_id, Credits(40))
    generation = await wish(store, desk, 3, flex=True)
    assert ((await balance(desk)).spent, (await balance(desk)).bonus) == (12, 10)
    # What is left of the bonus stays, whatever becomes of the allowance.
    await limit(desk, 0)
    await end(store, desk, generation, TaskState.RESERVED, TaskState.FAILED, TaskState.DELIVERED)
    assert ((await balance(desk)).spent, (await balance(desk)).bonus) == (12, 24)
    await desk.generations.cancel(generation.id, ALICE.user_id)
    assert ((await balance(desk)).spent, (await balance(desk)).bonus) == (0, 26)
    assert (await balance(desk)).left == 26


async def test_a_bonus_comes_back_in_a_later_period_too(store: Store, desk: Desk) -> None:
    await limit(desk, 0)
    await desk.quotas.grant(CHANGE, ALICE.user_id, Credits(10))
    generation = await wish(store, desk, 2)
    assert (await balance(desk)).left == 0
    desk.clock.moment = NOW + timedelta(days=400)
    await end(store, desk, generation, TaskState.OVERDUE, TaskState.DELIVERED)
    assert ((await balance(desk)).spent, (await balance(desk)).bonus) == (0, 5)


async def test_a_reset_gives_the_period_anew_and_keeps_the_bonus(store: Store, desk: Desk) -> None:
    await desk.quotas.grant(CHANGE, ALICE.user_id, Credits(5))
    await wish(store, desk, 4, flex=False)
    await wish(store, desk, 2, flex=True)
    await desk.quotas.reset(CHANGE, ALICE.user_id)
    assert ((await balance(desk)).spent, (await balance(desk)).bonus, (await balance(desk)).left) == (0, 5, 55)


async def test_a_refund_after_a_reset_gives_nothing_twice(store: Store, desk: Desk) -> None:
    await desk.quotas.grant(CHANGE, ALICE.user_id, Credits(6))
    generation = await wish(store, desk, 4, flex=True)
    assert ((await balance(desk)).spent, (await balance(desk)).bonus) == (50, 0)
    await desk.quotas.reset(CHANGE, ALICE.user_id)
    await end(store, desk, generation, TaskState.FAILED, TaskState.OVERDUE, TaskState.DELIVERED, TaskState.FAILED)
    # The bonus that paid for the last one is the member's again; of the allowance there was no more to give.
    assert ((await balance(desk)).spent, (await balance(desk)).bonus, (await balance(desk)).left) == (0, 6, 56)
    later = await wish(store, desk, 2)
    await desk.generations.cancel(later.id, ALICE.user_id)
    assert ((await balance(desk)).spent, (await balance(desk)).left) == (0, 56)


async def test_resets_upon_resets(store: Store, desk: Desk) -> None:
    first = await wish(store, desk, 2)
    await desk.quotas.reset(CHANGE, ALICE.user_id)
    second = await wish(store, desk, 2)
    await desk.quotas.reset(CHANGE, ALICE.user_id)
    await desk.quotas.reset(CHANGE, ALICE.user_id)
    await wish(store, desk, 1)
    for generation in (first, second):
        await end(store, desk, generation, TaskState.FAILED, TaskState.CANCELLED)
    assert (await balance(desk)).spent == 5


async def test_a_reset_is_the_members_alone_and_does_not_refill_the_pool(store: Store, desk: Desk) -> None:
    await limit(desk, 100, scope=Scope.POOL)
    await wish(store, desk, 4)
    other = replace(ALICE, user_id=UserId(102))
    await desk.generations.accept(make_request(account=other))
    await desk.quotas.reset(CHANGE, ALICE.user_id)
    assert (await balance(desk)).spent == 0
    assert (await balance(desk, other)).spent == 5
    assert (await pool(desk)).left == 75


async def test_the_pool_gets_back_what_was_paid_by_bonus_in_the_period_of_the_reservation(
    store: Store, desk: Desk
) -> None:
    await limit(desk, 0)
    await limit(desk, 100, scope=Scope.POOL)
    await desk.quotas.grant(CHANGE, ALICE.user_id, Credits(100))
    today = await wish(store, desk, 4)
    assert (await pool(desk)).spent == 20
    await end(store, desk, today, *[TaskState.FAILED] * 3, TaskState.RESERVED)
    assert (await pool(desk)).spent == 5
    desk.clock.moment = NOW + timedelta(days=1)
    await desk.generations.cancel(today.id, ALICE.user_id)
    state = await pool(desk)
    assert (state.spent, state.left) == (0, 100)


async def test_another_time_zone_moves_the_edge_of_the_day_and_loses_nothing(store: Store, desk: Desk) -> None:
    """Half past twelve by UTC: in Berlin the same day, in Kiritimati one that began at ten."""
    desk.clock.moment = NOW - timedelta(hours=4)
    await wish(store, desk, 1)
    desk.clock.moment = NOW
    await wish(store, desk, 2)
    await settle_settings(desk.quotas, CHANGE, ServerSettings(zone="Pacific/Kiritimati"))
    assert (await balance(desk)).spent == 10
    await settle_settings(desk.quotas, CHANGE, ServerSettings(zone="Europe/Berlin"))
    assert (await balance(desk)).spent == 15
