"""Rules and servers' settings: what holds now. How it came to that stands in the ledger."""

from collections.abc import Iterable

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Allowance, Asker
from bot.domain.ids import ChannelId, GuildId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.store.tables import rules, servers


class Rules:
    """Rules and settings, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def concerning(self, asker: Asker) -> list[Rule]:
        """Every rule of the server that could apply to a member with these roles."""
        subjects = {Scope.MEMBER: [asker.account.user_id], Scope.ROLE: [*asker.roles], Scope.SERVER: [0]}
        found: list[Rule] = []
        for scope, wanted in subjects.items():
            found += await self._find(asker.account.guild_id, scope, wanted)
        return found

    async def get(self, guild_id: GuildId, scope: Scope, subject: int = 0) -> Rule | None:
        """One rule, or None."""
        found = await self._find(guild_id, scope, [subject])
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
        result = await self._connection.execute(
            delete(rules).where(rules.c.guild_id == guild_id, rules.c.scope == scope, rules.c.subject == subject)
        )
        return result.rowcount > 0

    async def settings(self, guild_id: GuildId) -> ServerSettings:
        """A server's settings, or the usual ones."""
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

    async def _find(self, guild_id: GuildId, scope: Scope, subjects: Iterable[int]) -> list[Rule]:
        rows = await self._connection.execute(
            select(rules.c.subject, rules.c.credits, rules.c.period).where(
                rules.c.guild_id == guild_id, rules.c.scope == scope, rules.c.subject.in_(list(subjects))
            )
        )
        return [Rule(scope, subject, Allowance(amount, period)) for subject, amount, period in rows]
