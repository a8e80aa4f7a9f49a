"""A state machine of random commands over a real store, and a model that the store must agree with."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count as counting
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_as_test

from bot.domain.credits import Account, Allowance, Period, Requester
from bot.domain.errors import CapReached, NotEnoughCredits, TooLateToCancel
from bot.domain.generation import Draft, Generation, GenerationRequest, Origin
from bot.domain.ids import ChannelId, DraftId, GenerationId, GuildId, KieTaskId, MessageId, RoleId, TaskId, UserId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.domain.settings import Settings
from bot.domain.states import MOVES, TaskState
from bot.generation.rewordings import PaidRewordings
from bot.quota.policy import QuotaLimits
from bot.quota.service import Change
from bot.store.audit import audit
from bot.store.store import Store
from tests.factories import make_request
from tests.fresh import put_fresh_database
from tests.store.quota_model import Purchase, QuotaModel, period_end, price_of
from tests.store.quota_strategies import ACCOUNTS, SERVERS, SUBJECTS, commands, first_rules, limits, roles, starts
from tests.store.services import open_services, replace_settings
from tests.store.stored import move

T = TypeVar("T")


class RolledBackError(Exception):
    """Ends a transaction that must leave nothing behind."""


class QuotaMachine(RuleBasedStateMachine):
    """Members of two servers request images, tasks end, admins change rules, and time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()
        self.runner = asyncio.Runner()
        self.folder = Path(self.stack.enter_context(TemporaryDirectory()))
        file = self.folder / "easel.db"
        put_fresh_database(file)
        self.store = self.open(Store.open(f"sqlite:///{file}"))
        self.file = self.stack.enter_context(closing(sqlite3.connect(file)))
        self.generations: dict[TaskId, GenerationId] = {}
        self.kie_ids = counting(1)
        self.ledger: list[tuple[Any, ...]] = []

    @initialize(limits=limits, start=starts, in_berlin=st.booleans(), rules=first_rules, roles=roles)
    def begin(
        self,
        limits: QuotaLimits,
        start: datetime,
        in_berlin: bool,
        rules: list[tuple[GuildId, tuple[Scope, int], Allowance]],
        roles: dict[Account, frozenset[RoleId]],
    ) -> None:
        self.model, self.roles = QuotaModel(limits), roles
        self.services = self.open(open_services(self.store, self.folder, open_limit=1 << 30, limits=limits))
        self.services.clock.moment = start
        for first_rule in rules:
            self.set_rule(*first_rule)
        if in_berlin:
            self.change_zone(SERVERS[0], "Europe/Berlin")

    def teardown(self) -> None:
        problems = list(audit(f"sqlite:///{self.folder / 'easel.db'}", self.now))
        self.run(self.stack.aclose())
        self.runner.close()
        assert problems == []

    @rule(command=commands)
    def execute(self, command: tuple[str, tuple[object, ...]]) -> None:
        """One rule for all commands: of several, hypothesis would leave out half in each run, and weigh none."""
        name, arguments = command
        getattr(self, name)(*arguments)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def open(self, context: AbstractAsyncContextManager[T]) -> T:
        return self.run(self.stack.enter_async_context(context))

    @property
    def now(self) -> datetime:
        return self.services.clock.moment

    def requester(self, account: Account) -> Requester:
        return Requester(account, self.roles.get(account, frozenset()))

    # What must hold after every step.

    @invariant()
    def the_ledger_only_grows_and_holds_what_the_model_expects(self) -> None:
        before, self.ledger = self.ledger, self.file.execute("SELECT * FROM ledger ORDER BY id").fetchall()
        assert self.ledger[: len(before)] == before
        entries = self.file.execute("SELECT movement, user_id, guild_id, credits, bonus, task_id FROM ledger")
        assert Counter(entries.fetchall()) == Counter(self.model.entries)

    @invariant()
    def tasks_are_in_the_states_of_the_model(self) -> None:
        expected = {(p.task, p.state.value, p.late_at is not None) for p in self.model.purchases.values()}
        assert set(self.file.execute("SELECT id, state, free FROM tasks")) == expected

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        for account in ACCOUNTS:
            requester = self.requester(account)
            overview = self.run(self.services.quotas.overview(requester))
            assert overview.quota in self.model.quotas(requester, self.now)
            assert list(overview.caps) == self.model.caps(account.guild_id, self.now)
            assert overview.quota.balance.bonus >= 0

    # What members do.

    def request(self, account: Account, images: list[tuple[Settings, int]]) -> None:
        for settings_, count in images:
            self.request_one(self.requester(account), settings_, count)

    def request_one(self, requester: Requester, settings_: Settings, count: int) -> None:
        price = price_of(settings_)
        left = self.run(self.services.quotas.overview(requester)).quota.balance.left_of_allowance
        expected = self.model.refusal(requester, price * count, self.now)
        outcome = self.run(self.accept(make_request(requester=requester, settings=settings_, count=count)))
        if isinstance(outcome, Generation):
            assert expected is None, f"accepted although {expected}"
            tasks = [task.id for task in outcome.tasks]
            self.model.buy(requester.account, tasks, price, self.now, left)
            self.generations |= dict.fromkeys(tasks, outcome.id)
            return
        cap = outcome.cap if isinstance(outcome, CapReached) else None
        assert (cap, outcome.left) == expected
        assert outcome.price == price * count
        for option in outcome.affordable:
            assert option.price == price_of(option.settings) * option.count < outcome.price
            assert self.model.refusal(requester, option.price, self.now) is None, f"{option} is not affordable"

    async def accept(self, request: GenerationRequest) -> Generation | NotEnoughCredits | CapReached:
        try:
            accepted = await self.services.generations.accept(request)
        except (NotEnoughCredits, CapReached) as error:
            return error
        async with self.store.read() as tx:
            generation = await tx.generations.get(accepted)
        assert generation is not None
        return generation

    def cancel(self, index: int) -> None:
        if not (unfinished := self.model.unfinished()):
            return
        chosen = unfinished[index % len(unfinished)]
        generation = self.generations[chosen.task]
        of_generation = [purchase for purchase in unfinished if self.generations[purchase.task] == generation]
        reserved = [purchase for purchase in of_generation if purchase.state is TaskState.RESERVED]
        try:
            self.run(self.services.generations.cancel(generation, chosen.account.user_id))
        except TooLateToCancel:
            assert not reserved
        for purchase in reserved:
            self.model.move(purchase, TaskState.CANCELLED, self.now)

    def reword(self, account: Account, image: tuple[Settings, int], price: Decimal) -> None:
        """Its member must be able to pay the images, too."""
        requester, (settings_, count) = self.requester(account), image
        left = self.run(self.services.quotas.overview(requester)).quota.balance.left_of_allowance
        expected = self.model.refusal(requester, price + price_of(settings_) * count, self.now)
        origin, number = Origin(ChannelId(1), MessageId(1)), DraftId(len(self.model.rewordings) + 1)
        draft = Draft(number, account.user_id, self.now, origin, ())
        request = make_request(requester=requester, settings=settings_, count=count)
        if expected is not None:
            with pytest.raises((NotEnoughCredits, CapReached)):
                self.run(self.rewordings(price).charge(draft, request))
            return
        self.run(self.rewordings(price).charge(draft, request))
        self.model.reword(account, price, self.now, left)

    def refund_rewording(self, index: int) -> None:
        """Once, however often it is tried."""
        if self.model.rewordings:
            place = index % len(self.model.rewordings)
            self.run(self.rewordings(Decimal(9)).refund(DraftId(place + 1)))
            if not self.model.rewordings[place].is_refunded:
                self.model.refund_rewording(self.model.rewordings[place])

    def rewordings(self, price: Decimal) -> PaidRewordings:
        return PaidRewordings(self.services.runtime, self.services.policy, price)

    # What becomes of tasks.

    def lead(self, indices: list[int], route: Sequence[TaskState], steps: int) -> None:
        """Some tasks along a route, perhaps not to its end."""
        if unfinished := self.model.unfinished():
            for purchase in dict.fromkeys(unfinished[index % len(unfinished)] for index in indices):
                for to in route[:steps]:
                    if to in MOVES[purchase.state]:
                        self.move(purchase, to)

    def try_move(self, index: int, to: TaskState) -> None:
        """Any move, allowed or not."""
        if purchases := list(self.model.purchases.values()):
            self.move(purchases[index % len(purchases)], to)

    def roll_back_move(self, index: int, to: TaskState) -> None:
        if purchases := list(self.model.purchases.values()):
            with pytest.raises(RolledBackError):
                self.run(self.move_stored(purchases[index % len(purchases)].task, to, roll_back=True))

    def move(self, purchase: Purchase, to: TaskState) -> None:
        allowed = to in MOVES[purchase.state]
        assert self.run(self.move_stored(purchase.task, to)) is allowed
        if allowed:
            self.model.move(purchase, to, self.now)

    async def move_stored(self, task_id: TaskId, to: TaskState, *, roll_back: bool = False) -> bool:
        async with self.store.write() as tx:
            task = await tx.tasks.get(task_id)
            moved = await move(tx, task, to, KieTaskId(f"kie-{next(self.kie_ids)}"), self.now)
            if roll_back:
                raise RolledBackError
        return moved

    # What admins do.

    def change_in(self, server: GuildId) -> Change:
        return Change(server, UserId(9), "because")

    def set_rule(self, server: GuildId, subject: tuple[Scope, int], allowance: Allowance) -> None:
        self.run(self.services.quotas.put_rule(self.change_in(server), Rule(*subject, allowance)))
        self.model.rules[server, *subject] = allowance
        self.model.change(server, *subject)

    def remove_rule(self, index: int) -> None:
        """A rule that there is, or one that there is not."""
        subjects = [*self.model.rules, (SERVERS[0], *SUBJECTS[index % len(SUBJECTS)])]
        server, scope, subject = subjects[index % len(subjects)]
        removed = self.run(self.services.quotas.remove_rule(self.change_in(server), scope, subject))
        assert removed is (self.model.rules.pop((server, scope, subject), None) is not None)
        if removed:
            self.model.change(server, scope, subject)

    def grant(self, account: Account, amount: Decimal) -> None:
        self.run(self.services.quotas.grant(self.change_in(account.guild_id), account.user_id, amount))
        self.model.grant(account, amount)

    def reset(self, account: Account) -> None:
        self.run(self.services.quotas.reset(self.change_in(account.guild_id), account.user_id))
        self.model.reset(account)

    def change_roles(self, account: Account, roles: frozenset[RoleId]) -> None:
        self.roles[account] = roles

    def change_zone(self, server: GuildId, zone: str) -> None:
        self.run(replace_settings(self.services.quotas, self.change_in(server), ServerSettings(zone=zone)))
        if self.model.zone(server) != zone:
            self.model.change(server, Scope.SERVER, 0)
        self.model.zones[server] = zone

    # What time does.

    def wait(self, duration: timedelta) -> None:
        self.services.clock.moment += duration

    def wait_for_period(self, server: GuildId, period: Period, beside: timedelta) -> None:
        """Until a period of that server ends, or just before or after."""
        end = period_end(period, self.now, self.model.zone(server))
        self.services.clock.moment = max(self.now, end + beside)


def run_machine(*, examples: int, steps: int) -> None:
    """Run so many examples of so many steps each."""
    options = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=set(Phase) - {Phase.explain},
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_as_test(QuotaMachine, settings=options)
