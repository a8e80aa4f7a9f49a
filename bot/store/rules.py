"""Rules and servers' settings: what holds now. How it came to that stands in the ledger."""

from sqlalchemy import and_, bindparam, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Allowance, Credits, Period, Requester
from bot.domain.ids import ChannelId, GuildId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.store.clauses import among, among_given
from bot.store.tables import rules, servers

_C = rules.c
_OF_SUBJECT = and_(
    _C.guild_id == bindparam("guild"), _C.scope == bindparam("of_scope"), _C.subject == bindparam("of_subject")
)
_RULE = select(_C.scope, _C.subject, _C.credits, _C.period)
_ONE = _RULE.where(_OF_SUBJECT)
# One branch for each key, so that each goes by the table's own.
_CONCERNING = _RULE.where(
    or_(
        and_(_C.guild_id == bindparam("guild"), _C.scope == Scope.MEMBER, _C.subject == bindparam("user")),
        and_(_C.guild_id == bindparam("guild"), _C.scope == Scope.ROLE, among_given(_C.subject, "roles")),
        and_(_C.guild_id == bindparam("guild"), among(_C.scope, (Scope.SERVER, Scope.POOL)), _C.subject == 0),
    )
)
_REMOVE = delete(rules).where(_OF_SUBJECT)
_SETTINGS = select(servers).where(servers.c.guild_id == bindparam("guild"))
_REMOVE_SETTINGS = delete(servers).where(servers.c.guild_id == bindparam("guild"))


class RuleRepository:
    """Rules and settings, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        # Asked for several times in the transactions that spend, and only changed through here.
        self._pools: dict[GuildId, Rule | None] = {}
        self._settings: dict[GuildId, ServerSettings] = {}

    async def concerning(self, asker: Requester) -> list[Rule]:
        """Every rule of the server that could apply to a member with these roles."""
        guild_id = asker.account.guild_id
        given = {"guild": guild_id, "user": asker.account.user_id, "roles": sorted(asker.roles)}
        found = [_rule(*row) for row in await self._connection.execute(_CONCERNING, given)]
        self._pools[guild_id] = next((rule for rule in found if rule.scope is Scope.POOL), None)
        return [rule for rule in found if rule.scope is not Scope.POOL]

    async def pool(self, guild_id: GuildId) -> Rule | None:
        """The rule of a server's pool, or None."""
        if guild_id not in self._pools:
            self._pools[guild_id] = await self.get(guild_id, Scope.POOL)
        return self._pools[guild_id]

    async def get(self, guild_id: GuildId, scope: Scope, subject: int = 0) -> Rule | None:
        """One rule, or None."""
        rows = await self._connection.execute(_ONE, _key(guild_id, scope, subject))
        return next((_rule(*row) for row in rows), None)

    async def put(self, guild_id: GuildId, rule: Rule) -> None:
        """Set a rule in place of an earlier one for the same subject."""
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
        """Remove a rule; whether there was one."""
        self._pools.pop(guild_id, None)
        result = await self._connection.execute(_REMOVE, _key(guild_id, scope, subject))
        return result.rowcount > 0

    async def settings(self, guild_id: GuildId) -> ServerSettings:
        """A server's settings, or the usual ones."""
        if guild_id not in self._settings:
            self._settings[guild_id] = await self._read_settings(guild_id)
        return self._settings[guild_id]

    async def _read_settings(self, guild_id: GuildId) -> ServerSettings:
        found = await self._connection.execute(_SETTINGS, {"guild": guild_id})
        row = found.mappings().one_or_none()
        if row is None:
            return ServerSettings()
        return ServerSettings(
            zone=row["zone"],
            manager_role=row["manager_role_id"],
            requests_channel=row["requests_channel_id"],
            channels=frozenset(ChannelId(one) for one in row["channels"]),
        )

    async def put_settings(self, guild_id: GuildId, settings: ServerSettings) -> None:
        """Set a server's settings."""
        self._settings.pop(guild_id, None)
        await self._connection.execute(_REMOVE_SETTINGS, {"guild": guild_id})
        await self._connection.execute(
            insert(servers).values(
                guild_id=guild_id,
                zone=settings.zone,
                manager_role_id=settings.manager_role,
                requests_channel_id=settings.requests_channel,
                channels=sorted(settings.channels),
            )
        )


def _key(guild_id: GuildId, scope: Scope, subject: int) -> dict[str, object]:
    return {"guild": guild_id, "of_scope": scope, "of_subject": subject}


def _rule(scope: Scope, subject: int, amount: Credits | None, period: Period) -> Rule:
    return Rule(scope, subject, Allowance(amount, period))
