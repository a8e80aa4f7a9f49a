"""The front desk and the tracker over a real store, with nobody at work behind them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp

from bot.domain.credits import KIE_PRICES, Allowance, Credits, Period, PriceList
from bot.domain.estimate import Capacity
from bot.domain.generation import Opening
from bot.domain.ids import IdMaker, KieTaskId
from bot.domain.polling import Steady
from bot.domain.ports import Card, ImageFile, Order, Posted, Progress, Report
from bot.domain.rules import ServerSettings
from bot.generation.cards import Cards
from bot.generation.courier import Courier
from bot.generation.jobs import Jobs
from bot.generation.leftovers import Leftovers
from bot.generation.means import Limits, Means
from bot.generation.quotas import Change, Quotas
from bot.generation.references import References
from bot.generation.service import Generations
from bot.generation.tracker import Tracker, TrackerOptions
from bot.generation.workload import Workload
from bot.media.darkroom import Darkroom
from bot.media.fetch import AllowedHosts, Fetcher
from bot.media.pixels import Studio
from bot.media.shelf import Shelf, ShelfLimits
from bot.media.spool import Spool
from bot.store.openings import Openings
from bot.store.store import Store
from tests.factories import NOW, limits_of


@dataclass
class SetClock:
    """A clock that stands where it was set."""

    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment


@dataclass
class BusyApi:
    """Works on every task for ever, and remembers after which it was asked."""

    asked: list[KieTaskId] = field(default_factory=list[KieTaskId])

    async def create(self, order: Order) -> KieTaskId:
        raise AssertionError("nobody submits here")

    async def report(self, task: KieTaskId) -> Report:
        self.asked.append(task)
        return Report(Progress.RUNNING)

    async def upload(self, data: bytes, filename: str, content_type: str) -> str:
        raise AssertionError("nobody uploads here")

    async def balance(self) -> Decimal:
        raise AssertionError("nobody watches here")


class ClosedDoor:
    """A Discord that nothing is delivered to: the courier is never opened."""

    async def show(self, card: Card) -> None:
        raise AssertionError("nobody shows anything here")

    async def deliver(self, card: Card, images: Sequence[ImageFile]) -> Posted:
        raise AssertionError("nobody delivers here")

    async def apologise(self, opening: Opening) -> None:
        raise AssertionError("nobody apologises here")


@dataclass(frozen=True)
class Desk:
    """What a test acts upon."""

    generations: Generations
    quotas: Quotas
    means: Means
    tracker: Tracker
    workload: Workload
    clock: SetClock
    api: BusyApi


async def settle_settings(quotas: Quotas, change: Change, settings: ServerSettings) -> None:
    """Make a server's settings these, whatever they were."""

    def these(_: ServerSettings) -> ServerSettings:
        return settings

    def words(_before: ServerSettings, _after: ServerSettings) -> str:
        return change.note

    await quotas.change_settings(change.guild_id, change.actor, these, words)


@asynccontextmanager
async def open_desk(
    store: Store, folder: Path, *, allowance: int = 50, open_limit: int = 10, limits: Limits | None = None
) -> AsyncGenerator[Desk, None]:
    """A desk with this daily allowance, or with such limits; ``folder`` is for the spool, which stays empty."""
    clock, api = SetClock(), BusyApi()
    workload = Workload(Capacity())
    prices = PriceList(KIE_PRICES)
    means = Means(clock, prices, limits or limits_of(Allowance(Credits(allowance), Period.DAY)))
    cards = Cards(store, clock, workload, means)
    with Studio() as studio, Openings(folder / "openings.journal") as openings:
        async with aiohttp.ClientSession() as session, Jobs("job", grace=0) as jobs, Darkroom() as darkroom:
            fetcher = Fetcher(session, AllowedHosts([]), seconds=1)
            shelf = Shelf(folder / "references", ShelfLimits(0, timedelta(days=1)))
            spool = Spool(folder / "spool", fetcher)
            leftovers = Leftovers(store, clock, spool, studio)
            courier = Courier(store, clock, cards, ClosedDoor(), spool, studio, leftovers, jobs)
            # Questions are far apart: one that comes soon was asked for.
            tracker = Tracker(store, api, clock, workload, courier, Steady(3600), TrackerOptions(late_every=3600), jobs)
            generations = Generations(
                store,
                clock,
                IdMaker(clock.now, start=0),
                prices,
                open_limit,
                References(fetcher, darkroom, shelf, api, store, clock),
                means,
                workload,
                courier,
                openings,
            )
            yield Desk(generations, Quotas(store, clock, means), means, tracker, workload, clock, api)
