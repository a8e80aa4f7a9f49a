"""Members request more credits; the server's quota managers decide, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.domain.credit_requests import CREDIT_REQUEST_LIFETIME, CreditRequest, CreditRequestState
from bot.domain.credits import Credits, Requester
from bot.domain.errors import AlreadyRequested, CreditRequestClosed, NoRequestsChannel
from bot.domain.ids import ChannelId, CreditRequestId, MessageId, UserId
from bot.domain.ledger import Decision, RequestApproved, RequestDenied
from bot.quota.manager_limit import check_manager_limit
from bot.quota.policy import MemberQuota, QuotaPolicy
from bot.runtime import Runtime
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

_POSTING_TIMEOUT = timedelta(minutes=1)
"""A request without a message is being posted for this long; after that its process is assumed to have died."""


@dataclass(frozen=True, slots=True)
class NewCreditRequest:
    """A request that is to be posted to the admins, with its member's quota."""

    request: CreditRequest
    channel_id: ChannelId
    quota: MemberQuota


class CreditRequests:
    """Opens and decides requests, and knows which members have not heard of a decision yet."""

    def __init__(self, runtime: Runtime, policy: QuotaPolicy) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._policy = policy
        self._new_id = runtime.new_id

    async def create(self, requester: Requester, asked_in: ChannelId) -> NewCreditRequest:
        """Open a request, or return the open one that was never posted.

        Raises NoRequestsChannel, or AlreadyRequested when one is open.
        """
        account, now = requester.account, self._clock.now()
        async with self._store.write() as tx:
            settings = await tx.rules.settings(account.guild_id)
            if settings.requests_channel is None:
                raise NoRequestsChannel
            await tx.credit_requests.expire(account, now)
            request = await tx.credit_requests.open_of(account)
            # Not only later: by a clock that was set back since, it lies in the future.
            is_recent = request is not None and abs(now - request.asked_at) < _POSTING_TIMEOUT
            if request is not None and (request.message_id is not None or is_recent):
                raise AlreadyRequested(request.asked_at + CREDIT_REQUEST_LIFETIME)
            if request is None:
                request = CreditRequest(CreditRequestId(self._new_id()), account, now, asked_in)
                await tx.credit_requests.add(request)
            quota = await self._policy.member_quota(tx, requester)
        return NewCreditRequest(request, settings.requests_channel, quota)

    async def mark_posted(self, new: NewCreditRequest, message_id: MessageId) -> None:
        """The request was posted to the admins' channel."""
        async with self._store.write() as tx:
            await tx.credit_requests.set_message(new.request.id, new.channel_id, message_id)

    async def discard(self, new: NewCreditRequest) -> None:
        """The request could not be posted: close it, so that the member can request again."""
        async with self._store.write() as tx:
            request = await tx.credit_requests.get(new.request.id)
            # Another click may have posted it meanwhile.
            if request is not None and request.message_id is None:
                await tx.credit_requests.close(new.request.id, CreditRequestState.EXPIRED)

    async def find(self, request_id: CreditRequestId, message_id: MessageId) -> CreditRequest:
        """The open request that a message shows; raises CreditRequestClosed."""
        async with self._store.read() as tx:
            return await self._open(tx, request_id, message_id)

    async def approve(
        self,
        request_id: CreditRequestId,
        message_id: MessageId,
        by: UserId,
        amount: Credits,
        *,
        by_role: bool = False,
    ) -> tuple[CreditRequest, RequestApproved]:
        """Grant an amount; raises CreditRequestClosed when it was decided before or has expired.

        ``by_role``: by a quota manager without Manage Server, for whom it raises GrantToOneself or ManagerLimitReached.
        The decision is stored until :meth:`mark_notified`.
        """
        async with self._store.write() as tx:
            request = await self._open(tx, request_id, message_id)
            decision = RequestApproved(request.account.user_id, amount, by)
            await self._close(tx, request, CreditRequestState.APPROVED, decision)
            if by_role:
                await check_manager_limit(tx, request.account, by, amount, self._now)
            await tx.ledger.grant(request.account, amount, by, "", self._now, decision)
        log.info("credit request approved", guild=request.account.guild_id, credits=str(amount))
        return request, decision

    async def deny(
        self, request_id: CreditRequestId, message_id: MessageId, by: UserId
    ) -> tuple[CreditRequest, RequestDenied]:
        """Turn a request down, otherwise as :meth:`approve`."""
        async with self._store.write() as tx:
            request = await self._open(tx, request_id, message_id)
            decision = RequestDenied(request.account.user_id, by)
            await self._close(tx, request, CreditRequestState.DENIED, decision)
            await tx.ledger.record_change(request.account, by, decision, self._now)
        log.info("credit request denied", guild=request.account.guild_id)
        return request, decision

    async def mark_notified(self, request: CreditRequest) -> None:
        """The member knows the decision, or cannot be reached."""
        async with self._store.write() as tx:
            await tx.credit_requests.mark_notified(request.id)

    async def pending_notifications(self) -> list[tuple[CreditRequest, Decision]]:
        """Decided requests whose members an earlier process did not notify."""
        async with self._store.read() as tx:
            return await tx.credit_requests.pending_notifications()

    async def open_of(self, requester: Requester) -> CreditRequest | None:
        """The open request that keeps a member from making another."""
        async with self._store.read() as tx:
            return await tx.credit_requests.open_of(requester.account)

    async def close_deleted(self, request: CreditRequest) -> None:
        """The request's message was deleted, so nobody can decide it: the member can request again."""
        async with self._store.write() as tx:
            await tx.credit_requests.close(request.id, CreditRequestState.EXPIRED)

    async def _close(
        self, tx: Transaction, request: CreditRequest, state: CreditRequestState, decision: Decision
    ) -> None:
        if not await tx.credit_requests.close(request.id, state, decision):
            raise CreditRequestClosed

    async def _open(self, tx: Transaction, request_id: CreditRequestId, message_id: MessageId) -> CreditRequest:
        request = await tx.credit_requests.get(request_id)
        if request is None or request.state is not CreditRequestState.OPEN or request.expired(self._now):
            raise CreditRequestClosed
        # A custom id can be forged; the message that its button is on comes from Discord.
        if request.message_id is not None and request.message_id != message_id:
            raise CreditRequestClosed
        return request

    @property
    def _now(self) -> datetime:
        return self._clock.now()
