"""DraftRepository: what the modals that are open somewhere are about."""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.generation import Draft, Origin, Source
from bot.domain.ids import DraftId
from bot.store.tables import drafts


class DraftRepository:
    """The drafts, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, draft: Draft, *, forget_before: datetime) -> None:
        """Keep a draft, and forget those that are too old to be sent."""
        await self._connection.execute(delete(drafts).where(drafts.c.created_at < forget_before))
        await self._connection.execute(
            insert(drafts).values(
                id=draft.id,
                user_id=draft.user_id,
                created_at=draft.created_at,
                channel_id=draft.origin.channel_id,
                message_id=draft.origin.message_id,
                sources=[{"url": one.url, "filename": one.filename, "size": one.size} for one in draft.sources],
            )
        )

    async def get(self, draft_id: DraftId) -> Draft | None:
        """A draft, or None when it was forgotten."""
        found = await self._connection.execute(select(drafts).where(drafts.c.id == draft_id))
        row = found.mappings().one_or_none()
        if row is None:
            return None
        return Draft(
            id=row["id"],
            user_id=row["user_id"],
            created_at=row["created_at"],
            origin=Origin(row["channel_id"], row["message_id"]),
            sources=tuple(Source(**one) for one in row["sources"]),
        )
