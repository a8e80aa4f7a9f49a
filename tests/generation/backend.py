"""One process of the bot but for Discord's side: services and workers on a real database, with short timings."""

import asyncio
import gc
import itertools
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from bot.cluster.leader import Leadership, OnlyProcess
from bot.domain.credits import KIE_PRICES, Account, Allowance, Period, PriceList, Requester
from bot.domain.generation import Destination, Generation, GenerationRequest, InteractionToken, Source, Task
from bot.domain.ids import ChannelId, GenerationId, GuildId, IdMaker, UserId
from bot.domain.ports import ImageApi
from bot.domain.settings import Settings
from bot.domain.states import TaskState
from bot.generation.delivery import DeliveryWorker
from bot.generation.pending_cards import PendingCardJournal, PendingCards
from bot.generation.pipeline import Pipeline
from bot.generation.previews import Previews
from bot.generation.recover import recover
from bot.generation.references import ReferencePreparer
from bot.generation.results import Results
from bot.generation.service import GenerationService
from bot.generation.submitter import Submitter
from bot.generation.tracker import Tracker
from bot.generation.undelivered import Undelivered
from bot.generation.workload import Workload
from bot.kie.client import KieClient, KieOptions
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import AllowedHosts, Fetcher, SourceFetcher
from bot.media.fitting import ImageThreads
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits
from bot.media.spool import Spool
from bot.quota.balance_monitor import BalanceMonitor
from bot.quota.policy import QuotaPolicy
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store
from demo.kie import KieStandIn
from tests.database import execute, fresh_database
from tests.factories import limits_of
from tests.generation.doubles import RecordingAlerts, RecordingSender, ShiftedClock
from tests.generation.tuning import Tuning
from tests.kie.schema import created
from tests.waiting import until

ALICE, BOB = UserId(11), UserId(22)
GUILD = GuildId(7)
PROMPT = "a lighthouse in a storm"

RESERVED, SETTLED, REFUNDED = ("reserve", Decimal(-5)), ("settle", Decimal(0)), ("refund", Decimal(5))
"""Entries of the ledger for one image of the usual settings."""
GOODWILL, LATE = ("goodwill", Decimal(5)), ("late", Decimal(-5))

_POLLED = {TaskState.RUNNING, TaskState.OVERDUE}


@dataclass(frozen=True)
class Backend:
    """A running process, with what tests act on and look at."""

    kie: KieStandIn
    clock: ShiftedClock
    sender: RecordingSender
    alerts: RecordingAlerts
    folder: Path
    runtime: Runtime
    pipeline: Pipeline
    generations: GenerationService
    monitor: BalanceMonitor
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
    def spool_folder(self) -> Path:
        return self.folder / "spool"

    async def request(
        self,
        prompt: str = PROMPT,
        *,
        by: UserId = ALICE,
        count: int = 1,
        settings: Settings | None = None,
        upload_limit: int = 10 << 20,
        sources: Sequence[Source] = (),
    ) -> GenerationId:
        """Accept a member's request."""
        token = InteractionToken(6, "token", self.clock.now() + timedelta(minutes=15))
        destination = Destination(ChannelId(5), token, None, private=False, upload_limit=upload_limit)
        requester = Requester(Account(by, GUILD))
        request = GenerationRequest(requester, prompt, settings or Settings(), count, (), destination)
        return await self.generations.accept(request, sources)

    async def generation(self, generation_id: GenerationId) -> Generation:
        async with self.store.read() as tx:
            generation = await tx.generations.get(generation_id)
        assert generation is not None
        return generation

    async def tasks(self, generation_id: GenerationId) -> tuple[Task, ...]:
        return (await self.generation(generation_id)).tasks

    async def states(self, generation_id: GenerationId) -> list[TaskState]:
        return [task.state for task in await self.tasks(generation_id)]

    async def wait_for_states(self, generation_id: GenerationId, *expected: TaskState) -> None:
        """Wait until the tasks are stored with these states, and watched with them where this process polls."""

        async def reached() -> bool:
            tasks = await self.tasks(generation_id)
            polled = [task for task in tasks if task.state in _POLLED and self.workload.leadership.leads]
            watched = all(self.tracker.state(task.id) is task.state for task in polled)
            return watched and [task.state for task in tasks] == [*expected]

        await until(reached, what=f"tasks to be {', '.join(expected)}")

    async def wait_for_post(self, generation_id: GenerationId, posts: int = 1, *, within: float = 25) -> Generation:
        """Wait until the outcome was posted so often, and stored; returns the generation as it is then."""

        async def posted() -> bool:
            generation = await self.generation(generation_id)
            count = len(self.sender.posts_of(generation_id))
            return count >= posts and generation.delivery == "done" and not generation.ready

        await until(posted, within=within, what=f"{posts} posts of generation {generation_id}")
        assert len(self.sender.posts_of(generation_id)) == posts
        return await self.generation(generation_id)

    async def request_and_wait(self, prompt: str = PROMPT, **options: Any) -> Generation:
        """Accept a request and wait for its post."""
        return await self.wait_for_post(await self.request(prompt, **options))

    def ledger(self, generation_id: GenerationId | None = None) -> list[tuple[str, Decimal]]:
        """All entries in order, or those of one generation, straight from the table."""
        condition = "" if generation_id is None else f"WHERE generation_id = {generation_id}"
        rows = execute(self.folder, f"SELECT movement, credits FROM ledger {condition} ORDER BY id")
        return [(movement, Decimal(thousandths) / 1000) for movement, thousandths in rows]

    async def spent(self, by: UserId = ALICE) -> Decimal:
        """What the member's statement shows as spent."""
        return (await self.generations.statement(Requester(Account(by, GUILD)))).quota.balance.spent

    def prompts(self) -> list[str]:
        """The prompts of all createTask calls, in the order in which KIE received them."""
        bodies: list[Any] = [call.json for call in created(self.kie)]
        return [body["input"]["prompt"] for body in bodies]


