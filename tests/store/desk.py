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
from bot.domain.generation import PendingCard
from bot.domain.ids import IdMaker, KieTaskId
from bot.domain.ports import Card, ImageFile, Posted, Progress, TaskInput, TaskReport
from bot.domain.rules import ServerSettings
from bot.generation.cards import Cards
from bot.generation.delivery import DeliveryWorker
from bot.generation.pending_cards import PendingCardJournal
from bot.generation.references import ReferencePreparer
from bot.generation.service import GenerationService
from bot.generation.tracker import Tracker, TrackerOptions
from bot.generation.undelivered import Undelivered
from bot.generation.workload import Workload
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import AllowedHosts, Fetcher
from bot.media.fitting import ImageThreads
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits
from bot.media.spool import Spool
from bot.polling.pace import Pace
from bot.quota.policy import QuotaLimits, QuotaPolicy
from bot.quota.service import Change, QuotaService
from bot.runtime import BackgroundTasks
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

    async def create(self, order: TaskInput) -> KieTaskId:
        raise AssertionError("nobody submits here")

    async def report(self, task: KieTaskId) -> TaskReport:
        self.asked.append(task)
        return TaskReport(Progress.RUNNING)

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

    async def show_interrupted(self, opening: PendingCard) -> None:
        raise AssertionError("nobody apologises here")


@dataclass(frozen=True)
class Desk:
    """What a test acts upon."""

    generations: GenerationService
    quotas: QuotaService
    means: QuotaPolicy
    tracker: Tracker
    workload: Workload
    clock: SetClock
    api: BusyApi


async def settle_settings(quotas: QuotaService, change: Change, settings: ServerSettings) -> None:
    """Make a server's settings these, whatever they were."""

    def these(_: ServerSettings) -> ServerSettings:
        return settings

    def words(_before: ServerSettings, _after: ServerSettings) -> str:
        return change.note

    await quotas.change_settings(change.guild_id, change.actor, these, words)


@asynccontextmanager
async def open_desk(
    store: Store, folder: Path, *, allowance: int = 50, open_limit: int = 10, limits: QuotaLimits | None = None
) -> AsyncGenerator[Desk, None]:
    """A desk with this daily allowance, or with such limits; ``folder`` is for the spool, which stays empty."""
    clock, api = SetClock(), BusyApi()
    workload = Workload(Capacity())
    prices = PriceList(KIE_PRICES)
    means = QuotaPolicy(clock, prices, limits or limits_of(Allowance(Credits(allowance), Period.DAY)))
    cards = Cards(store, clock, workload, means)
    with ImageThreads() as studio, PendingCardJournal(folder / "openings.journal") as openings:
        async with (
            aiohttp.ClientSession() as session,
            BackgroundTasks("job", grace=0) as jobs,
            DecodeSandbox() as darkroom,
        ):
            fetcher = Fetcher(session, AllowedHosts([]), seconds=1)
            shelf = ReferenceCache(folder / "references", ReferenceCacheLimits(0, timedelta(days=1)))
            spool = Spool(folder / "spool", fetcher)
            leftovers = Undelivered(store, clock, spool, studio)
            courier = DeliveryWorker(store, clock, cards, ClosedDoor(), spool, studio, leftovers, jobs)
            # Polls are far apart: one that comes soon was asked for.
            options = TrackerOptions(late_every=3600)
            tracker = Tracker(store, api, clock, workload, courier, Pace(every=3600), options, jobs)
            generations = GenerationService(
                store,
                clock,
                IdMaker(clock.now, start=0),
                prices,
                open_limit,
                ReferencePreparer(fetcher, darkroom, shelf, api, store, clock),
                means,
                workload,
                courier,
                openings,
            )
            yield Desk(generations, QuotaService(store, clock, means), means, tracker, workload, clock, api)
