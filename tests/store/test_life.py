"""Whatever happens to tasks, in whatever order: the ledger agrees with their states, and balances with the ledger."""

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as run_as_test

from bot.domain.credits import Account, Credits, Span
from bot.domain.generation import Task
from bot.domain.ids import GuildId, KieTaskId, TaskId, UserId
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.states import MOVES, REFUNDED, TaskState
from bot.store.store import Store
from tests.factories import NOW, make_generation, make_request
from tests.store.stored import keep, move, rows

T = TypeVar("T")

EVER = Span(datetime(2015, 1, 1, tzinfo=UTC), datetime(2080, 1, 1, tzinfo=UTC))
SINGLE_MOVES = sorted(set(TaskState) - {TaskState.CANCELLED})
CHOICES = [Settings(model, resolution=resolution) for model in Model for resolution in Resolution]

_members = counting(1)
_kie_ids = counting(1)


@dataclass(frozen=True)
class World:
    """A store that all runs share, each with members of its own, and the loop that it lives in."""

    runner: asyncio.Runner
    store: Store
    file: Path

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


@pytest.fixture
def world(file: Path, url: str) -> Generator[World, None, None]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = runner.run(stack.enter_async_context(Store.open(url)))
        yield World(runner, store, file)
        runner.run(stack.aclose())


class Life(RuleBasedStateMachine):
    """Two members wish, and every task is led, or misled, from state to state."""

    tasks: Bundle[TaskId] = Bundle("tasks")

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.accounts = [Account(UserId(next(_members)), GuildId(900)) for _ in range(2)]
        self.known: dict[TaskId, Task] = {}
        self.prices: dict[TaskId, Credits] = {}

    @rule(target=tasks, who=st.integers(0, 1), count=st.integers(1, 3), choice=st.sampled_from(CHOICES))
    def wish(self, who: int, count: int, choice: Settings) -> MultipleResults[TaskId]:
        request = make_request(account=self.accounts[who], settings=choice)
        generation = make_generation(states=[TaskState.RESERVED] * count, request=request)
        self.world.run(keep(self.world.store, generation))
        for task in generation.tasks:
            self.known[task.id] = task
            self.prices[task.id] = generation.unit_price
        return multiple(*(task.id for task in generation.tasks))

    @rule(task_id=tasks, choices=st.lists(st.integers(0, 1), min_size=1, max_size=5), days=st.integers(0, 40))
    def lead(self, task_id: TaskId, choices: list[int], days: int) -> None:
        """Some of the moves that go well, so that lives get long."""
        for choice in choices:
            onward = sorted(MOVES[self.known[task_id].state] - {TaskState.CANCELLED, TaskState.FAILED})
            if onward:
                self.attempt(task_id, onward[choice % len(onward)], days)

    @rule(task_id=tasks, to=st.sampled_from(SINGLE_MOVES), days=st.integers(0, 40))
    def mislead(self, task_id: TaskId, to: TaskState, days: int) -> None:
        """Any move, allowed or not."""
        self.attempt(task_id, to, days)

    def attempt(self, task_id: TaskId, to: TaskState, days: int) -> None:
        task = self.known[task_id]
        made = self.world.run(self._move(task, to, NOW + timedelta(days=days)))
        assert made is (to in MOVES[task.state])
        if made:
            late = task.state is TaskState.OVERDUE and to is TaskState.READY
            self.known[task_id] = replace(task, state=to, free=task.free or late)

    @rule(task_id=tasks, days=st.integers(0, 40))
    def take_back(self, task_id: TaskId, days: int) -> None:
        generation_id = self.known[task_id].generation_id

        async def cancel() -> list[TaskId]:
            async with self.world.store.write() as tx:
                return await tx.tasks.cancel(generation_id, NOW + timedelta(days=days))

        waiting = {
            task.id
            for task in self.known.values()
            if task.generation_id == generation_id and task.state is TaskState.RESERVED
        }
        assert set(self.world.run(cancel())) == waiting
        for one in waiting:
            self.known[one] = replace(self.known[one], state=TaskState.CANCELLED)

    async def _move(self, task: Task, to: TaskState, at: datetime) -> bool:
        async with self.world.store.write() as tx:
            return await move(tx, task, to, KieTaskId(f"kie-{next(_kie_ids)}"), at)

    @rule(task_id=tasks, to=st.sampled_from(TaskState))
    def move_and_regret(self, task_id: TaskId, to: TaskState) -> None:
        """A transaction that fails at its end has never been."""

        async def attempt() -> None:
            async with self.world.store.write() as tx:
                await move(tx, self.known[task_id], to, KieTaskId(f"kie-{next(_kie_ids)}"))
                raise _RegretError

        with pytest.raises(_RegretError):
            self.world.run(attempt())

    @invariant()
    def states_are_as_expected(self) -> None:
        found = rows(self.world.file, f"SELECT id, state, free FROM tasks WHERE {self._mine()}")
        assert sorted(found) == sorted((task.id, task.state.value, task.free) for task in self.known.values())

    @invariant()
    def money_moves_once(self) -> None:
        ledger = rows(self.world.file, f"SELECT task_id, movement FROM ledger WHERE {self._mine()}")
        for task in self.known.values():
            ends = [movement for task_id, movement in ledger if task_id == task.id and movement != "reserve"]
            assert ledger.count((task.id, "reserve")) == 1
            if task.free or task.state in REFUNDED:
                assert ends == ["refund"]
            else:
                assert ends == (["settle"] if task.state is TaskState.DELIVERED else [])

    @invariant()
    def balances_are_the_sum_of_the_ledger(self) -> None:
        for account in self.accounts:
            spent = self.world.run(self._spent(account))
            (total,) = rows(
                self.world.file, "SELECT coalesce(sum(credits), 0) FROM ledger WHERE user_id = ?", [account.user_id]
            )[0]
            assert spent * 1000 == -total
            charged = [
                self.prices[task.id]
                for task in self.known.values()
                if task.user_id == account.user_id and task.state not in REFUNDED and not task.free
            ]
            assert spent == sum(charged)

    async def _spent(self, account: Account) -> Credits:
        async with self.world.store.read() as tx:
            return await tx.ledger.spent(account, EVER)

    def _mine(self) -> str:
        return f"user_id IN ({', '.join(str(account.user_id) for account in self.accounts)})"


class _RegretError(Exception):
    pass


@pytest.mark.timeout(300)  # a failure is worth the time that making it small takes
def test_any_life_keeps_the_books_in_order(world: World) -> None:
    class LifeHere(Life):
        def __init__(self) -> None:
            super().__init__(world)

    run_as_test(
        LifeHere,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
