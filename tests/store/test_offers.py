"""Out of credits: what is offered instead can really be had."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.credits import Allowance, Credits, Period, Requester
from bot.domain.errors import CapReached, NotEnoughCredits
from bot.domain.ids import UserId
from bot.domain.rules import Cap, Rule, Scope
from bot.domain.settings import AspectRatio, CheaperOption, Model, Resolution, Settings
from bot.quota.policy import QuotaLimits
from bot.quota.service import Change
from bot.store.store import Store
from tests.factories import ALICE, limits_of, make_request
from tests.store.desk import Desk, open_desk

CHANGE = Change(ALICE.guild_id, UserId(9), "because")
BEST = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K)


def a_day(amount: int | None) -> Allowance:
    return Allowance(None if amount is None else Credits(amount), Period.DAY)


@asynccontextmanager
async def desk_with(store: Store, folder: Path, limits: QuotaLimits) -> AsyncGenerator[Desk, None]:
    async with open_desk(store, folder, open_limit=100, limits=limits) as desk:
        yield desk


def told(offers: Sequence[CheaperOption]) -> list[str]:
    return [f"{one.count} × {one.settings.model} {one.settings.resolution}: {one.price}" for one in offers]


@pytest.mark.parametrize(
    ("wanted", "count", "left", "offers"),
    [
        # Smaller first, then by the cheaper model, then fewer.
        (BEST, 1, 23, ["1 × flex 1K: 14", "1 × pro 2K: 7"]),
        (BEST, 1, 13, ["1 × pro 2K: 7", "1 × pro 1K: 5"]),
        (BEST, 1, 6, ["1 × pro 1K: 5"]),
        (BEST, 1, 5, ["1 × pro 1K: 5"]),
        (BEST, 1, 4, []),
        (BEST, 4, 56, ["4 × flex 1K: 56", "4 × pro 2K: 28"]),
        (BEST, 4, 27, ["4 × pro 1K: 20", "1 × flex 2K: 24"]),
        (BEST, 4, 19, ["1 × pro 1K: 5"]),
        (Settings(), 1, 4, []),
        (Settings(), 3, 14, ["1 × pro 1K: 5"]),
        (Settings(resolution=Resolution.TWO_K), 1, 6, ["1 × pro 1K: 5"]),
        (Settings(Model.FLEX, steps=50, guidance=9.0), 2, 27, ["2 × pro 1K: 10", "1 × flex 1K: 14"]),
    ],
)
async def test_what_is_offered_instead(
    store: Store, tmp_path: Path, wanted: Settings, count: int, left: int, offers: list[str]
) -> None:
    async with desk_with(store, tmp_path, limits_of(a_day(left))) as desk:
        with pytest.raises(NotEnoughCredits) as caught:
            await desk.generations.accept(make_request(settings=wanted, count=count))
    assert told(caught.value.affordable) == offers


async def test_an_offer_keeps_the_aspect_ratio_and_can_be_accepted(store: Store, tmp_path: Path) -> None:
    async with desk_with(store, tmp_path, limits_of(a_day(27))) as desk:
        with pytest.raises(NotEnoughCredits) as caught:
            await desk.generations.accept(make_request(settings=BEST, count=4))
        offer = caught.value.affordable[0]
        assert offer.settings.aspect_ratio is AspectRatio.WIDE
        await desk.generations.accept(make_request(settings=offer.settings, count=offer.count))


async def test_a_bonus_counts_for_what_can_be_offered(store: Store, tmp_path: Path) -> None:
    async with desk_with(store, tmp_path, limits_of(a_day(3))) as desk:
        await desk.quotas.grant(CHANGE, ALICE.user_id, Credits(4))
        with pytest.raises(NotEnoughCredits) as caught:
            await desk.generations.accept(make_request(settings=BEST))
        assert (caught.value.left, caught.value.allowance) == (7, 3)
        assert told(caught.value.affordable) == ["1 × pro 2K: 7", "1 × pro 1K: 5"]


async def test_a_members_offers_pass_the_limits_over_all_members(store: Store, tmp_path: Path) -> None:
    """Twenty credits of one's own are of no use when the pool has six."""
    async with desk_with(store, tmp_path, limits_of(a_day(20))) as desk:
        await desk.quotas.put_rule(CHANGE, Rule(Scope.POOL, 0, a_day(6)))
        with pytest.raises(NotEnoughCredits) as caught:
            await desk.generations.accept(make_request(settings=BEST))
    assert caught.value.left == 20
    assert told(caught.value.affordable) == ["1 × pro 1K: 5"]


@pytest.mark.parametrize(
    ("own", "pool", "server", "budget", "reached", "offers"),
    [
        (100, 23, None, None, Cap.POOL, ["1 × flex 1K: 14", "1 × pro 2K: 7"]),
        (100, 23, 13, None, Cap.POOL, ["1 × pro 2K: 7", "1 × pro 1K: 5"]),
        (100, 23, 13, 6, Cap.POOL, ["1 × pro 1K: 5"]),
        (100, 100, 13, 6, Cap.SERVER_LIMIT, ["1 × pro 1K: 5"]),
        (100, 100, 100, 6, Cap.BUDGET, ["1 × pro 1K: 5"]),
        (None, 23, 13, 0, Cap.POOL, []),
        (None, None, None, 7, Cap.BUDGET, ["1 × pro 2K: 7", "1 × pro 1K: 5"]),
    ],
)
async def test_a_caps_offers_pass_the_other_caps(
    store: Store,
    tmp_path: Path,
    own: int | None,
    pool: int | None,
    server: int | None,
    budget: int | None,
    reached: Cap,
    offers: list[str],
) -> None:
    limits = replace(limits_of(a_day(own)), servers=a_day(server), budget=a_day(budget))
    async with desk_with(store, tmp_path, limits) as desk:
        await desk.quotas.put_rule(CHANGE, Rule(Scope.POOL, 0, a_day(pool)))
        with pytest.raises(CapReached) as caught:
            await desk.generations.accept(make_request(settings=BEST))
        assert caught.value.cap is reached
        assert told(caught.value.affordable) == offers
        assert (await desk.quotas.overview(Requester(ALICE))).quota.balance.spent == 0
