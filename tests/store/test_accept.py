"""Many wishes at once, against one allowance."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.domain.credits import Requester
from bot.domain.errors import NotEnoughCredits, TooManyOpen, UserError
from bot.domain.generation import GenerationRequest
from bot.store.store import Store
from tests.factories import ALICE, BOB, make_request
from tests.store.desk import Desk, open_desk
from tests.store.stored import rows


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncGenerator[Desk, None]:
    """Fifty credits a day: ten pictures at five."""
    async with open_desk(store, tmp_path, allowance=50, open_limit=100) as one:
        yield one


async def outcomes(desk: Desk, requests: list[GenerationRequest]) -> Counter[type[UserError] | None]:
    async def wish(request: GenerationRequest) -> type[UserError] | None:
        try:
            await desk.generations.accept(request)
        except UserError as error:
            return type(error)
        return None

    return Counter(await asyncio.gather(*map(wish, requests)))


async def test_fifty_at_once_with_credits_for_ten(desk: Desk, file: Path) -> None:
    counted = await outcomes(desk, [make_request() for _ in range(50)])
    assert counted == {None: 10, NotEnoughCredits: 40}
    assert rows(file, "SELECT count(*), sum(credits) FROM ledger") == [(10, -50_000)]
    assert rows(file, "SELECT count(*) FROM generations") == [(10,)]
    statement = await desk.generations.statement(Requester(ALICE))
    assert statement.quota.balance.left == 0
    assert len(desk.workload.queue) == 10


async def test_two_members_at_once_do_not_share_an_allowance(desk: Desk) -> None:
    requests = [make_request(account=account) for _ in range(20) for account in (ALICE, BOB)]
    assert await outcomes(desk, requests) == {None: 20, NotEnoughCredits: 20}


async def test_a_wish_for_four_is_accepted_whole_or_not_at_all(desk: Desk, file: Path) -> None:
    counted = await outcomes(desk, [make_request(count=4) for _ in range(10)])
    assert counted == {None: 2, NotEnoughCredits: 8}
    assert rows(file, "SELECT sum(credits) FROM ledger") == [(-40_000,)]


async def test_the_limit_on_open_generations_holds_for_many_at_once(store: Store, tmp_path: Path, file: Path) -> None:
    async with open_desk(store, tmp_path, allowance=1000, open_limit=3) as desk:
        assert await outcomes(desk, [make_request() for _ in range(20)]) == {None: 3, TooManyOpen: 17}
    assert rows(file, "SELECT count(*) FROM generations") == [(3,)]


async def test_what_is_taken_back_can_be_spent_again_once(desk: Desk) -> None:
    accepted = await desk.generations.accept(make_request(count=4))
    await desk.generations.cancel(accepted, ALICE.user_id)
    assert await outcomes(desk, [make_request() for _ in range(12)]) == {None: 10, NotEnoughCredits: 2}
