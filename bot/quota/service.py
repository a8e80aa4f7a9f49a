"""What those who manage a server's quotas may do. Every change stands in the ledger, with who and why."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot.domain.credits import Account, Credits, LedgerEntry, Period, Requester, period_around
from bot.domain.ids import GuildId, UserId
from bot.domain.rules import Cap, CapState, Rule, Scope, ServerSettings
from bot.quota.policy import MemberQuota, QuotaPolicy
from bot.quota.spending_report import SpendingReport, build_report, days_of
from bot.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

PAGE = 10
"""Entries of the ledger on a page."""
_LAST_PAGE = 1_000_000
"""A forged button can name any page; the database counts no further than 63 bits."""
_WHOLE_SERVER = UserId(0)


@dataclass(frozen=True, slots=True)
class Overview:
    """What ``/quota show`` tells."""

    standing: MemberQuota
    caps: tuple[CapState, ...]


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of the ledger, newest first."""

    entries: tuple[LedgerEntry, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something in which server, and what it is in words, as the ledger will tell it."""

    guild_id: GuildId
    actor: UserId
    note: str


class QuotaService:
    """The admins' desk. Whether somebody may use it is checked by whoever calls, with :meth:`settings`."""

    def __init__(self, runtime: Runtime, policy: QuotaPolicy) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._policy = policy

    async def settings(self, guild_id: GuildId) -> ServerSettings:
        """A server's settings."""
        async with self._store.read() as tx:
            return await tx.rules.settings(guild_id)

    async def overview(self, asker: Requester) -> Overview:
        """A member's rule and balance, and the limits over all members."""
        async with self._store.read() as tx:
            standing = await self._policy.standing(tx, asker)
            return Overview(standing, tuple(await self._policy.caps(tx, asker.account.guild_id)))

    async def put_rule(self, change: Change, rule: Rule) -> None:
        """Set a rule; it holds from the next wish on. What is reserved stays reserved and is paid as agreed."""
        async with self._store.write() as tx:
            await tx.rules.put(change.guild_id, rule)
            await tx.ledger.record_change(_whom(change, rule.scope, rule.subject), change.actor, change.note, self._now)
        log.info("rule set", guild=change.guild_id, scope=rule.scope.value)

    async def remove_rule(self, change: Change, scope: Scope, subject: int = 0) -> bool:
        """Remove a rule; whether there was one. The next nearest applies from then on."""
        async with self._store.write() as tx:
            removed = await tx.rules.remove(change.guild_id, scope, subject)
            if removed:
                await tx.ledger.record_change(_whom(change, scope, subject), change.actor, change.note, self._now)
        return removed

    async def change_settings(
        self,
        guild_id: GuildId,
        actor: UserId,
        change: Callable[[ServerSettings], ServerSettings],
        words: Callable[[ServerSettings, ServerSettings], str],
    ) -> ServerSettings:
        """Change a server's settings from what they are at that moment; ``words`` tell the ledger what was changed."""
        async with self._store.write() as tx:
            before = await tx.rules.settings(guild_id)
            after = change(before)
            if after != before:
                await tx.rules.put_settings(guild_id, after)
                await tx.ledger.record_change(Account(_WHOLE_SERVER, guild_id), actor, words(before, after), self._now)
        return after

    async def grant(self, change: Change, member: UserId, amount: Credits) -> None:
        """Give a member bonus credits, which are used after the allowance and do not expire."""
        async with self._store.write() as tx:
            await tx.ledger.grant(Account(member, change.guild_id), amount, change.actor, change.note, self._now)
        log.info("credits granted", guild=change.guild_id, credits=str(amount))

    async def reset(self, change: Change, member: UserId) -> None:
        """Let a member's period start anew. Reservations that are open stay, and their refunds give nothing twice."""
        async with self._store.write() as tx:
            await tx.ledger.reset(Account(member, change.guild_id), change.actor, change.note, self._now)
        log.info("account reset", guild=change.guild_id)

    async def report(self, guild_id: GuildId, period: Period) -> SpendingReport:
        """Where a server's credits went in the present period, by its own time zone."""
        async with self._store.read() as tx:
            zone = (await tx.rules.settings(guild_id)).tzinfo
            span = period_around(period, self._now, zone)
            days = days_of(span, zone)
            rows = await tx.spending.rows(guild_id, days)
            caps = await self._policy.caps(tx, guild_id)
        pool = next((state for state in caps if state.cap is Cap.POOL), None)
        # A busy server's month has thousands of rows.
        return await asyncio.to_thread(build_report, rows, span, zone, pool)

    async def log_page(self, guild_id: GuildId, member: UserId | None, page: int) -> LogPage:
        """A page of a server's ledger, 0 being the newest, perhaps of one member alone."""
        async with self._store.read() as tx:
            offset = min(page, _LAST_PAGE) * PAGE
            entries: Sequence[LedgerEntry] = await tx.ledger.page(guild_id, member, offset, PAGE + 1)
        return LogPage(tuple(entries[:PAGE]), len(entries) > PAGE)

    @property
    def _now(self) -> datetime:
        return self._clock.now()


def _whom(change: Change, scope: Scope, subject: int) -> Account:
    return Account(UserId(subject) if scope is Scope.MEMBER else _WHOLE_SERVER, change.guild_id)
