"""The operator's list of servers, by what they spend."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from bot.domain.credits import ZERO, Credits, Period, period_around
from bot.domain.ids import GuildId
from bot.domain.spending import ServerSpending
from bot.runtime import Runtime

PAGE = 8
"""Servers per page."""


@dataclass(frozen=True, slots=True)
class ServerPage:
    """Some of the servers, by spending, with how many images each of them got."""

    period: Period
    """By UTC, and not over yet."""
    number: int
    """From 0."""
    pages: int
    servers: tuple[tuple[ServerSpending, int], ...]
    count: int
    """Servers on all pages."""
    credits: Credits
    """Spent in all servers."""


class ServerList:
    """The servers that the bot is in, and those that it has left but that have spent something."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def page(self, period: Period, number: int, present: Collection[GuildId]) -> ServerPage:
        """A page, or the last one if there are fewer; ``present`` are the servers that the bot is in."""
        now = self._runtime.now
        span = period_around(period, now)
        async with self._runtime.store.read() as tx:
            # The present quarter of an hour is not over yet.
            servers = [
                replace(server, used_at=server.used_at and min(server.used_at, now))
                for server in await tx.server_spending.all(span)
            ]
            known = {server.guild_id for server in servers}
            servers += [ServerSpending(guild, ZERO, None) for guild in present if guild not in known]
            servers.sort(key=lambda server: (-server.credits, server.guild_id))
            pages = max(-(-len(servers) // PAGE), 1)
            number = min(number, pages - 1)
            shown = servers[number * PAGE :][:PAGE]
            images = await tx.server_spending.images([server.guild_id for server in shown], span)
        return ServerPage(
            period=period,
            number=number,
            pages=pages,
            servers=tuple((server, images.get(server.guild_id, 0)) for server in shown),
            count=len(servers),
            credits=sum((server.credits for server in servers), ZERO),
        )
