"""Requests for more credits: one at a time, decided once, and not for ever."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count as counting
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.credit_requests import CREDIT_REQUEST_LIFETIME, CreditRequest, CreditRequestState
from bot.domain.credits import Account, Allowance, Credits, Period, Requester
from bot.domain.errors import AlreadyRequested, CreditRequestClosed, NoRequestsChannel
from bot.domain.ids import ChannelId, CreditRequestId, GuildId, MessageId, UserId
from bot.domain.rules import ServerSettings
from bot.quota.credit_requests import CreditRequests, NewCreditRequest
from bot.quota.service import Change
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, limits_of
from tests.store.desk import Desk, open_desk, settle_settings
from tests.store.stored import rows

REQUEST = CreditRequest(CreditRequestId(1), ALICE, NOW, ChannelId(5))
ADMINS, POST = ChannelId(77), MessageId(88)
ADMIN, SECOND = UserId(9), UserId(10)
MICROSECOND = timedelta(microseconds=1)


async def add(store: Store, request: CreditRequest = REQUEST) -> None:
    async with store.write() as tx:
        await tx.credit_requests.add(request)


async def get(store: Store, request_id: CreditRequestId = REQUEST.id) -> CreditRequest | None:
    async with store.read() as tx:
        return await tx.credit_requests.get(request_id)


async def close(store: Store, state: CreditRequestState, request_id: CreditRequestId = REQUEST.id) -> bool:
    async with store.write() as tx:
        return await tx.credit_requests.close(request_id, state)


async def test_a_request_comes_back_as_it_was_and_learns_where_it_is_posted(store: Store) -> None:
    await add(store)
    assert await get(store) == REQUEST
    async with store.write() as tx:
        await tx.credit_requests.posted(REQUEST.id, ADMINS, POST)
        assert await tx.credit_requests.open_of(ALICE) == replace(REQUEST, channel_id=ADMINS, message_id=POST)
    assert await get(store, CreditRequestId(2)) is None


async def test_a_member_has_one_open_request_per_server(store: Store) -> None:
    await add(store)
    with pytest.raises(IntegrityError):
        await add(store, replace(REQUEST, id=CreditRequestId(2)))
    await add(store, replace(REQUEST, id=CreditRequestId(3), account=BOB))
    await add(store, replace(REQUEST, id=CreditRequestId(4), account=replace(ALICE, guild_id=GuildId(901))))
    assert await close(store, CreditRequestState.DENIED)
    await add(store, replace(REQUEST, id=CreditRequestId(5)))
    async with store.read() as tx:
        assert (await tx.credit_requests.open_of(ALICE)) == replace(REQUEST, id=CreditRequestId(5))


@pytest.mark.parametrize("state", [CreditRequestState.APPROVED, CreditRequestState.DENIED, CreditRequestState.EXPIRED])
async def test_a_request_is_closed_once(store: Store, state: CreditRequestState) -> None:
    await add(store)
    closed = await asyncio.gather(*(close(store, state) for _ in range(20)))
    assert Counter(closed) == {True: 1, False: 19}
    assert not await close(store, CreditRequestState.APPROVED)
    assert await get(store) == replace(REQUEST, state=state)
    async with store.read() as tx:
        assert await tx.credit_requests.open_of(ALICE) is None


@pytest.mark.parametrize(
    ("age", "expired"), [(CREDIT_REQUEST_LIFETIME - MICROSECOND, False), (CREDIT_REQUEST_LIFETIME, True)]
)
async def test_a_request_expires(store: Store, age: timedelta, *, expired: bool) -> None:
    await add(store)
    await add(store, replace(REQUEST, id=CreditRequestId(2), account=BOB))
    async with store.write() as tx:
        await tx.credit_requests.expire(ALICE, NOW + age)
    found = await get(store)
    assert found is not None
    assert found.state is (CreditRequestState.EXPIRED if expired else CreditRequestState.OPEN)
    assert REQUEST.expired(NOW + age) is expired
    assert await get(store, CreditRequestId(2)) == replace(REQUEST, id=CreditRequestId(2), account=BOB)


@dataclass(frozen=True)
class Office:
    """A desk whose server has a channel for requests."""

    desk: Desk
    asking: CreditRequests

    async def bonus(self, account: Account = ALICE) -> Credits:
        return (await self.desk.quotas.overview(Requester(account))).quota.balance.bonus

    async def posted(self, account: Account = ALICE) -> NewCreditRequest:
        asked = await self.asking.create(Requester(account), ChannelId(5))
        await self.asking.mark_posted(asked, POST)
        return asked


@pytest.fixture
async def office(store: Store, tmp_path: Path) -> AsyncGenerator[Office, None]:
    async with open_desk(store, tmp_path, limits=limits_of(Allowance(Credits(50), Period.DAY))) as desk:
        ids = counting(1)
        change = Change(ALICE.guild_id, ADMIN, "a channel")
        await settle_settings(desk.quotas, change, ServerSettings(requests_channel=ADMINS))
        yield Office(desk, CreditRequests(replace(desk.runtime, new_id=lambda: next(ids)), desk.policy))


async def test_where_there_is_nobody_to_ask(office: Office) -> None:
    with pytest.raises(NoRequestsChannel):
        await office.asking.create(Requester(replace(ALICE, guild_id=GuildId(901))), ChannelId(5))


async def test_asking_twice(office: Office) -> None:
    asked = await office.posted()
    assert (asked.channel_id, asked.quota.balance.left) == (ADMINS, 50)
    with pytest.raises(AlreadyRequested) as caught:
        await office.asking.create(Requester(ALICE), ChannelId(6))
    assert caught.value.expires_at == NOW + CREDIT_REQUEST_LIFETIME
    await office.posted(BOB)
    office.desk.clock.moment = NOW + CREDIT_REQUEST_LIFETIME
    assert (await office.posted()).request.id != asked.request.id


async def test_asking_many_times_at_once_opens_one_request(office: Office, file: Path) -> None:
    async def ask() -> bool:
        try:
            await office.asking.create(Requester(ALICE), ChannelId(5))
        except AlreadyRequested:
            return False
        return True

    assert Counter(await asyncio.gather(*(ask() for _ in range(20)))) == {True: 1, False: 19}
    assert rows(file, "SELECT count(*) FROM credit_requests") == [(1,)]


async def test_a_request_that_was_never_posted_is_no_hindrance(office: Office) -> None:
    asked = await office.asking.create(Requester(ALICE), ChannelId(5))
    office.desk.clock.moment = NOW + timedelta(minutes=2)
    again = await office.asking.create(Requester(ALICE), ChannelId(5))
    assert again.request.id == asked.request.id
    await office.asking.discard(again)
    assert (await office.posted()).request.id != asked.request.id


async def test_many_decisions_at_once_count_once(office: Office, file: Path) -> None:
    asked = await office.posted()

    async def decide(place: int) -> str:
        try:
            if place % 2:
                await office.asking.deny(asked.request.id, POST, ADMIN, "no", "denied")
            else:
                await office.asking.approve(asked.request.id, POST, SECOND, Credits(30), "yes", "approved")
        except CreditRequestClosed:
            return "too late"
        return "denied" if place % 2 else "approved"

    decided = Counter(await asyncio.gather(*map(decide, range(50))))
    assert decided["too late"] == 49
    assert await office.bonus() == 30 * decided["approved"]
    notes = rows(file, "SELECT actor_id, note FROM ledger WHERE user_id = ?", [ALICE.user_id])
    assert notes == [(SECOND, "yes") if decided["approved"] else (ADMIN, "no")]


async def test_a_decision_is_kept_until_its_member_was_told(office: Office) -> None:
    for account in (ALICE, BOB):
        await office.posted(account)
    assert await office.asking.pending_notifications() == []
    open_ones = [await office.asking.open_of(Requester(account)) for account in (ALICE, BOB)]
    first, second = [one.id for one in open_ones if one is not None]
    approved = await office.asking.approve(first, POST, ADMIN, Credits(30), "yes", "You got 30.")
    denied = await office.asking.deny(second, POST, ADMIN, "no", "You got nothing.")
    untold = await office.asking.pending_notifications()
    assert [(one.id, words) for one, words in untold] == [(first, "You got 30."), (second, "You got nothing.")]
    await office.asking.mark_notified(approved)
    assert [one.id for one, _ in await office.asking.pending_notifications()] == [second]
    await office.asking.mark_notified(denied)
    assert await office.asking.pending_notifications() == []


async def test_a_request_whose_message_was_deleted_no_longer_counts(office: Office) -> None:
    asked = await office.posted()
    await office.asking.close_deleted(asked.request)
    assert (await office.posted()).request.id != asked.request.id
    assert await office.asking.pending_notifications() == [], "nobody decided anything"


async def test_what_is_too_old_or_on_another_message_cannot_be_decided(office: Office) -> None:
    asked = await office.posted()
    with pytest.raises(CreditRequestClosed):
        await office.asking.approve(asked.request.id, MessageId(89), ADMIN, Credits(30), "yes", "approved")
    with pytest.raises(CreditRequestClosed):
        await office.asking.find(CreditRequestId(404), POST)
    office.desk.clock.moment = NOW + CREDIT_REQUEST_LIFETIME - MICROSECOND
    assert (await office.asking.find(asked.request.id, POST)).account == ALICE
    office.desk.clock.moment = NOW + CREDIT_REQUEST_LIFETIME
    with pytest.raises(CreditRequestClosed):
        await office.asking.approve(asked.request.id, POST, ADMIN, Credits(30), "yes", "approved")
    with pytest.raises(CreditRequestClosed):
        await office.asking.deny(asked.request.id, POST, ADMIN, "no", "denied")
    assert await office.bonus() == 0