class Installation:
    """A data folder, on which one process after another is started and killed.

    With ``url`` the database is another one, which further installations may share; each has its own ``number``.
    """

    def __init__(self, folder: Path, kie: KieStandIn, *, url: str | None = None, number: int = 0) -> None:
        self._url = url
        self.kie = kie
        self.clock = ShiftedClock()
        self._folder = folder
        self._starts = itertools.count((number << 12) + 1)

    @asynccontextmanager
    async def start(
        self,
        tuning: Tuning | None = None,
        *,
        working: bool = True,
        discord_up: bool = True,
        wrap: Callable[[ImageApi], ImageApi] | None = None,
        sender: RecordingSender | None = None,
        leadership: Leadership | None = None,
        cards: Callable[[Runtime], PendingCards] | None = None,
    ) -> AsyncGenerator[Backend, None]:
        """One process. Leaving kills it: nothing in progress is waited for.

        ``working=False`` starts no worker, ``discord_up=False`` no delivery; ``wrap`` replaces KIE's client,
        ``cards`` the journal.
        """
        tuning = tuning or Tuning()
        # A cancelled write holds the lock of its closed connection until that is collected; a killed process would not.
        gc.collect()
        async with AsyncExitStack() as stack:
            backend = await self._assemble(stack, tuning, wrap, sender or RecordingSender(), leadership, cards)
            submitter, delivery = backend.pipeline.submitter, backend.pipeline.delivery
            await stack.enter_async_context(backend.runtime.background)
            if working:
                await recover(backend.runtime, backend.pipeline)
                await backend.monitor.restore()
            work = (submitter.run, backend.tracker.run, delivery.run, partial(backend.monitor.run, backend.alerts))
            workers = [asyncio.create_task(worker()) for worker in work if working]
            if discord_up:
                delivery.start(backend.sender, backend.alerts)
            try:
                yield backend
            finally:
                died = [worker for worker in workers if worker.done()]
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        assert not died, f"a worker died: {died}"

    async def _assemble(
        self,
        stack: AsyncExitStack,
        tuning: Tuning,
        wrap: Callable[[ImageApi], ImageApi] | None,
        sender: RecordingSender,
        leadership: Leadership | None,
        cards: Callable[[Runtime], PendingCards] | None,
    ) -> Backend:
        folder, base_url = self._folder, self.kie.base_url
        store = await stack.enter_async_context(Store.open(self._url or fresh_database(folder)))
        threads = stack.enter_context(ImageThreads())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        downloads = await stack.enter_async_context(aiohttp.ClientSession())
        api: ImageApi = KieClient(
            session,
            KieOptions(
                "test-key",
                base_url,
                base_url,
                request_seconds=tuning.request_seconds,
                poll_seconds=tuning.poll_seconds,
            ),
        )
        api = wrap(api) if wrap else api
        fetcher = Fetcher(downloads, AllowedHosts(["127.0.0.1"]), seconds=tuning.download_seconds)
        new_id = IdMaker(self.clock.now, start=next(self._starts))
        runtime = Runtime(store, self.clock, BackgroundTasks("background", grace=0), new_id)
        pace = tuning.pace()
        workload = Workload(tuning.kie_limits, durations=pace.durations, leadership=leadership or OnlyProcess())
        spool = Spool(folder / "spool", fetcher)
        results = Results(runtime, api=api, workload=workload, spool=spool, threads=threads)
        sandbox = await stack.enter_async_context(DecodeSandbox())
        previews = Previews(runtime, results=results, sandbox=sandbox, folder=folder, keep=tuning.previews)
        undelivered = Undelivered(runtime, results, previews)
        delivery = DeliveryWorker(runtime, workload=workload, results=results, previews=previews)
        tracker = Tracker(runtime, api=api, workload=workload, delivery=delivery, pace=pace, options=tuning.tracker)
        submitter = Submitter(
            runtime, api=api, workload=workload, tracker=tracker, delivery=delivery, options=tuning.submitter
        )
        cache = ReferenceCache(folder / "references", ReferenceCacheLimits(100_000_000, timedelta(days=90)), self.clock)
        prices = PriceList(KIE_PRICES)
        pending_cards = stack.enter_context(PendingCardJournal(folder / "pending_cards.journal"))
        generations = GenerationService(
            runtime,
            prices=prices,
            open_limit=tuning.open_limit,
            references=ReferencePreparer(
                runtime, fetcher=SourceFetcher(fetcher, fetcher), sandbox=sandbox, cache=cache, api=api
            ),
            policy=QuotaPolicy(self.clock, prices, limits_of(Allowance(Decimal(tuning.credits), Period.DAY))),
            workload=workload,
            delivery=delivery,
            pending_cards=cards(runtime) if cards else pending_cards,
        )
        return Backend(
            kie=self.kie,
            clock=self.clock,
            sender=sender,
            alerts=RecordingAlerts(),
            folder=folder,
            runtime=runtime,
            pipeline=Pipeline(workload, submitter, tracker, delivery, undelivered, results),
            generations=generations,
            monitor=BalanceMonitor(
                runtime,
                api=api,
                funds_breaker=workload.funds_breaker,
                work_changed=workload.changed,
                options=tuning.monitor,
            ),
            pending_cards=pending_cards,
        )
