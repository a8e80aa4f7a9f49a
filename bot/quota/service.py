"""What quota managers can do in a server. Every change is an entry in the ledger, with who made it and why."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.domain.credits import Account, Credits, Period, Requester, period_around
from bot.domain.ids import GuildId, UserId
from bot.domain.ledger import LedgerEntry, RuleRemoved, RuleSet, SettingsChanged
from bot.domain.rules import Cap, CapState, Rule, Scope, ServerSettings
from bot.quota.policy import MemberQuota, QuotaPolicy
from bot.quota.spending_report import SpendingReport, build_report, days_of
from bot.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

PAGE = 10
"""Ledger entries per page."""
_LAST_PAGE = 1_000_000
"""A forged button can name any page; the database's integers have 63 bits."""
_WHOLE_SERVER = UserId(0)


@dataclass(frozen=True, slots=True)
class Overview:
    """What ``/quota show`` shows."""

    quota: MemberQuota
    caps: tuple[CapState, ...]


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of the ledger, newest first."""

    entries: tuple[LedgerEntry, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something in which server; ``note`` is their reason in their own words, kept with grants."""

    guild_id: GuildId
    actor: UserId
    note: str = ""


class QuotaService:
    """Callers check that the user may manage quotas, with :meth:`settings`."""

    def __init__(self, runtime: Runtime, policy: QuotaPolicy) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._policy = policy

    async def settings(self, guild_id: GuildId) -> ServerSettings:
        """A server's settings."""
        async with self._store.read() as tx:
            return await tx.rules.settings(guild_id)

    async def overview(self, member: Requester) -> Overview:
        """A member's quota, and the caps of their server."""
        async with self._store.read() as tx:
            quota = await self._policy.member_quota(tx, member)
            return Overview(quota, tuple(await self._policy.cap_states(tx, member.account.guild_id)))

    async def put_rule(self, change: Change, rule: Rule) -> None:
        """Set a rule; it applies from the next request on. Open reservations keep their price."""
        async with self._store.write() as tx:
            await tx.rules.put(change.guild_id, rule)
            await tx.ledger.record_change(
                _account(change, rule.scope, rule.subject), change.actor, RuleSet(rule), self._now
            )
        log.info("rule set", guild=change.guild_id, scope=rule.scope.value)

    async def remove_rule(self, change: Change, scope: Scope, subject: int = 0) -> bool:
        """Remove a rule, so that the next broader one applies; False when there was none."""
        async with self._store.write() as tx:
            removed = await tx.rules.remove(change.guild_id, scope, subject)
            if removed:
                account, removal = _account(change, scope, subject), RuleRemoved(scope, subject)
                await tx.ledger.record_change(account, change.actor, removal, self._now)
        return removed

    async def change_settings(
        self, guild_id: GuildId, actor: UserId, change: Callable[[ServerSettings], ServerSettings]
    ) -> ServerSettings:
        """Change a server's settings in one transaction."""
        async with self._store.write() as tx:
            before = await tx.rules.settings(guild_id)
            after = change(before)
            if after != before:
                await tx.rules.put_settings(guild_id, after)
                account = Account(_WHOLE_SERVER, guild_id)
                await tx.ledger.record_change(account, actor, _difference(before, after), self._now)
        return after

    async def grant(self, change: Change, member: UserId, amount: Credits) -> None:
        """Give a member bonus credits, which are used after the allowance and do not expire."""
        async with self._store.write() as tx:
            await tx.ledger.grant(Account(member, change.guild_id), amount, change.actor, change.note, self._now)
        log.info("credits granted", guild=change.guild_id, credits=str(amount))

    async def reset(self, change: Change, member: UserId) -> None:
        """Start a member's period over. Open reservations stay, and refunding them does not give the credits twice."""
        async with self._store.write() as tx:
            await tx.ledger.reset(Account(member, change.guild_id), change.actor, change.note, self._now)
        log.info("account reset", guild=change.guild_id)

    async def report(self, guild_id: GuildId, period: Period) -> SpendingReport:
        """A server's spending in the current period, by its own time zone."""
        async with self._store.read() as tx:
            zone = (await tx.rules.settings(guild_id)).tzinfo
            span = period_around(period, self._now, zone)
            days = days_of(span, zone)
            rows = await tx.spending.rows(guild_id, days)
            caps = await self._policy.cap_states(tx, guild_id)
        pool = next((state for state in caps if state.cap is Cap.POOL), None)
        # A busy server's month has thousands of rows.
        return await asyncio.to_thread(build_report, rows, span, zone, pool)

    async def log_page(self, guild_id: GuildId, member: UserId | None, page: int) -> LogPage:
        """A page of a server's ledger, or of one member's entries in it; page 0 is the newest."""
        async with self._store.read() as tx:
            offset = min(page, _LAST_PAGE) * PAGE
            entries: Sequence[LedgerEntry] = await tx.ledger.page(guild_id, member, offset, PAGE + 1)
        return LogPage(tuple(entries[:PAGE]), len(entries) > PAGE)

    @property
    def _now(self) -> datetime:
        return self._clock.now()


def _difference(before: ServerSettings, after: ServerSettings) -> SettingsChanged:
    """Without the channels on both sides, of which a server may have hundreds."""
    return SettingsChanged(
        replace(before, channels=before.channels - after.channels),
        replace(after, channels=after.channels - before.channels),
    )


def _account(change: Change, scope: Scope, subject: int) -> Account:
    return Account(UserId(subject) if scope is Scope.MEMBER else _WHOLE_SERVER, change.guild_id)
