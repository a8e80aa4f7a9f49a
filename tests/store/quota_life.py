"""A state machine of random commands over a real store, and books that are kept beside it."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule
from hypothesis.stateful import run_state_machine_as_test as run_as_test

from bot.domain.credits import Account, Allowance, Credits, Movement, Period, Requester
from bot.domain.errors import CapReached, NotEnoughCredits, TooLateToCancel
from bot.domain.generation import GenerationRequest
from bot.domain.ids import GenerationId, GuildId, KieTaskId, RoleId, TaskId, UserId
from bot.domain.settings import Settings
from bot.domain.states import MOVES, TaskState
from bot.store.store import Store
from tests.factories import make_request
from tests.store.books import Bought, Refusal, price_of, turn
from tests.store.quota_beside import Beside, World, change_in
from tests.store.quota_world import SERVERS, SUBJECTS, commands
from tests.store.stored import move


class QuotaLife(Beside):
    """Members of two servers wish, tasks end, admins rule, time goes on."""

    @rule(command=commands)
    def obey(self, command: tuple[str, tuple[object, ...]]) -> None:
        """One rule for all, since hypothesis would leave out half of many, and weigh none."""
        name, arguments = command
        getattr(self, name)(*arguments)

    # What members do.

    def wish_on_and_on(self, account: Account, wishes: list[tuple[Settings, int]]) -> None:
        for choice, count in wishes:
            self.wish(account, choice, count)

    def wish(self, account: Account, choice: Settings, count: int) -> None:
        asker, price = self.asker(account), price_of(choice)
        allowance = self.standing(asker).rule.allowance
        refusal = self.books.refusal(asker, price * count, self.now)
        outcome = self.world.run(self.outcome(make_request(requester=asker, settings=choice, count=count)))
        if isinstance(outcome, NotEnoughCredits | CapReached):
            assert refusal is not None, f"{outcome} although the books allow it"
            self.is_refused(asker, outcome, refusal, price * count)
            return
        self.world.told["accepted"] += 1
        assert refusal is None, f"accepted although {refusal}"
        tasks = self.world.run(self.tasks_of(outcome))
        assert len(tasks) == count
        self.books.buy(account, tasks, price, self.now, self.books.left(account, allowance, self.now))
        self.generations.update(dict.fromkeys(tasks, outcome))
        for task in tasks:
            by_bonus = self.books.bought[task].by_bonus
            self.world.told["paid by bonus"] += by_bonus > 0
            self.expect(Movement.RESERVE, account, -price, -by_bonus, task)
        wholly_by_bonus = all(self.books.bought[task].by_bonus == price for task in tasks)
        self.nothing_is_exceeded(asker, Allowance(None, Period.DAY) if wholly_by_bonus else allowance)

    async def outcome(self, request: GenerationRequest) -> GenerationId | NotEnoughCredits | CapReached:
        try:
            return await self.desk.generations.accept(request)
        except (NotEnoughCredits, CapReached) as error:
            return error

    def is_refused(
        self, asker: Requester, error: NotEnoughCredits | CapReached, refusal: Refusal, price: Decimal
    ) -> None:
        """For the reason that the books have, with offers that they would allow."""
        self.world.told[error.cap.value if isinstance(error, CapReached) else "refused"] += 1
        assert refusal.cap is (error.cap if isinstance(error, CapReached) else None)
        assert (error.left, error.price) == (refusal.left, price)
        if refusal.cap is not None or len(self.books.candidates(asker)) == 1:
            assert error.renews_at == refusal.renews_at
        for other in error.affordable:
            self.world.told["offered something else"] += 1
            assert other.price == price_of(other.settings) * other.count < price
            assert self.books.refusal(asker, other.price, self.now) is None, f"{other} is not affordable"

    async def tasks_of(self, generation_id: GenerationId) -> list[TaskId]:
        async with self.world.store.read() as tx:
            generation = await tx.generations.get(generation_id)
        assert generation is not None
        return [task.id for task in generation.tasks]

    def nothing_is_exceeded(self, asker: Requester, allowance: Allowance) -> None:
        """After an acceptance, by the store's own word."""
        balance = self.standing(asker).balance
        assert allowance.credits is None or balance.spent <= allowance.credits
        assert balance.bonus >= 0
        for state in self.caps(asker.account.guild_id):
            assert state.allowance.credits is not None
            assert state.spent <= state.allowance.credits, f"{state.cap} is exceeded"

    def take_back(self, which: int) -> None:
        unfinished = self.unfinished()
        if not unfinished:
            return
        one = unfinished[which % len(unfinished)]
        generation = self.generations[one.task]
        waiting = [
            other
            for other in unfinished
            if self.generations[other.task] == generation and other.state is TaskState.RESERVED
        ]
        try:
            self.world.run(self.desk.generations.cancel(generation, one.account.user_id))
        except TooLateToCancel:
            assert not waiting
        for other in waiting:
            self.follow(other, TaskState.CANCELLED)

    # What becomes of tasks.

    def lead(self, which: list[int], way: Sequence[TaskState], steps: int) -> None:
        """Some tasks along a way, perhaps not to its end."""
        unfinished = self.unfinished()
        if not unfinished:
            return
        for one in dict.fromkeys(unfinished[number % len(unfinished)] for number in which):
            for to in way[:steps]:
                if to in MOVES[one.state]:
                    self.attempt(one, to)

    def mislead(self, which: int, to: TaskState) -> None:
        """Any move, allowed or not."""
        known = list(self.books.bought.values())
        if known:
            self.attempt(known[which % len(known)], to)

    def attempt(self, one: Bought, to: TaskState) -> None:
        allowed = to in MOVES[one.state]
        assert self.world.run(self.made(one.task, to)) is allowed
        if allowed:
            self.follow(one, to)

    async def made(self, task_id: TaskId, to: TaskState) -> bool:
        async with self.world.store.write() as tx:
            task = await tx.tasks.get(task_id)
            return await move(tx, task, to, KieTaskId(f"kie-{next(self.kie_ids)}"), self.now)

    def follow(self, one: Bought, to: TaskState) -> None:
        self.world.told[to.value] += 1
        if self.books.led(one, to):
            self.expect(Movement.REFUND, one.account, one.price, one.by_bonus, one.task)
        elif to is TaskState.READY and one.back:
            one.late_at = self.now
            nobody = Account(UserId(0), one.account.guild_id)
            self.expect(Movement.LATE, nobody, -one.price, Decimal(0), one.task)
        elif to is TaskState.DELIVERED and not one.back:
            self.expect(Movement.SETTLE, one.account, Decimal(0), Decimal(0), one.task)
        elif to is TaskState.DELIVERED:
            self.world.told["delivered late"] += 1

    def unfinished(self) -> list[Bought]:
        return [one for one in self.books.bought.values() if MOVES[one.state]]

    # What admins do.

    def clear_rule(self, which: int) -> None:
        """One that there is, or one that there is not."""
        known = [*self.books.rules, (SERVERS[0], *SUBJECTS[which % len(SUBJECTS)])]
        server, scope, subject = known[which % len(known)]
        removed = self.world.run(self.desk.quotas.remove_rule(change_in(server), scope, subject))
        assert removed is (self.books.rules.pop((server, scope, subject), None) is not None)
        if removed:
            self.expect_note(Movement.RULE, server, (scope, subject))

    def grant(self, account: Account, amount: Credits) -> None:
        self.world.run(self.desk.quotas.grant(change_in(account.guild_id), account.user_id, amount))
        self.books.granted[account] = self.books.granted.get(account, Decimal(0)) + amount
        self.expect(Movement.GRANT, account, amount, amount)

    def reset(self, account: Account) -> None:
        self.world.run(self.desk.quotas.reset(change_in(account.guild_id), account.user_id))
        self.books.reset(account)
        self.expect(Movement.RESET, account, Decimal(0), Decimal(0))

    def change_roles(self, account: Account, roles: frozenset[RoleId]) -> None:
        self.roles[account] = roles

    # What time does.

    def later(self, by: timedelta) -> None:
        self.desk.clock.moment += by

    def to_the_edge(self, place: GuildId, period: Period, beside: timedelta) -> None:
        """To where a period of that place ends, or just beside it."""
        edge = turn(period, self.now, self.books.zone(place)) + beside
        self.desk.clock.moment = max(self.now, edge)


def live(folder: Path, *, examples: int, steps: int, every: int = 1) -> Counter[str]:
    """So many lives of so many steps, all balances looked at after every few of them; what happened in them."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        file = folder / "life.db"
        store = runner.run(stack.enter_async_context(Store.open(f"sqlite:///{file}")))
        connection = sqlite3.connect(file)
        world = World(runner, store, connection, folder, every)

        class LifeHere(QuotaLife):
            def __init__(self) -> None:
                super().__init__(world)

        try:
            run_as_test(
                LifeHere,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=steps,
                    deadline=None,
                    phases=set(Phase) - {Phase.explain},
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                ),
            )
        finally:
            connection.close()
            runner.run(stack.aclose())
    return world.told
