"""Members ask for more credits; whoever manages the quotas decides, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.domain.credit_requests import CREDIT_REQUEST_LIFETIME, CreditRequest, CreditRequestState
from bot.domain.credits import Credits, Requester
from bot.domain.errors import AlreadyRequested, CreditRequestClosed, NoRequestsChannel
from bot.domain.ids import ChannelId, CreditRequestId, MessageId, UserId
from bot.quota.policy import MemberQuota, QuotaPolicy
from bot.runtime import Runtime
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

_POSTING = timedelta(minutes=1)
"""Within that a request without a message is on its way; later it was forgotten, as by a process that died."""


@dataclass(frozen=True, slots=True)
class NewCreditRequest:
    """A request to be posted: where, and what stands in it."""

    request: CreditRequest
    channel_id: ChannelId
    standing: MemberQuota


class CreditRequests:
    """Requests for more."""

    def __init__(self, runtime: Runtime, policy: QuotaPolicy) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._policy = policy
        self._new_id = runtime.new_id

    async def ask(self, asker: Requester, where: ChannelId) -> NewCreditRequest:
        """Open a request; raises NoRequestsChannel or AlreadyRequested. One that was never posted is taken up again."""
        account, now = asker.account, self._clock.now()
        async with self._store.write() as tx:
            settings = await tx.rules.settings(account.guild_id)
            if settings.requests_channel is None:
                raise NoRequestsChannel
            await tx.credit_requests.expire(account, now)
            request = await tx.credit_requests.open_of(account)
            if request is not None and (request.message_id is not None or now - request.asked_at < _POSTING):
                raise AlreadyRequested(request.asked_at + CREDIT_REQUEST_LIFETIME)
            if request is None:
                request = CreditRequest(CreditRequestId(self._new_id()), account, now, where)
                await tx.credit_requests.add(request)
            standing = await self._policy.standing(tx, asker)
        return NewCreditRequest(request, settings.requests_channel, standing)

    async def posted(self, asked: NewCreditRequest, message_id: MessageId) -> None:
        """The request stands in the admins' channel."""
        async with self._store.write() as tx:
            await tx.credit_requests.set_message(asked.request.id, asked.channel_id, message_id)

    async def withdraw(self, asked: NewCreditRequest) -> None:
        """It could not be posted: the member may ask again."""
        async with self._store.write() as tx:
            request = await tx.credit_requests.get(asked.request.id)
            # Meanwhile it may have been asked anew and posted.
            if request is not None and request.message_id is None:
                await tx.credit_requests.close(asked.request.id, CreditRequestState.EXPIRED)

    async def find(self, request_id: CreditRequestId, message_id: MessageId) -> CreditRequest:
        """The open request that a message shows; raises CreditRequestClosed."""
        async with self._store.read() as tx:
            return await self._open(tx, request_id, message_id)

    async def approve(
        self, request_id: CreditRequestId, message_id: MessageId, by: UserId, amount: Credits, note: str, words: str
    ) -> CreditRequest:
        """Grant an amount; raises CreditRequestClosed when it was decided before or has expired.

        ``words`` are for the member, and kept until :meth:`told`.
        """
        async with self._store.write() as tx:
            request = await self._close(tx, request_id, message_id, CreditRequestState.APPROVED, words)
            await tx.ledger.grant(request.account, amount, by, note, self._now)
        log.info("request approved", guild=request.account.guild_id, credits=str(amount))
        return request

    async def deny(
        self, request_id: CreditRequestId, message_id: MessageId, by: UserId, note: str, words: str
    ) -> CreditRequest:
        """Turn a request down; raises CreditRequestClosed. ``words`` as in :meth:`approve`."""
        async with self._store.write() as tx:
            request = await self._close(tx, request_id, message_id, CreditRequestState.DENIED, words)
            await tx.ledger.record_change(request.account, by, note, self._now)
        return request

    async def told(self, request: CreditRequest) -> None:
        """The member knows what was decided, or cannot be reached."""
        async with self._store.write() as tx:
            await tx.credit_requests.mark_notified(request.id)

    async def untold(self) -> list[tuple[CreditRequest, str]]:
        """Decisions that an earlier process did not come to tell, with their words."""
        async with self._store.read() as tx:
            return await tx.credit_requests.pending_notifications()

    async def open_of(self, asker: Requester) -> CreditRequest | None:
        """The request that keeps a member from asking again."""
        async with self._store.read() as tx:
            return await tx.credit_requests.open_of(asker.account)

    async def lost(self, request: CreditRequest) -> None:
        """Its message was deleted, so nobody can decide it: the member may ask again."""
        async with self._store.write() as tx:
            await tx.credit_requests.close(request.id, CreditRequestState.EXPIRED)

    async def _close(
        self, tx: Transaction, request_id: CreditRequestId, message_id: MessageId, state: CreditRequestState, words: str
    ) -> CreditRequest:
        request = await self._open(tx, request_id, message_id)
        if not await tx.credit_requests.close(request_id, state, words):
            raise CreditRequestClosed
        return request

    async def _open(self, tx: Transaction, request_id: CreditRequestId, message_id: MessageId) -> CreditRequest:
        request = await tx.credit_requests.get(request_id)
        if request is None or request.state is not CreditRequestState.OPEN or request.expired(self._now):
            raise CreditRequestClosed
        # A custom id can be forged; the message that it was pressed on comes from Discord.
        if request.message_id is not None and request.message_id != message_id:
            raise CreditRequestClosed
        return request

    @property
    def _now(self) -> datetime:
        return self._clock.now()
