"""Rules and server settings as they are now; the ledger records every change of them."""

from sqlalchemy import and_, bindparam, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Allowance, Credits, Period, Requester
from bot.domain.ids import ChannelId, GuildId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.store.clauses import in_constants, in_parameter
from bot.store.quota_tables import rules, servers

_C = rules.c
_SAME_SUBJECT = and_(
    _C.guild_id == bindparam("guild"), _C.scope == bindparam("of_scope"), _C.subject == bindparam("of_subject")
)
_RULE = select(_C.scope, _C.subject, _C.credits, _C.period)
_BY_SUBJECT = _RULE.where(_SAME_SUBJECT)
# One branch per scope, so that each is looked up by the primary key.
_FOR_REQUESTER = _RULE.where(
    or_(
        and_(_C.guild_id == bindparam("guild"), _C.scope == Scope.MEMBER, _C.subject == bindparam("user")),
        and_(_C.guild_id == bindparam("guild"), _C.scope == Scope.ROLE, in_parameter(_C.subject, "roles")),
        and_(_C.guild_id == bindparam("guild"), in_constants(_C.scope, (Scope.SERVER, Scope.POOL)), _C.subject == 0),
    )
)
_REMOVE = delete(rules).where(_SAME_SUBJECT)
_SETTINGS = select(servers).where(servers.c.guild_id == bindparam("guild"))
_REMOVE_SETTINGS = delete(servers).where(servers.c.guild_id == bindparam("guild"))


class RuleRepository:
    """Quota rules and settings of servers."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        # Read several times in each transaction that spends, and only changed through this object.
        self._pools: dict[GuildId, Rule | None] = {}
        self._settings: dict[GuildId, ServerSettings] = {}

    async def for_requester(self, requester: Requester) -> list[Rule]:
        """Every rule of the server that could apply to this member and their roles, without the pool."""
        guild_id = requester.account.guild_id
        values = {"guild": guild_id, "user": requester.account.user_id, "roles": sorted(requester.roles)}
        server_rules = [_rule(*row) for row in await self._connection.execute(_FOR_REQUESTER, values)]
        self._pools[guild_id] = next((rule for rule in server_rules if rule.scope is Scope.POOL), None)
        return [rule for rule in server_rules if rule.scope is not Scope.POOL]

    async def pool(self, guild_id: GuildId) -> Rule | None:
        """The rule for all members of a server together, or None."""
        if guild_id not in self._pools:
            self._pools[guild_id] = await self.get(guild_id, Scope.POOL)
        return self._pools[guild_id]

    async def get(self, guild_id: GuildId, scope: Scope, subject: int = 0) -> Rule | None:
        """A rule, or None."""
        rows = await self._connection.execute(_BY_SUBJECT, _key(guild_id, scope, subject))
        return next((_rule(*row) for row in rows), None)

    async def put(self, guild_id: GuildId, rule: Rule) -> None:
        """Store a rule, replacing an earlier one for the same subject."""
        await self.remove(guild_id, rule.scope, rule.subject)
        await self._connection.execute(
            insert(rules).values(
                guild_id=guild_id,
                scope=rule.scope,
                subject=rule.subject,
                credits=rule.allowance.credits,
                period=rule.allowance.period,
            )
        )

    async def remove(self, guild_id: GuildId, scope: Scope, subject: int = 0) -> bool:
        """Remove a rule; False when there was none."""
        self._pools.pop(guild_id, None)
        result = await self._connection.execute(_REMOVE, _key(guild_id, scope, subject))
        return result.rowcount > 0

    async def settings(self, guild_id: GuildId) -> ServerSettings:
        """A server's settings, or the defaults."""
        if guild_id not in self._settings:
            self._settings[guild_id] = await self._read_settings(guild_id)
        return self._settings[guild_id]

    async def _read_settings(self, guild_id: GuildId) -> ServerSettings:
        result = await self._connection.execute(_SETTINGS, {"guild": guild_id})
        row = result.mappings().one_or_none()
        if row is None:
            return ServerSettings()
        return ServerSettings(
            zone=row["zone"],
            manager_role=row["manager_role_id"],
            manager_limit=row["manager_limit"],
            requests_channel=row["requests_channel_id"],
            reports_channel=row["reports_channel_id"],
            channels=frozenset(ChannelId(channel_id) for channel_id in row["channels"]),
            replies=row["replies"],
        )

    async def put_settings(self, guild_id: GuildId, settings: ServerSettings) -> None:
        """Store a server's settings, replacing the earlier ones."""
        self._settings.pop(guild_id, None)
        await self._connection.execute(_REMOVE_SETTINGS, {"guild": guild_id})
        await self._connection.execute(
            insert(servers).values(
                guild_id=guild_id,
                zone=settings.zone,
                manager_role_id=settings.manager_role,
                manager_limit=settings.manager_limit,
                requests_channel_id=settings.requests_channel,
                reports_channel_id=settings.reports_channel,
                channels=sorted(settings.channels),
                replies=settings.replies,
            )
        )


def _key(guild_id: GuildId, scope: Scope, subject: int) -> dict[str, object]:
    return {"guild": guild_id, "of_scope": scope, "of_subject": subject}


def _rule(scope: Scope, subject: int, amount: Credits | None, period: Period) -> Rule:
    return Rule(scope, subject, Allowance(amount, period))
