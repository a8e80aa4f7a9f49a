"""Members' preferences: a row for each member who has chosen something."""

from typing import Final

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ids import UserId
from bot.domain.preferences import Preferences
from bot.store.tables import preferences

_P = preferences.c
_CHOSEN: Final = (_P.model, _P.aspect_ratio, _P.resolution, _P.count, _P.private, _P.ping, _P.confirm_above)
_OF_MEMBER = select(*_CHOSEN).where(_P.user_id == bindparam("member"))
_DELETE = delete(preferences).where(_P.user_id == bindparam("member"))


class PreferencesRepository:
    """Reads and replaces what a member has chosen."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, user: UserId) -> Preferences:
        """What the member has chosen; the bot's defaults for everything else."""
        row = (await self._connection.execute(_OF_MEMBER, {"member": user})).mappings().one_or_none()
        return Preferences() if row is None else Preferences(**row)

    async def put(self, user: UserId, chosen: Preferences) -> None:
        """Replace what the member has chosen; nothing is stored of one who has chosen nothing."""
        await self._connection.execute(_DELETE, {"member": user})
        if chosen != Preferences():
            values = {column.name: getattr(chosen, column.name) for column in _CHOSEN}
            await self._connection.execute(insert(preferences).values(user_id=user, **values))
