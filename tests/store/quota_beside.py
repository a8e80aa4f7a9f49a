"""A real store and books kept beside it, and what must hold of the two after every command."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count as counting
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from bot.domain.credits import Account, Allowance, Movement, Requester
from bot.domain.ids import GenerationId, GuildId, RoleId, TaskId, UserId
from bot.domain.rules import CapState, Rule, Scope, ServerSettings
from bot.domain.states import TaskState
from bot.quota.policy import MemberQuota, QuotaLimits
from bot.quota.service import Change
from bot.store.store import Store
from tests.store.books import Books, turn
from tests.store.desk import Desk, open_desk, settle_settings
from tests.store.quota_world import (
    ACCOUNTS,
    ADMIN,
    BERLIN,
    PLACES,
    SERVERS,
    STARTS,
    operators,
    some_roles,
    some_rules,
)

T = TypeVar("T")
Entry = tuple[str, int, int, int, int, int | None]
"""A row of the ledger: movement, member, server, thousandths of credits and of bonus, task."""


@dataclass
class World:
    """A database that the runs share, one after another, the loop that it lives in, and what happened."""

    runner: asyncio.Runner
    store: Store
    file: sqlite3.Connection
    folder: Path
    every: int
    """After how many steps all balances are asked for."""
    told: Counter[str] = field(default_factory=Counter[str])

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def ledger(self) -> list[tuple[Any, ...]]:
        return self.file.execute("SELECT * FROM ledger ORDER BY id").fetchall()

    def wipe(self) -> None:
        with self.file:
            for table in ("ledger", "tasks", "generations", "rules", "servers"):
                self.file.execute(f"DELETE FROM {table}")


class Beside(RuleBasedStateMachine):
    """Who commands something tells the books and says what the ledger should gain; the rest is compared."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.stack = AsyncExitStack()
        self.roles: dict[Account, frozenset[RoleId]] = {}
        self.settings = {server: ServerSettings() for server in SERVERS}
        self.generations: dict[TaskId, GenerationId] = {}
        self.kie_ids = counting(1)
        self.steps = -1
        self.rows: list[tuple[Any, ...]] = []
        self.expected: list[Entry] = []

    @initialize(
        limits=operators, start=st.sampled_from(STARTS), german=st.booleans(), rules=some_rules, roles=some_roles
    )
    def begin(
        self,
        limits: QuotaLimits,
        start: datetime,
        german: bool,
        rules: list[tuple[GuildId, tuple[Scope, int], Allowance]],
        roles: dict[Account, frozenset[RoleId]],
    ) -> None:
        self.world.wipe()
        self.books = Books(limits)
        desk = open_desk(self.world.store, self.world.folder, open_limit=1 << 30, limits=limits)
        self.desk: Desk = self.world.run(self.stack.enter_async_context(desk))
        self.desk.clock.moment = start
        self.roles = roles
        for given in rules:
            self.set_rule(*given)
        if german:
            self.move_server(SERVERS[0], BERLIN)

    def teardown(self) -> None:
        self.world.run(self.stack.aclose())

    @property
    def now(self) -> datetime:
        return self.desk.clock.moment

    def asker(self, account: Account) -> Requester:
        return Requester(account, self.roles.get(account, frozenset()))

    def set_rule(self, server: GuildId, subject: tuple[Scope, int], allowance: Allowance) -> None:
        self.world.run(self.desk.quotas.put_rule(change_in(server), Rule(*subject, allowance)))
        self.books.rules[server, *subject] = allowance
        self.expect_note(Movement.RULE, server, subject)

    def move_server(self, server: GuildId, zone: str) -> None:
        """A server to another time zone."""
        self.world.run(settle_settings(self.desk.quotas, change_in(server), ServerSettings(zone=zone)))
        if self.books.zones.get(server, "UTC") != zone:
            self.expect_note(Movement.RULE, server, (Scope.SERVER, 0))
        self.books.zones[server] = zone

    @invariant()
    def the_ledger_grows_by_what_was_commanded(self) -> None:
        before, self.rows = self.rows, self.world.ledger()
        assert self.rows[: len(before)] == before, "a row changed or vanished"
        names = [column[1] for column in self.world.file.execute("PRAGMA table_info(ledger)")]
        fresh = [dict(zip(names, row, strict=True)) for row in self.rows[len(before) :]]
        kept = ("movement", "user_id", "guild_id", "credits", "bonus", "task_id")
        expected, self.expected = self.expected, []
        assert Counter(tuple(row[name] for name in kept) for row in fresh) == Counter(expected)

    @invariant()
    def sums_are_those_of_the_books(self) -> None:
        sums = {
            (user, guild): (credits_, bonus)
            for user, guild, credits_, bonus in self.world.file.execute(
                "SELECT user_id, guild_id, sum(credits), sum(bonus) FROM ledger WHERE user_id <> 0 GROUP BY 1, 2"
            )
        }
        for account in ACCOUNTS:
            paid = sum(one.price for one in self.books.bought.values() if one.account == account and not one.back)
            total, bonus = sums.get((account.user_id, account.guild_id), (0, 0))
            assert total == 1000 * (self.books.granted.get(account, 0) - paid)
            assert bonus == 1000 * self.books.bonus(account) >= 0

    @invariant()
    def balances_are_those_of_the_books(self) -> None:
        self.steps += 1
        self.world.told["steps"] += 1
        if self.steps % self.world.every == 0:
            self.compare_balances()

    def compare_balances(self) -> None:
        standings, caps = self.world.run(self.everything())
        for account, standing in zip(ACCOUNTS, standings, strict=True):
            self.agrees(account, standing)
        for place, states in zip(PLACES, caps, strict=True):
            found = {state.cap: (state.allowance.credits, state.left, state.renews_at) for state in states}
            assert found == self.books.caps(place, self.now)

    def agrees(self, account: Account, standing: MemberQuota) -> None:
        candidates = self.books.candidates(self.asker(account))
        assert standing.rule in candidates
        balance, allowance = standing.balance, standing.rule.allowance
        assert balance.allowance == allowance
        assert balance.spent == self.books.spent(account, allowance.period, self.now) >= 0
        assert balance.bonus == self.books.bonus(account) >= 0
        left = self.books.left(account, allowance, self.now)
        assert balance.left_of_allowance == left
        assert balance.left == (None if left is None else left + balance.bonus)
        assert balance.renews_at == turn(allowance.period, self.now, self.books.zone(account.guild_id))

    @invariant()
    def money_moves_once(self) -> None:
        ends = dict(
            self.world.file.execute(
                "SELECT task_id, group_concat(movement, ' ') FROM (SELECT * FROM ledger ORDER BY id) "
                "WHERE task_id IS NOT NULL GROUP BY task_id"
            )
        )
        for one in self.books.bought.values():
            paid = one.state is TaskState.DELIVERED and not one.back
            end = " refund" if one.back else " settle" if paid else ""
            assert ends[one.task] == f"reserve{end}{' late' if one.late_at else ''}"

    async def everything(self) -> tuple[list[MemberQuota], list[list[CapState]]]:
        async with self.world.store.read() as tx:
            standings = [await self.desk.policy.member_quota(tx, self.asker(account)) for account in ACCOUNTS]
            return standings, [await self.desk.policy.cap_states(tx, place) for place in PLACES]

    def standing(self, asker: Requester) -> MemberQuota:
        return self.world.run(self.desk.quotas.overview(asker)).quota

    def caps(self, place: GuildId) -> Sequence[CapState]:
        return self.world.run(self.desk.quotas.overview(Requester(Account(ADMIN, place)))).caps

    def expect(
        self, movement: Movement, account: Account, moved: Decimal, bonus: Decimal, task: TaskId | None = None
    ) -> None:
        self.world.told[movement.value] += 1
        entry = (movement.value, account.user_id, account.guild_id, int(moved * 1000), int(bonus * 1000), task)
        self.expected.append(entry)

    def expect_note(self, movement: Movement, server: GuildId, subject: tuple[Scope, int]) -> None:
        scope, number = subject
        whose = UserId(number) if scope is Scope.MEMBER else UserId(0)
        self.expect(movement, Account(whose, server), Decimal(0), Decimal(0))


def change_in(server: GuildId) -> Change:
    """What an admin did there."""
    return Change(server, ADMIN, "because")
