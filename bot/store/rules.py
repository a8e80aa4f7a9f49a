"""Rules and servers' settings: what holds now. How it came to that stands in the ledger."""

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Allowance, Asker
from bot.domain.ids import ChannelId, GuildId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.store.tables import rules, servers


class Rules:
    """Rules and settings, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        # Asked for several times in the transactions that spend, and only changed through here.
        self._pools: dict[GuildId, Rule | None] = {}
        self._settings: dict[GuildId, ServerSettings] = {}

    async def concerning(self, asker: Asker) -> list[Rule]:
        """Every rule of the server that could apply to a member with these roles."""
        guild_id = asker.account.guild_id
        subjects = {
            Scope.MEMBER: [asker.account.user_id],
            Scope.ROLE: sorted(asker.roles),
            Scope.SERVER: [0],
            Scope.POOL: [0],
        }
        found = await self._find(guild_id, subjects)
        self._pools[guild_id] = next((rule for rule in found if rule.scope is Scope.POOL), None)
        return [rule for rule in found if rule.scope is not Scope.POOL]

    async def pool(self, guild_id: GuildId) -> Rule | None:
        """The rule of a server's pool, or None."""
        if guild_id not in self._pools:
            self._pools[guild_id] = await self.get(guild_id, Scope.POOL)
        return self._pools[guild_id]

    async def get(self, guild_id: GuildId, scope: Scope, subject: int = 0) -> Rule | None:
        """One rule, or None."""
        found = await self._find(guild_id, {scope: [subject]})
        return found[0] if found else None

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
        result = await self._connection.execute(
            delete(rules).where(rules.c.guild_id == guild_id, rules.c.scope == scope, rules.c.subject == subject)
        )
        return result.rowcount > 0

    async def settings(self, guild_id: GuildId) -> ServerSettings:
        """A server's settings, or the usual ones."""
        if guild_id not in self._settings:
            self._settings[guild_id] = await self._read_settings(guild_id)
        return self._settings[guild_id]

    async def _read_settings(self, guild_id: GuildId) -> ServerSettings:
        found = await self._connection.execute(select(servers).where(servers.c.guild_id == guild_id))
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
        await self._connection.execute(delete(servers).where(servers.c.guild_id == guild_id))
        await self._connection.execute(
            insert(servers).values(
                guild_id=guild_id,
                zone=settings.zone,
                manager_role_id=settings.manager_role,
                requests_channel_id=settings.requests_channel,
                channels=sorted(settings.channels),
            )
        )

    async def _find(self, guild_id: GuildId, subjects: Mapping[Scope, Sequence[int]]) -> list[Rule]:
        c = rules.c
        each = (
            and_(c.guild_id == guild_id, c.scope == scope, c.subject.in_(wanted)) for scope, wanted in subjects.items()
        )
        rows = await self._connection.execute(select(c.scope, c.subject, c.credits, c.period).where(or_(*each)))
        return [Rule(scope, subject, Allowance(amount, period)) for scope, subject, amount, period in rows]
