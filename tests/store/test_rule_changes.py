"""Rules change while tasks run: nothing goes unpaid, no balance is negative, and no credits come back twice."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.credits import Account, Allowance, Credits, Period, Requester
from bot.domain.errors import NotEnoughCredits
from bot.domain.generation import Generation
from bot.domain.ids import UserId
from bot.domain.rules import Rule, Scope
from bot.domain.settings import Model, Settings
from bot.domain.states import TaskState
from bot.quota.service import Change
from bot.store.store import Store
from tests.factories import ALICE, NOW, limits_of, make_request
from tests.store.services import ServiceFixture, open_services
from tests.store.stored import bring, rows

CHANGE = Change(ALICE.guild_id, UserId(9), "because")
DAY = timedelta(days=1)
FAILED, DELIVERED, RUNNING = TaskState.FAILED, TaskState.DELIVERED, TaskState.RUNNING
RESERVED, OVERDUE = TaskState.RESERVED, TaskState.OVERDUE


@dataclass(frozen=True)
class Scenario:
    """A server in which members have 50 credits a day; pro images cost 5 and flex images 14."""

    store: Store
    services: ServiceFixture

    async def request(self, count: int, model: Model = Model.PRO, account: Account = ALICE) -> Generation:
        request = make_request(account=account, settings=Settings(model), count=count)
        accepted = await self.services.generations.accept(request)
        async with self.store.read() as tx:
            generation = await tx.generations.get(accepted)
        assert generation is not None
        return generation

    async def end(self, generation: Generation, *states: TaskState) -> None:
        """Bring each task of the generation to its own state."""
        async with self.store.write() as tx:
            for task, state in zip(generation.tasks, states, strict=True):
                await bring(tx, task, state, self.services.clock.now())

    async def cancel(self, generation: Generation) -> None:
        await self.services.generations.cancel(generation.id, ALICE.user_id)

    async def limit(self, amount: int | None, period: Period = Period.DAY, scope: Scope = Scope.SERVER) -> None:
        subject = ALICE.user_id if scope is Scope.MEMBER else 0
        allowance = Allowance(None if amount is None else Credits(amount), period)
        await self.services.quotas.put_rule(CHANGE, Rule(scope, subject, allowance))

    async def grant(self, amount: int) -> None:
        await self.services.quotas.grant(CHANGE, ALICE.user_id, Credits(amount))

    async def reset(self) -> None:
        await self.services.quotas.reset(CHANGE, ALICE.user_id)

    async def balance(self, account: Account = ALICE) -> tuple[Credits, Credits, Credits | None]:
        """What is spent of the allowance, left of the bonus, and left of both."""
        balance = (await self.services.quotas.overview(Requester(account))).standing.balance
        return balance.spent, balance.bonus, balance.left

    async def pool(self) -> tuple[Credits, Credits | None]:
        """What is spent and left of the server's pool."""
        (state,) = (await self.services.quotas.overview(Requester(ALICE))).caps
        return state.spent, state.left


@pytest.fixture
async def scenario(store: Store, tmp_path: Path) -> AsyncGenerator[Scenario, None]:
    limits = limits_of(Allowance(Credits(50), Period.DAY))
    async with open_services(store, tmp_path, open_limit=100, limits=limits) as services:
        yield Scenario(store, services)


async def test_an_allowance_lowered_below_what_is_spent_leaves_nothing_and_owes_nothing(scenario: Scenario) -> None:
    generation = await scenario.request(4)
    await scenario.limit(12)
    assert await scenario.balance() == (20, 0, 0)
    with pytest.raises(NotEnoughCredits) as caught:
        await scenario.request(1)
    assert (caught.value.left, caught.value.allowance, caught.value.affordable) == (0, 12, ())
    # After one refund it is still overspent; after another something is left, never more than the rule gives.
    await scenario.end(generation, FAILED, DELIVERED, RUNNING, RESERVED)
    assert await scenario.balance() == (15, 0, 0)
    await scenario.cancel(generation)
    assert await scenario.balance() == (10, 0, 2)


async def test_a_running_task_keeps_its_price_whatever_the_rules_say_later(scenario: Scenario, file: Path) -> None:
    generation = await scenario.request(2)
    await scenario.limit(0, scope=Scope.MEMBER)
    await scenario.limit(0, scope=Scope.POOL)
    await scenario.end(generation, DELIVERED, DELIVERED)
    assert rows(file, "SELECT count(*) FROM ledger WHERE movement = 'settle'") == [(2,)]
    assert await scenario.balance() == (10, 0, 0)
    assert await scenario.pool() == (10, 0)


async def test_refunds_go_back_to_what_paid(scenario: Scenario) -> None:
    """Three images at 14, with an allowance of 12: the first is paid by 12 and a bonus of 2, the others by bonus."""
    await scenario.limit(12)
    await scenario.grant(40)
    generation = await scenario.request(3, Model.FLEX)
    assert await scenario.balance() == (12, 10, 10)
    await scenario.limit(0)
    await scenario.end(generation, RESERVED, FAILED, DELIVERED)
    assert await scenario.balance() == (12, 24, 24)
    await scenario.cancel(generation)
    assert await scenario.balance() == (0, 26, 26)


async def test_a_refund_after_a_reset_gives_nothing_twice(scenario: Scenario) -> None:
    await scenario.grant(6)
    generation = await scenario.request(4, Model.FLEX)
    assert await scenario.balance() == (50, 0, 0)
    for _ in range(2):
        await scenario.reset()
    assert await scenario.balance() == (0, 0, 50)
    await scenario.end(generation, FAILED, OVERDUE, DELIVERED, FAILED)
    # The bonus that paid for the last image is the member's again; the allowance had been given back by the reset.
    assert await scenario.balance() == (0, 6, 56)
    await scenario.cancel(await scenario.request(2))
    assert await scenario.balance() == (0, 6, 56)


async def test_a_reset_is_for_one_member_and_does_not_refill_the_pool(scenario: Scenario) -> None:
    other = replace(ALICE, user_id=UserId(102))
    await scenario.limit(100, scope=Scope.POOL)
    await scenario.request(4)
    await scenario.request(1, account=other)
    await scenario.reset()
    assert (await scenario.balance(), await scenario.balance(other)) == ((0, 0, 50), (5, 0, 45))
    assert await scenario.pool() == (25, 75)


async def test_the_pool_counts_what_a_bonus_paid_and_its_refunds_on_the_day_of_the_reservation(
    scenario: Scenario,
) -> None:
    await scenario.limit(0)
    await scenario.limit(100, scope=Scope.POOL)
    await scenario.grant(100)
    generation = await scenario.request(4)
    assert await scenario.pool() == (20, 80)
    await scenario.end(generation, *[FAILED] * 3, RESERVED)
    assert await scenario.pool() == (5, 95)
    scenario.services.clock.moment = NOW + DAY
    await scenario.cancel(generation)
    assert await scenario.pool() == (0, 100)
