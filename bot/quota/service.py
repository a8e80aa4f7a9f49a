"""What quota managers can do in a server. Every change is an entry in the ledger, with who made it and why."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.domain.credits import Account, Allowance, Credits, Period, Requester, period_around
from bot.domain.errors import NeedsManageServer
from bot.domain.ids import GuildId, RoleId, UserId
from bot.domain.ledger import LedgerEntry, RuleRemoved, RuleSet, SettingsChanged
from bot.domain.rules import Cap, CapState, Rule, Scope, ServerSettings
from bot.quota.manager_limit import check_manager_limit
from bot.quota.policy import MemberQuota, QuotaPolicy
from bot.quota.spending_report import TOP_MEMBERS, SpendingReport, build_report, days_of, spending_csv
from bot.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

PAGE = 10
"""Ledger entries per page."""
_LAST_PAGE = 10_000
"""The older a page, the more entries are read to find it; a forged button can name any."""
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
    by_role: bool = False
    """The actor is a quota manager without Manage Server: they may only grant, within the server's manager limit."""


class QuotaService:
    """Callers check that the user may manage quotas, with :meth:`settings`.

    What raises limits is for Manage Server: with ``Change.by_role`` it raises NeedsManageServer.
    """

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

    async def default_allowance(self, guild_id: GuildId) -> Allowance:
        """What those members of a server get who have no limit of their own, nor by a role but @everyone."""
        newcomer = Requester(Account(_WHOLE_SERVER, guild_id), frozenset({RoleId(guild_id)}))
        async with self._store.read() as tx:
            return (await self._policy.member_quota(tx, newcomer)).rule.allowance

    async def put_rule(self, change: Change, rule: Rule) -> None:
        """Set a rule; it applies from the next request on. Open reservations keep their price."""
        _check_manages_server(change)
        async with self._store.write() as tx:
            await tx.rules.put(change.guild_id, rule)
            await tx.ledger.record_change(
                _account(change, rule.scope, rule.subject), change.actor, RuleSet(rule), self._now
            )
        log.info("rule set", guild=change.guild_id, scope=rule.scope.value)

    async def remove_rule(self, change: Change, scope: Scope, subject: int = 0) -> bool:
        """Remove a rule, so that the next broader one applies; False when there was none."""
        _check_manages_server(change)
        async with self._store.write() as tx:
            removed = await tx.rules.remove(change.guild_id, scope, subject)
            if removed:
                account, removal = _account(change, scope, subject), RuleRemoved(scope, subject)
                await tx.ledger.record_change(account, change.actor, removal, self._now)
        if removed:
            log.info("rule removed", guild=change.guild_id, scope=scope.value)
        return removed

    async def change_settings(self, change: Change, edit: Callable[[ServerSettings], ServerSettings]) -> ServerSettings:
        """Change a server's settings in one transaction."""
        guild_id = change.guild_id
        async with self._store.write() as tx:
            before = await tx.rules.settings(guild_id)
            after = edit(before)
            if after != before:
                _check_manages_server(change)
                await tx.rules.put_settings(guild_id, after)
                account = Account(_WHOLE_SERVER, guild_id)
                await tx.ledger.record_change(account, change.actor, _difference(before, after), self._now)
                log.info("server settings changed", guild=guild_id)
        return after

    async def grant(self, change: Change, member: UserId, amount: Credits) -> None:
        """Give a member bonus credits, which are used after the allowance and do not expire.

        With ``Change.by_role`` it raises GrantToOneself or ManagerLimitReached.
        """
        account = Account(member, change.guild_id)
        async with self._store.write() as tx:
            if change.by_role:
                await check_manager_limit(tx, account, change.actor, amount, self._now)
            await tx.ledger.grant(account, amount, change.actor, change.note, self._now)
        log.info("credits granted", guild=change.guild_id, credits=str(amount))

    async def reset(self, change: Change, member: UserId) -> None:
        """Start a member's period over. Open reservations stay, and refunding them does not give the credits twice."""
        _check_manages_server(change)
        async with self._store.write() as tx:
            await tx.ledger.reset(Account(member, change.guild_id), change.actor, change.note, self._now)
        log.info("allowance reset", guild=change.guild_id)

    async def report(self, guild_id: GuildId, period: Period) -> SpendingReport:
        """A server's spending in the current period, by its own time zone."""
        async with self._store.read() as tx:
            zone = (await tx.rules.settings(guild_id)).tzinfo
            span = period_around(period, self._now, zone)
            days = days_of(span, zone)
            sums = await tx.spending.by_day(guild_id, days)
            ranking = await tx.spending.ranking(guild_id, days, TOP_MEMBERS)
            caps = await self._policy.cap_states(tx, guild_id)
        pool = next((state for state in caps if state.cap is Cap.POOL), None)
        return build_report(sums, ranking, span, zone, pool)

    async def report_csv(self, guild_id: GuildId, report: SpendingReport, names: Mapping[UserId, str]) -> bytes:
        """The rows behind a report, which may have changed since; ``names`` appear in it."""
        days = days_of(report.span, report.zone)
        async with self._store.read() as tx, aclosing(tx.spending.rows(guild_id, days)) as parts:
            return await spending_csv(parts, names)

    async def log_page(self, guild_id: GuildId, member: UserId | None, page: int) -> LogPage:
        """A page of a server's ledger, or of one member's entries in it; page 0 is the newest, 10,000 the oldest."""
        async with self._store.read() as tx:
            offset = min(page, _LAST_PAGE) * PAGE
            entries: Sequence[LedgerEntry] = await tx.ledger.page(guild_id, member, offset, PAGE + 1)
        return LogPage(tuple(entries[:PAGE]), len(entries) > PAGE and page < _LAST_PAGE)

    @property
    def _now(self) -> datetime:
        return self._clock.now()


def _difference(before: ServerSettings, after: ServerSettings) -> SettingsChanged:
    """Without the channels on both sides, of which a server may have hundreds."""
    return SettingsChanged(
        replace(before, channels=before.channels - after.channels),
        replace(after, channels=after.channels - before.channels),
    )


def _check_manages_server(change: Change) -> None:
    if change.by_role:
        raise NeedsManageServer


def _account(change: Change, scope: Scope, subject: int) -> Account:
    return Account(UserId(subject) if scope is Scope.MEMBER else _WHOLE_SERVER, change.guild_id)
