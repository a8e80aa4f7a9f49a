"""Requests for more credits. One may be open per member and server: a unique index holds that."""

from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credit_requests import CREDIT_REQUEST_LIFETIME, CreditRequest, CreditRequestState
from bot.domain.credits import Account
from bot.domain.ids import ChannelId, CreditRequestId, MessageId
from bot.store.tables import credit_requests as requests


class CreditRequestRepository:
    """The requests, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, request: CreditRequest) -> None:
        """Insert an open request."""
        await self._connection.execute(
            insert(requests).values(
                id=request.id,
                user_id=request.account.user_id,
                guild_id=request.account.guild_id,
                asked_at=request.asked_at,
                asked_in=request.asked_in,
                state=request.state,
            )
        )

    async def get(self, request_id: CreditRequestId) -> CreditRequest | None:
        """A request, or None."""
        found = await self._connection.execute(select(requests).where(requests.c.id == request_id))
        row = found.mappings().one_or_none()
        return None if row is None else _request(row)

    async def open_of(self, account: Account) -> CreditRequest | None:
        """The account's open request, expired or not."""
        found = await self._connection.execute(
            select(requests).where(
                requests.c.user_id == account.user_id,
                requests.c.guild_id == account.guild_id,
                requests.c.state == CreditRequestState.OPEN,
            )
        )
        row = found.mappings().one_or_none()
        return None if row is None else _request(row)

    async def posted(self, request_id: CreditRequestId, channel_id: ChannelId, message_id: MessageId) -> None:
        """Record the message with its buttons."""
        await self._connection.execute(
            update(requests).where(requests.c.id == request_id).values(channel_id=channel_id, message_id=message_id)
        )

    async def close(self, request_id: CreditRequestId, state: CreditRequestState, untold: str | None = None) -> bool:
        """Decide a request; False when it was decided before. ``untold`` is what its member is to be told."""
        result = await self._connection.execute(
            update(requests)
            .where(requests.c.id == request_id, requests.c.state == CreditRequestState.OPEN)
            .values(state=state, untold=untold)
        )
        return result.rowcount == 1

    async def untold(self) -> list[tuple[CreditRequest, str]]:
        """Decided requests whose members have not been told, with the words for them."""
        found = await self._connection.execute(
            select(requests).where(requests.c.untold.is_not(None)).order_by(requests.c.id)
        )
        return [(_request(row), row["untold"] or "") for row in found.mappings()]

    async def told(self, request_id: CreditRequestId) -> None:
        """The member knows what was decided, or cannot be reached."""
        await self._connection.execute(update(requests).where(requests.c.id == request_id).values(untold=None))

    async def expire(self, account: Account, now: datetime) -> None:
        """Close what is too old to be decided."""
        await self._connection.execute(
            update(requests)
            .where(
                requests.c.user_id == account.user_id,
                requests.c.guild_id == account.guild_id,
                requests.c.state == CreditRequestState.OPEN,
                requests.c.asked_at <= now - CREDIT_REQUEST_LIFETIME,
            )
            .values(state=CreditRequestState.EXPIRED)
        )


def _request(row: RowMapping) -> CreditRequest:
    return CreditRequest(
        id=row["id"],
        account=Account(row["user_id"], row["guild_id"]),
        asked_at=row["asked_at"],
        asked_in=row["asked_in"],
        state=row["state"],
        channel_id=row["channel_id"],
        message_id=row["message_id"],
    )
