"""Out of credits: what is offered instead can really be afforded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.domain.credits import Allowance, Credits, Period, Requester
from bot.domain.errors import CapReached, NotEnoughCredits
from bot.domain.ids import UserId
from bot.domain.rules import Cap, Rule, Scope
from bot.domain.settings import AspectRatio, CheaperOption, Model, Resolution, Settings
from bot.quota.service import Change
from bot.store.store import Store
from tests.factories import ALICE, limits_of, make_request
from tests.store.services import open_services

CHANGE = Change(ALICE.guild_id, UserId(9), "because")
BEST = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K)


def a_day(amount: int | None) -> Allowance:
    return Allowance(None if amount is None else Credits(amount), Period.DAY)


def described(options: Sequence[CheaperOption]) -> list[str]:
    return [
        f"{option.count} × {option.settings.model} {option.settings.resolution}: {option.price}" for option in options
    ]


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
async def test_what_is_offered_keeps_the_aspect_ratio_and_is_accepted(
    store: Store, tmp_path: Path, wanted: Settings, count: int, left: int, offers: list[str]
) -> None:
    async with open_services(store, tmp_path, limits=limits_of(a_day(left))) as services:
        with pytest.raises(NotEnoughCredits) as caught:
            await services.generations.accept(make_request(settings=wanted, count=count))
        assert described(caught.value.affordable) == offers
        for option in caught.value.affordable[:1]:
            assert option.settings.aspect_ratio is wanted.aspect_ratio
            await services.generations.accept(make_request(settings=option.settings, count=option.count))


@dataclass(frozen=True)
class Room:
    """Credits per day that each limit leaves; None without limit."""

    own: int | None = None
    bonus: int = 0
    pool: int | None = None
    server: int | None = None
    budget: int | None = None


@pytest.mark.parametrize(
    ("room", "reached", "left", "offers"),
    [
        (Room(own=3, bonus=4), None, 7, ["1 × pro 2K: 7", "1 × pro 1K: 5"]),
        (Room(own=20, pool=6), None, 20, ["1 × pro 1K: 5"]),
        (Room(100, pool=23), Cap.POOL, 23, ["1 × flex 1K: 14", "1 × pro 2K: 7"]),
        (Room(100, pool=23, server=13), Cap.POOL, 23, ["1 × pro 2K: 7", "1 × pro 1K: 5"]),
        (Room(100, pool=23, server=13, budget=6), Cap.POOL, 23, ["1 × pro 1K: 5"]),
        (Room(100, pool=100, server=13, budget=6), Cap.SERVER_LIMIT, 13, ["1 × pro 1K: 5"]),
        (Room(100, pool=100, server=100, budget=6), Cap.BUDGET, 6, ["1 × pro 1K: 5"]),
        (Room(pool=23, server=13, budget=0), Cap.POOL, 23, []),
        (Room(budget=7), Cap.BUDGET, 7, ["1 × pro 2K: 7", "1 × pro 1K: 5"]),
    ],
)
async def test_offers_respect_every_limit(
    store: Store, tmp_path: Path, room: Room, reached: Cap | None, left: int, offers: list[str]
) -> None:
    limits = replace(limits_of(a_day(room.own)), servers=a_day(room.server), budget=a_day(room.budget))
    async with open_services(store, tmp_path, limits=limits) as services:
        await services.quotas.put_rule(CHANGE, Rule(Scope.POOL, 0, a_day(room.pool)))
        if room.bonus:
            await services.quotas.grant(CHANGE, ALICE.user_id, Credits(room.bonus))
        with pytest.raises((NotEnoughCredits, CapReached)) as caught:
            await services.generations.accept(make_request(settings=BEST))
        assert (caught.value.cap if isinstance(caught.value, CapReached) else None) is reached
        assert (caught.value.left, described(caught.value.affordable)) == (left, offers)
        assert (await services.quotas.overview(Requester(ALICE))).standing.balance.spent == 0
