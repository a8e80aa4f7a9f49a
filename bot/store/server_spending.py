"""What each server has spent, for the operator's list of servers."""

from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import ZERO, Movement, Span
from bot.domain.ids import GuildId
from bot.domain.spending import ServerSpending
from bot.store.clauses import in_constants, in_parameter
from bot.store.quota_tables import ledger, ledger_totals
from bot.store.totals import quarter_end, quarters
from bot.store.types import Total

_T = ledger_totals.c
_OF_SERVERS = _T.total == literal(Total.SERVER, _T.total.type)
# One step in the primary key from server to server: neither database skips what it need not read by itself.
_FIRST = select(func.min(_T.guild_id).label("guild_id")).where(_OF_SERVERS).cte("guilds", recursive=True)
_GUILDS = _FIRST.union_all(
    select(select(func.min(_T.guild_id)).where(_OF_SERVERS, _T.guild_id > _FIRST.c.guild_id).scalar_subquery()).where(
        _FIRST.c.guild_id.is_not(None)
    )
)
_OF_GUILD = (_OF_SERVERS, _T.guild_id == _GUILDS.c.guild_id, _T.user_id == 0, _T.round == 0)
_SPENT = select(func.sum(_T.credits)).where(*_OF_GUILD, _T.quarter >= bindparam("start"), _T.quarter < bindparam("end"))
_LAST = select(func.max(_T.quarter)).where(*_OF_GUILD)
_BY_SERVER = select(_GUILDS.c.guild_id, _SPENT.scalar_subquery(), _LAST.scalar_subquery()).where(
    _GUILDS.c.guild_id.is_not(None)
)
_IMAGES = (
    select(ledger.c.guild_id, func.count())
    .where(
        in_parameter(ledger.c.guild_id, "guilds"),
        ledger.c.counts_at >= bindparam("start"),
        ledger.c.counts_at < bindparam("end"),
        in_constants(ledger.c.movement, (Movement.SETTLE, Movement.LATE)),
    )
    .group_by(ledger.c.guild_id)
)


class ServerSpendingRepository:
    """Sums over all servers; direct messages are the server 0."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self, span: Span) -> list[ServerSpending]:
        """Every server in which an image was ever requested, with what it spent in a span of whole quarters."""
        start, end = quarters(span)
        rows = await self._connection.execute(_BY_SERVER, {"start": start, "end": end})
        return [ServerSpending(guild, -(spent or ZERO), quarter_end(last)) for guild, spent, last in rows]

    async def images(self, guilds: Collection[GuildId], span: Span) -> Mapping[GuildId, int]:
        """How many images each of these servers got in the span; those without any are left out."""
        rows = await self._connection.execute(_IMAGES, {"guilds": guilds, "start": span.start, "end": span.end})
        return dict(rows.all())
