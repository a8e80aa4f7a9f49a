"""Which servers were greeted, so that each is once, whatever Discord announces and however many processes run."""

from datetime import datetime, timedelta
from typing import Final, final

from bot.domain.ids import GuildId
from bot.runtime import Runtime

_AGAIN_AFTER: Final = timedelta(days=1)


@final
class Greetings:
    """A greeting belongs to the moment at which the bot joined, which Discord tells with every server."""

    def __init__(self, runtime: Runtime) -> None:
        self._store = runtime.store

    async def claim(self, guild: GuildId, joined_at: datetime) -> bool:
        """Whether to greet a server now: never before, or the bot joined it again more than a day later."""
        async with self._store.write() as tx:
            greeted = await tx.greetings.joined_at(guild)
            if greeted is not None and joined_at <= greeted + _AGAIN_AFTER:
                return False
            await tx.greetings.put(guild, joined_at)
        return True
