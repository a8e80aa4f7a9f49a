"""The generation room assembled as the bot does it, with short timings."""

import asyncio
import gc
import itertools
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from bot.domain.credits import KIE_PRICES, Account, Allowance, Period, PriceList, Requester
from bot.domain.estimate import Capacity
from bot.domain.generation import Destination, Generation, GenerationRequest, InteractionToken, Source, Task
from bot.domain.ids import ChannelId, GenerationId, GuildId, IdMaker, UserId
from bot.domain.polling import Pace, Steady
from bot.domain.ports import ImageApi
from bot.domain.settings import Settings
from bot.domain.states import TaskState
from bot.generation.delivery import DeliveryWorker
from bot.generation.pending_cards import PendingCardJournal
from bot.generation.pipeline import Pipeline
from bot.generation.recover import recover
from bot.generation.references import ReferencePreparer
from bot.generation.service import GenerationService
from bot.generation.submitter import Submitter, SubmitterOptions
from bot.generation.tracker import Tracker, TrackerOptions
from bot.generation.undelivered import Undelivered
from bot.generation.workload import Workload
from bot.kie.client import KieClient, KieOptions
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import AllowedHosts, Fetcher
from bot.media.fitting import ImageThreads
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits
from bot.media.spool import Spool
from bot.quota.balance_monitor import BalanceMonitor, BalanceMonitorOptions
from bot.quota.policy import QuotaPolicy
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store
from demo.kie import Json, KieStandIn
from tests.factories import limits_of
from tests.generation.doubles import RecordedAlerts, RecordingSender, ShiftedClock
from tests.kie.schema import created
from tests.waiting import until

ALICE, BOB = UserId(11), UserId(22)
GUILD = GuildId(7)
PROMPT = "a lighthouse in a storm"

_SUBMITTING = SubmitterOptions(task_deadline=30, give_up_after=20, backoff=(0.02, 0.05))
_PACE = Steady(0.02)
_TRACKING = TrackerOptions(late_every=0.02, late_for=60, setback=0.03, calls_per_second=1000)
_WATCHING = BalanceMonitorOptions(every=60, every_while_paused=0.02)
_CAPACITY = Capacity(new_tasks=1000, window=10, at_work=100)


@dataclass(frozen=True)
class Tuning:
    """What a test may want otherwise. Times in seconds."""

    submitting: SubmitterOptions = _SUBMITTING
    pace: Pace = _PACE
    tracking: TrackerOptions = _TRACKING
    watching: BalanceMonitorOptions = _WATCHING
    capacity: Capacity = _CAPACITY
    request_seconds: float = 5
    download_seconds: float = 5
    credits: int = 10_000
    open_limit: int = 1000
    result_hosts: Sequence[str] = ("127.0.0.1",)


@dataclass(frozen=True)
class Easel:
    """One process of Easel, as far as generations go."""

    kie: KieStandIn
    clock: ShiftedClock
    discord: RecordingSender
    database: Path
    runtime: Runtime
    pipeline: Pipeline
    generations: GenerationService
    monitor: BalanceMonitor
    alerts: RecordedAlerts
    pending_cards: PendingCardJournal

    @property
    def store(self) -> Store:
        return self.runtime.store

    @property
    def workload(self) -> Workload:
        return self.pipeline.workload

    @property
    def tracker(self) -> Tracker:
        return self.pipeline.tracker

    @property
    def delivery(self) -> DeliveryWorker:
        return self.pipeline.delivery

    @property
    def spool(self) -> Spool:
        return self.pipeline.spool

    @property
    def undelivered(self) -> Undelivered:
        return self.pipeline.undelivered

    async def ask(
        self,
        prompt: str = PROMPT,
        *,
        by: UserId = ALICE,
        count: int = 1,
        settings: Settings | None = None,
        upload_limit: int = 10 << 20,
        sources: Sequence[Source] = (),
    ) -> GenerationId:
        """A member's wish."""
        account = Account(by, GUILD)
        expires = self.clock.now() + timedelta(minutes=15)
        token = InteractionToken(6, "token", expires)
        where = Destination(ChannelId(5), token, None, private=False, upload_limit=upload_limit)
        return await self.generations.accept(
            GenerationRequest(Requester(account), prompt, settings or Settings(), count, (), where), sources
        )

    async def generation(self, generation_id: GenerationId) -> Generation:
        async with self.store.read() as tx:
            found = await tx.generations.get(generation_id)
        assert found is not None
        return found

    async def tasks(self, generation_id: GenerationId) -> tuple[Task, ...]:
        return (await self.generation(generation_id)).tasks

    async def states(self, generation_id: GenerationId) -> list[TaskState]:
        return [task.state for task in await self.tasks(generation_id)]

    async def reach(self, generation_id: GenerationId, *wanted: TaskState, within: float = 10) -> None:
        """Wait until the tasks stand so."""

        async def stand() -> bool:
            return await self.states(generation_id) == [*wanted]

        await until(stand, within=within, what=f"tasks to be {', '.join(wanted)}")

    async def told(self, generation_id: GenerationId, times: int = 1, *, within: float = 10) -> Generation:
        """Wait until the outcome was posted so often and written down; gives the generation as it stands then."""

        async def done() -> bool:
            generation = await self.generation(generation_id)
            return (
                len(self.discord.told(generation_id)) >= times
                and generation.delivery == "done"
                and not generation.ready
            )

        await until(done, within=within, what=f"generation {generation_id} to be told {times} times")
        assert len(self.discord.told(generation_id)) == times
        return await self.generation(generation_id)

    def ledger(self, generation_id: GenerationId | None = None) -> list[tuple[str, Decimal]]:
        """Every movement in its order, straight from the table."""
        with_one = "" if generation_id is None else f"WHERE generation_id = {generation_id}"
        connection = sqlite3.connect(self.database)
        try:
            rows = connection.execute(f"SELECT movement, credits FROM ledger {with_one} ORDER BY id").fetchall()
        finally:
            connection.close()
        return [(movement, Decimal(thousandths) / 1000) for movement, thousandths in rows]

    async def spent(self, by: UserId = ALICE) -> Decimal:
        """What the member's statement says was spent."""
        return (await self.generations.statement(Requester(Account(by, GUILD)))).quota.balance.spent

    def prompts(self) -> list[str]:
        """The prompts of all createTask calls, in the order in which KIE saw them."""
        return [prompt_of(call.json) for call in created(self.kie)]


