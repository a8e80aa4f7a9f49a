"""Services over a real store, without the workers that submit, poll and deliver."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp

from bot.domain.credits import KIE_PRICES, Allowance, Credits, Period, PriceList
from bot.domain.ids import IdMaker, KieTaskId
from bot.domain.kie_limits import KIE_LIMITS
from bot.domain.ports import Progress, TaskInput, TaskReport
from bot.domain.rules import ServerSettings
from bot.generation.delivery import DeliveryWorker
from bot.generation.pending_cards import PendingCardJournal
from bot.generation.previews import Previews
from bot.generation.references import ReferencePreparer
from bot.generation.results import Results
from bot.generation.service import GenerationService
from bot.generation.tracker import Tracker, TrackerOptions
from bot.generation.workload import Workload
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import AllowedHosts, Fetcher, SourceFetcher
from bot.media.fitting import ImageThreads
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits
from bot.media.spool import Spool
from bot.polling.pace import Pace
from bot.quota.policy import QuotaLimits, QuotaPolicy
from bot.quota.service import Change, QuotaService
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store
from tests.factories import NOW, limits_of


@dataclass
class SetClock:
    """A clock that shows the time it was set to."""

    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment

    def steady(self) -> datetime:
        return self.moment

    def is_settled(self) -> bool:
        return True

    def forget_before(self, kept_for: timedelta) -> datetime:
        return self.moment - kept_for


@dataclass
class BusyApi:
    """Every task is running for ever; remembers which were polled."""

    asked: list[KieTaskId] = field(default_factory=list[KieTaskId])

    async def create(self, task_input: TaskInput) -> KieTaskId:
        raise AssertionError("nobody submits here")

    async def report(self, task: KieTaskId) -> TaskReport:
        self.asked.append(task)
        return TaskReport(Progress.RUNNING)

    async def upload(self, data: bytes, filename: str, content_type: str) -> str:
        raise AssertionError("nobody uploads here")

    async def download_url(self, url: str) -> str:
        raise AssertionError("nobody downloads here")

    async def balance(self) -> Decimal:
        raise AssertionError("nobody watches here")


@dataclass(frozen=True)
class ServiceFixture:
    """The services that a test calls."""

    runtime: Runtime
    generations: GenerationService
    quotas: QuotaService
    policy: QuotaPolicy
    tracker: Tracker
    workload: Workload
    clock: SetClock
    api: BusyApi


async def replace_settings(quotas: QuotaService, change: Change, settings: ServerSettings) -> None:
    """Replace a server's settings."""

    def these(_: ServerSettings) -> ServerSettings:
        return settings

    await quotas.change_settings(change, these)


@asynccontextmanager
async def open_services(
    store: Store,
    folder: Path,
    *,
    allowance: int = 50,
    open_limit: int = 10,
    limits: QuotaLimits | None = None,
    process: int = 0,
) -> AsyncGenerator[ServiceFixture, None]:
    """Services with this daily allowance, or with these limits; ``folder`` is for the spool, which stays empty."""
    clock, api = SetClock(), BusyApi()
    workload = Workload(KIE_LIMITS)
    prices = PriceList(KIE_PRICES)
    policy = QuotaPolicy(clock, prices, limits or limits_of(Allowance(Credits(allowance), Period.DAY)))
    runtime = Runtime(store, clock, BackgroundTasks("background", grace=0), IdMaker(clock.now, start=process << 12))
    with ImageThreads() as threads, PendingCardJournal(folder / "openings.journal") as pending_cards:
        async with aiohttp.ClientSession() as session, runtime.background, DecodeSandbox() as sandbox:
            fetcher = Fetcher(session, AllowedHosts([]), seconds=1)
            cache = ReferenceCache(folder / "references", ReferenceCacheLimits(0, timedelta(days=1)), clock)
            spool = Spool(folder / "spool", fetcher)
            results = Results(runtime, api=api, workload=workload, spool=spool, threads=threads)
            # Never started: nothing is delivered.
            previews = Previews(runtime, results=results, sandbox=sandbox, folder=folder, keep=0)
            delivery = DeliveryWorker(runtime, workload=workload, results=results, previews=previews)
            tracker = Tracker(
                runtime,
                api=api,
                workload=workload,
                delivery=delivery,
                # Polls are far apart: one that comes soon was asked for.
                pace=Pace(every=3600),
                options=TrackerOptions(late_every=3600),
            )
            generations = GenerationService(
                runtime,
                prices=prices,
                open_limit=open_limit,
                references=ReferencePreparer(
                    runtime, fetcher=SourceFetcher(fetcher, fetcher), sandbox=sandbox, cache=cache, api=api
                ),
                policy=policy,
                workload=workload,
                delivery=delivery,
                pending_cards=pending_cards,
            )
            yield ServiceFixture(
                runtime, generations, QuotaService(runtime, policy), policy, tracker, workload, clock, api
            )
