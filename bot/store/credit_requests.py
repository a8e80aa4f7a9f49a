"""Requests for more credits. A unique index allows one open request per member and server."""

from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credit_requests import CREDIT_REQUEST_LIFETIME, CreditRequest, CreditRequestState
from bot.domain.credits import Account
from bot.domain.ids import ChannelId, CreditRequestId, MessageId
from bot.domain.ledger import Decision
from bot.store.clauses import readable
from bot.store.quota_tables import credit_requests as requests


class CreditRequestRepository:
    """Requests for more credits, and what their members have not been notified of."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, request: CreditRequest) -> None:
        """Insert an open request; raises IntegrityError when the account has one already."""
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
        """A request in any state, or None."""
        result = await self._connection.execute(select(requests).where(requests.c.id == request_id))
        row = result.mappings().one_or_none()
        return None if row is None else _request(row)

    async def open_of(self, account: Account) -> CreditRequest | None:
        """The account's open request, even when it is too old to be decided; None when there is none."""
        result = await self._connection.execute(
            select(requests).where(
                requests.c.user_id == account.user_id,
                requests.c.guild_id == account.guild_id,
                requests.c.state == CreditRequestState.OPEN,
            )
        )
        row = result.mappings().one_or_none()
        return None if row is None else _request(row)

    async def set_message(self, request_id: CreditRequestId, channel_id: ChannelId, message_id: MessageId) -> None:
        """Record the message that shows the request and its buttons to the admins."""
        await self._connection.execute(
            update(requests).where(requests.c.id == request_id).values(channel_id=channel_id, message_id=message_id)
        )

    async def close(
        self, request_id: CreditRequestId, state: CreditRequestState, decision: Decision | None = None
    ) -> bool:
        """Close a request; False when it was closed before. ``decision`` is kept until :meth:`mark_notified`."""
        result = await self._connection.execute(
            update(requests)
            .where(requests.c.id == request_id, requests.c.state == CreditRequestState.OPEN)
            .values(state=state, untold=decision)
        )
        return result.rowcount == 1

    async def pending_notifications(self) -> list[tuple[CreditRequest, Decision]]:
        """Decided requests whose members have not been notified, oldest first."""
        rows = await self._connection.execute(
            select(requests).where(requests.c.untold.is_not(None)).order_by(requests.c.id)
        )
        return [(_request(row), row["untold"]) for row in readable(rows) if row["untold"] is not None]

    async def mark_notified(self, request_id: CreditRequestId) -> None:
        """Forget the decision: the member has received it, or cannot be reached."""
        await self._connection.execute(update(requests).where(requests.c.id == request_id).values(untold=None))

    async def expire(self, account: Account, now: datetime) -> None:
        """Close the account's open request if it is too old to be decided (``CREDIT_REQUEST_LIFETIME``)."""
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
