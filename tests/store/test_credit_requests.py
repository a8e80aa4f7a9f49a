"""Requests for more credits: one open per member, decided once, and only for three days."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.credit_requests import CREDIT_REQUEST_LIFETIME, CreditRequest, CreditRequestState
from bot.domain.credits import Account, Credits, Requester
from bot.domain.errors import AlreadyRequested, CreditRequestClosed
from bot.domain.ids import ChannelId, CreditRequestId, GuildId, MessageId, UserId
from bot.domain.ledger import RequestApproved, RequestDenied
from bot.domain.rules import ServerSettings
from bot.quota.credit_requests import CreditRequests, NewCreditRequest
from bot.quota.service import Change
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW
from tests.store.services import SetClock, open_services, replace_settings
from tests.store.stored import rows

REQUEST = CreditRequest(CreditRequestId(1), ALICE, NOW, ChannelId(5))
ELSEWHERE = replace(ALICE, guild_id=GuildId(901))
ADMINS_CHANNEL, MESSAGE = ChannelId(77), MessageId(88)
ADMIN, SECOND_ADMIN = UserId(9), UserId(10)
MICROSECOND = timedelta(microseconds=1)


async def add(store: Store, request: CreditRequest = REQUEST) -> None:
    async with store.write() as tx:
        await tx.credit_requests.add(request)


async def close(store: Store, state: CreditRequestState) -> bool:
    async with store.write() as tx:
        return await tx.credit_requests.close(REQUEST.id, state)


async def test_a_request_comes_back_unchanged_and_with_its_message(store: Store) -> None:
    await add(store)
    async with store.write() as tx:
        assert await tx.credit_requests.get(REQUEST.id) == REQUEST
        await tx.credit_requests.set_message(REQUEST.id, ADMINS_CHANNEL, MESSAGE)
        shown = replace(REQUEST, channel_id=ADMINS_CHANNEL, message_id=MESSAGE)
        assert await tx.credit_requests.open_of(ALICE) == shown
        assert await tx.credit_requests.get(CreditRequestId(2)) is None


async def test_a_member_has_one_open_request_per_server(store: Store) -> None:
    await add(store)
    with pytest.raises(IntegrityError):
        await add(store, replace(REQUEST, id=CreditRequestId(2)))
    for number, account in ((3, BOB), (4, ELSEWHERE)):
        await add(store, replace(REQUEST, id=CreditRequestId(number), account=account))
    assert await close(store, CreditRequestState.DENIED)
    await add(store, replace(REQUEST, id=CreditRequestId(5)))
    async with store.read() as tx:
        assert await tx.credit_requests.open_of(ALICE) == replace(REQUEST, id=CreditRequestId(5))


@pytest.mark.parametrize("state", sorted(set(CreditRequestState) - {CreditRequestState.OPEN}))
async def test_a_request_is_closed_once(store: Store, state: CreditRequestState) -> None:
    await add(store)
    closed = await asyncio.gather(*(close(store, state) for _ in range(20)))
    assert Counter(closed) == {True: 1, False: 19}
    assert not await close(store, CreditRequestState.APPROVED)
    async with store.read() as tx:
        assert await tx.credit_requests.get(REQUEST.id) == replace(REQUEST, state=state)
        assert await tx.credit_requests.open_of(ALICE) is None


@pytest.mark.parametrize("expired", [False, True])
async def test_an_old_request_expires(store: Store, *, expired: bool) -> None:
    now = NOW + CREDIT_REQUEST_LIFETIME - (timedelta() if expired else MICROSECOND)
    of_bob = replace(REQUEST, id=CreditRequestId(2), account=BOB)
    await add(store)
    await add(store, of_bob)
    async with store.write() as tx:
        await tx.credit_requests.expire(ALICE, now)
        state = CreditRequestState.EXPIRED if expired else CreditRequestState.OPEN
        assert await tx.credit_requests.get(REQUEST.id) == replace(REQUEST, state=state)
        assert await tx.credit_requests.get(of_bob.id) == of_bob
    assert REQUEST.expired(now) is expired


@dataclass(frozen=True)
class RequestsHarness:
    """Requests in a server that has a channel for them, and the clock that they go by."""

    store: Store
    requests: CreditRequests
    clock: SetClock

    async def ask(self, account: Account = ALICE) -> NewCreditRequest:
        return await self.requests.create(Requester(account), ChannelId(5))

    async def post(self, account: Account = ALICE) -> CreditRequestId:
        asked = await self.ask(account)
        await self.posted(asked)
        return asked.request.id

    async def posted(self, asked: NewCreditRequest) -> None:
        await self.requests.mark_posted(asked, MESSAGE)

    async def approve(self, request_id: CreditRequestId, message_id: MessageId = MESSAGE) -> CreditRequest:
        request, _ = await self.requests.approve(request_id, message_id, ADMIN, Credits(30))
        return request

    async def deny(self, request_id: CreditRequestId) -> CreditRequest:
        request, _ = await self.requests.deny(request_id, MESSAGE, SECOND_ADMIN)
        return request

    async def bonus(self, account: Account = ALICE) -> Credits:
        async with self.store.read() as tx:
            return await tx.ledger.bonus(account)


@pytest.fixture
async def harness(store: Store, tmp_path: Path) -> AsyncGenerator[RequestsHarness, None]:
    async with open_services(store, tmp_path) as services:
        change = Change(ALICE.guild_id, ADMIN)
        await replace_settings(services.quotas, change, ServerSettings(requests_channel=ADMINS_CHANNEL))
        yield RequestsHarness(store, CreditRequests(services.runtime, services.policy), services.clock)


async def test_a_member_can_ask_again_only_after_the_request_has_ended(harness: RequestsHarness) -> None:
    asked = await harness.ask()
    assert (asked.channel_id, asked.quota.balance.left) == (ADMINS_CHANNEL, 50)
    await harness.posted(asked)
    with pytest.raises(AlreadyRequested) as caught:
        await harness.ask()
    assert caught.value.expires_at == NOW + CREDIT_REQUEST_LIFETIME
    await harness.post(BOB)
    await harness.requests.close_deleted(asked.request)
    second = await harness.post()
    harness.clock.moment = NOW + CREDIT_REQUEST_LIFETIME
    third = await harness.post()
    assert len({asked.request.id, second, third}) == 3
    assert await harness.requests.pending_notifications() == [], "nobody decided anything"


async def test_asking_many_times_at_once_opens_one_request(harness: RequestsHarness, file: Path) -> None:
    outcomes = await asyncio.gather(*(harness.ask() for _ in range(20)), return_exceptions=True)
    assert Counter(type(outcome) for outcome in outcomes) == {NewCreditRequest: 1, AlreadyRequested: 19}
    assert rows(file, "SELECT count(*) FROM credit_requests") == [(1,)]


async def test_a_request_that_could_not_be_posted_is_withdrawn(harness: RequestsHarness) -> None:
    asked = await harness.ask()
    harness.clock.moment = NOW + timedelta(minutes=2)
    again = await harness.ask()
    assert again.request.id == asked.request.id
    await harness.requests.discard(again)
    assert await harness.post() != asked.request.id


async def test_many_decisions_at_once_count_once(harness: RequestsHarness, file: Path) -> None:
    request = await harness.post()
    decisions = [harness.deny(request) if place % 2 else harness.approve(request) for place in range(50)]
    outcomes = await asyncio.gather(*decisions, return_exceptions=True)
    (decided,) = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, CreditRequest)]
    assert sum(isinstance(outcome, CreditRequestClosed) for outcome in outcomes) == 49
    actors = rows(file, "SELECT actor_id FROM ledger WHERE user_id = ?", [ALICE.user_id])
    assert (await harness.bonus(), actors) == ((0, [(SECOND_ADMIN,)]) if decided % 2 else (30, [(ADMIN,)]))


async def test_a_decision_is_kept_until_its_member_was_notified(harness: RequestsHarness) -> None:
    first, second = await harness.post(), await harness.post(BOB)
    approved, denied = await harness.approve(first), await harness.deny(second)
    pending = await harness.requests.pending_notifications()
    assert [(request.id, decision) for request, decision in pending] == [
        (first, RequestApproved(ALICE.user_id, Credits(30), ADMIN)),
        (second, RequestDenied(BOB.user_id, SECOND_ADMIN)),
    ]
    await harness.requests.mark_notified(approved)
    assert [request.id for request, _ in await harness.requests.pending_notifications()] == [second]
    await harness.requests.mark_notified(denied)
    assert await harness.requests.pending_notifications() == []


async def test_a_request_cannot_be_decided_too_late_or_on_another_message(harness: RequestsHarness) -> None:
    request = await harness.post()
    with pytest.raises(CreditRequestClosed):
        await harness.approve(request, MessageId(89))
    with pytest.raises(CreditRequestClosed):
        await harness.requests.find(CreditRequestId(404), MESSAGE)
    harness.clock.moment = NOW + CREDIT_REQUEST_LIFETIME - MICROSECOND
    assert (await harness.requests.find(request, MESSAGE)).account == ALICE
    harness.clock.moment = NOW + CREDIT_REQUEST_LIFETIME
    for decide in (harness.approve, harness.deny):
        with pytest.raises(CreditRequestClosed):
            await decide(request)
    assert await harness.bonus() == 0