def prompt_of(body: Json) -> str:
    """The prompt in the body of a createTask."""
    assert isinstance(body, dict)
    given = body["input"]
    assert isinstance(given, dict)
    return str(given["prompt"])


class House:
    """Starts processes of Easel one after another on the same database, and kills them."""

    def __init__(self, folder: Path, kie: KieStandIn) -> None:
        self.kie = kie
        self.clock = ShiftedClock()
        self._folder = folder
        self._starts = itertools.count(1)

    @asynccontextmanager
    async def easel(
        self,
        tuning: Tuning | None = None,
        *,
        working: bool = True,
        discord_up: bool = True,
        wrap: Callable[[ImageApi], ImageApi] | None = None,
        discord: RecordingSender | None = None,
    ) -> AsyncGenerator[Easel, None]:
        """One process. Leaving kills it: nothing under way is waited for.

        ``wrap`` puts something around KIE's client; ``working=False`` starts no worker;
        ``discord_up=False`` leaves the delivery waiting.
        """
        tuning = tuning or Tuning()
        discord = discord or RecordingSender()
        database = self._folder / "easel.db"
        # A process that is killed takes its cursors along. What was cancelled here in the midst of a write holds the
        # lock of its closed connection until it is collected.
        gc.collect()
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(Store.open(f"sqlite:///{database}"))
            threads = stack.enter_context(ImageThreads())
            session = await stack.enter_async_context(aiohttp.ClientSession())
            files = await stack.enter_async_context(aiohttp.ClientSession())
            base = self.kie.base_url
            options = KieOptions("test-key", base, base, request_seconds=tuning.request_seconds)
            api: ImageApi = KieClient(session, options)
            api = wrap(api) if wrap else api
            new_id = IdMaker(self.clock.now, start=next(self._starts))
            runtime = Runtime(store, self.clock, BackgroundTasks("background", grace=0), new_id)
            workload = Workload(tuning.capacity)
            results = Fetcher(files, AllowedHosts(tuning.result_hosts), seconds=tuning.download_seconds)
            spool = Spool(self._folder / "spool", results)
            prices = PriceList(KIE_PRICES)
            policy = QuotaPolicy(self.clock, prices, limits_of(Allowance(Decimal(tuning.credits), Period.DAY)))
            undelivered = Undelivered(runtime, spool=spool, threads=threads)
            delivery = DeliveryWorker(runtime, workload=workload, spool=spool, threads=threads, undelivered=undelivered)
            tracker = Tracker(
                runtime, api=api, workload=workload, delivery=delivery, pace=tuning.pace, options=tuning.tracking
            )
            submitter = Submitter(
                runtime, api=api, workload=workload, tracker=tracker, delivery=delivery, options=tuning.submitting
            )
            pending_cards = stack.enter_context(PendingCardJournal(self._folder / "openings.journal"))
            generations = GenerationService(
                runtime,
                prices=prices,
                open_limit=tuning.open_limit,
                references=ReferencePreparer(
                    runtime,
                    fetcher=Fetcher(files, AllowedHosts(["127.0.0.1"]), seconds=tuning.download_seconds),
                    sandbox=await stack.enter_async_context(DecodeSandbox()),
                    cache=ReferenceCache(
                        self._folder / "references", ReferenceCacheLimits(100_000_000, timedelta(days=90))
                    ),
                    api=api,
                ),
                policy=policy,
                workload=workload,
                delivery=delivery,
                pending_cards=pending_cards,
            )
            monitor = BalanceMonitor(
                runtime,
                api=api,
                funds_breaker=workload.funds_breaker,
                work_changed=workload.changed,
                options=tuning.watching,
            )
            alerts = RecordedAlerts()
            pipeline = Pipeline(workload, submitter, tracker, delivery, undelivered, spool)
            easel = Easel(
                kie=self.kie,
                clock=self.clock,
                discord=discord,
                database=database,
                runtime=runtime,
                pipeline=pipeline,
                generations=generations,
                monitor=monitor,
                alerts=alerts,
                pending_cards=pending_cards,
            )
            async with runtime.background:
                if working:
                    await recover(runtime, pipeline, hold_ambiguous=tuning.submitting.hold_ambiguous)
                    await monitor.restore()
                running = (submitter.run(), tracker.run(), monitor.run(alerts)) if working else ()
                workers = [asyncio.create_task(work) for work in running]
                if discord_up:
                    delivery.start(discord)
                try:
                    yield easel
                finally:
                    died = [worker for worker in workers if worker.done()]
                    for worker in workers:
                        worker.cancel()
                    await asyncio.gather(*workers, return_exceptions=True)
            assert not died, f"a worker died: {died}"


def tuned(**changes: Any) -> Tuning:
    """The usual tuning with changes."""
    return replace(Tuning(), **changes)


def submitting(**changes: Any) -> Tuning:
    """The usual tuning with changes to the submitter's options."""
    return tuned(submitting=replace(Tuning().submitting, **changes))


def watching(**changes: Any) -> Tuning:
    """The usual tuning with changes to the watcher's options."""
    return tuned(watching=replace(Tuning().watching, **changes))
