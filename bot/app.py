"""The composition root: opens every resource in one place, supervises the workers, and ends in order."""

import asyncio
import gc
import secrets
import shutil
import signal
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import aiohttp
import discord
import structlog
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bot import options
from bot.client import EaselClient
from bot.config import Config
from bot.domain.errors import OperatorError
from bot.domain.estimate import Capacity
from bot.domain.ids import IdMaker
from bot.domain.ports import Clock, MessageSender
from bot.generation.cards import Cards
from bot.generation.delivery import DeliveryWorker
from bot.generation.history import History
from bot.generation.pending_cards import PendingCardJournal
from bot.generation.recover import recover, report_interrupted
from bot.generation.references import ReferencePreparer
from bot.generation.service import GenerationService
from bot.generation.status import StatusBoard
from bot.generation.submitter import Submitter
from bot.generation.tracker import Tracker
from bot.generation.undelivered import Undelivered
from bot.generation.workload import Workload
from bot.kie.client import KieClient
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import AllowedHosts, Fetcher
from bot.media.fitting import ImageThreads
from bot.media.reference_cache import ReferenceCache
from bot.media.spool import Spool
from bot.media.ssrf import download_session
from bot.network import client_session
from bot.quota.balance_monitor import BalanceMonitor
from bot.quota.credit_requests import CreditRequests
from bot.quota.policy import QuotaPolicy
from bot.quota.service import QuotaService
from bot.runtime import BackgroundTasks, retry_until_available
from bot.store import sqlite
from bot.store.store import Store
from bot.ui.acknowledger import Acknowledger
from bot.ui.alerts import DiscordAlerts
from bot.ui.credit_requests import notify_decisions
from bot.ui.errors import ErrorReporter
from bot.ui.message_sender import DiscordMessageSender
from bot.web.callback import CallbackRoute
from bot.web.server import serve

log = structlog.stdlib.get_logger(__name__)

_ACCEPTING_GRACE = 2.0
_GRACE = 6.0
"""Seconds that wishes under way get at the end, and then what is under way for them; container engines kill after ten.
"""
_LOGIN_PAUSES = (1, 2, 5, 10, 30)
_YOUNG_OBJECTS = 5_000


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Application:
    """Easel, assembled and not yet running: the client, and the workers beside it."""

    client: EaselClient
    store: Store
    clock: Clock
    workload: Workload
    submitter: Submitter
    tracker: Tracker
    watcher: BalanceMonitor
    courier: DeliveryWorker
    spool: Spool
    leftovers: Undelivered
    openings: PendingCardJournal
    deliverer: MessageSender
    jobs: BackgroundTasks
    workers: dict[str, asyncio.Task[None]]
    """The running workers by name; filled by :meth:`work`."""
    hold_ambiguous: bool

    async def work(self) -> None:
        """Go on with what the store holds, then submit, track and deliver until cancelled.

        Start it beside the client, never inside it. Leaving waits some seconds for what is under way.
        """
        async with self.jobs:
            await recover(
                self.store,
                self.clock,
                self.workload,
                self.tracker,
                self.courier,
                self.spool,
                self.leftovers,
                hold_ambiguous=self.hold_ambiguous,
            )
            await retry_until_available(self.watcher.restore)
            async with asyncio.TaskGroup() as group:
                for worker in (self.submitter, self.tracker, self.watcher):
                    name = type(worker).__name__.lower()
                    self.workers[name] = group.create_task(worker.run(), name=name)
                await self.client.wait_until_logged_in()
                self.courier.open()
                await report_interrupted(self.store, self.openings, self.deliverer, self.jobs)
                self.jobs.start(notify_decisions(self.client, self.client.asking))


@asynccontextmanager
async def assemble(
    config: Config, *, clock: Clock | None = None, reads_messages: bool = False
) -> AsyncGenerator[Application, None]:
    """Open the store, the sessions and the threads, and put the rooms together; closes them all at the end.

    ``reads_messages`` is for a simulated Discord, which does not tell that it grants the message-content intent.
    """
    clock = clock or SystemClock()
    callbacks = bool(config.kie.callback_url)
    async with AsyncExitStack() as stack:
        stack.enter_context(sqlite.only_one(config.database.url))
        store = await stack.enter_async_context(Store.open(config.database.url))
        studio = stack.enter_context(ImageThreads())
        # Each with connections of its own: a host that hangs holds up nothing else, and KIE's key goes to KIE alone.
        tasks_session, uploads_session, results_session, attachments_session = [
            await stack.enter_async_context(opened())
            for opened in (client_session, client_session, download_session, download_session)
        ]
        api = KieClient(tasks_session, options.kie_options(config), uploads_session)
        capacity = Capacity(
            new_tasks=config.kie.new_tasks, window=config.kie.new_tasks_window, at_work=config.kie.running_tasks
        )
        pace = options.pace(config)
        workload = Workload(capacity, durations=pace.durations)
        seconds = config.kie.download_timeout
        results = Fetcher(results_session, AllowedHosts(config.kie.result_hosts), seconds=seconds)
        attachments = Fetcher(attachments_session, AllowedHosts(config.discord.cdn_hosts), seconds=seconds)
        folder = sqlite.database_file(config.database.url).parent
        spool = Spool(folder / "spool", results)
        openings = stack.enter_context(PendingCardJournal(folder / "openings.journal"))
        shelf = ReferenceCache(folder / "references", options.shelf_limits(config))
        darkroom = await stack.enter_async_context(DecodeSandbox())
        prices = options.prices(config)
        means = QuotaPolicy(clock, prices, options.limits(config))
        cards = Cards(store, clock, workload, means)
        jobs = BackgroundTasks("job", grace=_GRACE)
        client = EaselClient(store, options.command_options(config, prices), reads_messages=reads_messages)
        leftovers = client.leftovers = Undelivered(store, clock, spool, studio)
        deliverer = DiscordMessageSender(client, clock)
        courier = DeliveryWorker(store, clock, cards, deliverer, spool, studio, leftovers, jobs)
        tracker = Tracker(
            store,
            api,
            clock,
            workload,
            courier,
            pace,
            options.tracker_options(config),
            jobs,
        )
        submitter = Submitter(store, api, clock, workload, tracker, courier, options.submitter_options(config), jobs)
        client.reporter, client.reception = ErrorReporter(openings), Acknowledger(openings, clock)
        alarms = DiscordAlerts(client, options.alarm_channel(config), client.wait_until_logged_in)
        watcher = BalanceMonitor(store, api, clock, workload, alarms, options.watcher_options(config), jobs)
        workers: dict[str, asyncio.Task[None]] = {}
        client.board = StatusBoard(store, clock, workload, submitter, watcher, workers)
        new_id = IdMaker(clock.now, start=secrets.randbits(22))
        client.history = History(store, clock, new_id)
        client.quotas = QuotaService(store, clock, means)
        client.asking = CreditRequests(store, clock, means, new_id)
        client.generations = GenerationService(
            store,
            clock,
            new_id,
            prices,
            config.quota.open_generations,
            ReferencePreparer(attachments, darkroom, shelf, api, store, clock, _emptied(folder / "workshop")),
            means,
            workload,
            courier,
            openings,
        )
        yield Application(
            client,
            store,
            clock,
            workload,
            submitter,
            tracker,
            watcher,
            courier,
            spool,
            leftovers,
            openings,
            deliverer,
            jobs,
            workers,
            hold_ambiguous=callbacks,
        )


async def run(config: Config) -> bool:
    """Run the bot until SIGTERM or SIGINT; False when something died. Raises OperatorError for what is to be mended.

    Whatever dies unexpectedly is logged and takes the process with it, after an orderly end.
    """
    _point_at(config.discord.api_url, config.discord.gateway_url)
    stop = _stop_signal()
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(assemble(config))
        stack.push_async_callback(app.client.close)
        working = _supervised(stack, app.work(), "workers")
        await _serve(stack, config, app, working)
        connected = _supervised(stack, _connect(app.client, config), "discord")
        stopping = _supervised(stack, stop.wait(), "stop signal")
        _calm_the_garbage_collector()
        ended, _ = await asyncio.wait({working, connected, stopping}, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping", because=[task.get_name() for task in ended])
        died = [task for task in ended if task is not stopping]
        # Let what is under way finish while Discord and KIE can still be reached.
        if not died:
            await app.client.generations.finish(_ACCEPTING_GRACE)
        await _end(working)
    for task in died:
        error = task.exception() if not task.cancelled() else None
        if isinstance(error, OperatorError):
            raise error
        log.critical("died", part=task.get_name(), exc_info=error)
    log.info("stopped")
    return not died


def _supervised(stack: AsyncExitStack, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """The work as a task that does not outlive the stack."""
    task = asyncio.create_task(work, name=name)
    stack.push_async_callback(_end, task)
    return task


async def _serve(stack: AsyncExitStack, config: Config, app: Application, working: asyncio.Task[None]) -> None:
    def ready() -> dict[str, bool]:
        return {"discord": app.client.is_ready(), "workers": not working.done()}

    try:
        await stack.enter_async_context(
            serve(config.web.host, config.web.port, ready=ready, callback=_callback_route(config, app))
        )
    except OSError as error:
        where = f"{config.web.host}:{config.web.port}"
        raise OperatorError(f"web.host and web.port: {where} cannot be listened on; choose another.") from error


async def sync(config: Config) -> None:
    """Tell Discord the commands' definitions, whether or not they changed."""
    _point_at(config.discord.api_url, config.discord.gateway_url)
    async with assemble(config) as app, app.client:
        await _login(app.client, config)
        await app.client.sync_if_changed(force=True)


async def _connect(client: EaselClient, config: Config) -> None:
    await _login(client, config)
    await client.connect(reconnect=True)


async def _login(client: EaselClient, config: Config) -> None:
    """Log in, however long Discord cannot be reached; raises OperatorError when it refuses the token."""
    token = config.discord.token.get_secret_value().strip()
    for pause in chain(_LOGIN_PAUSES, repeat(_LOGIN_PAUSES[-1])):
        try:
            await client.login(token)
        except discord.LoginFailure as error:
            raise OperatorError("Discord refused discord.token: copy the bot's token anew.") from error
        except (discord.DiscordServerError, aiohttp.ClientError, OSError) as error:
            log.warning("Discord cannot be reached", error=type(error).__name__, pause=pause)
            await client.http.close()
            await asyncio.sleep(pause)
        else:
            return


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its orderly end; its own error is looked at by whoever started it."""
    task.cancel()
    await asyncio.wait({task})


def _callback_route(config: Config, app: Application) -> CallbackRoute | None:
    if not config.kie.callback_url:
        return None
    key = config.kie.callback_key.get_secret_value()
    if not key:
        raise OperatorError("kie.callback_key is missing: callbacks without a signature would be anybody's.")
    return CallbackRoute(key, app.tracker, app.clock, proxies=config.web.trusted_proxies)


def _emptied(folder: Path) -> Path:
    """A private folder without what a process that was killed has left in it: members' pictures."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _point_at(api_url: str, gateway_url: str) -> None:
    """Send discord.py to another host; it has no other way than these two class attributes."""
    Route.BASE = api_url
    if gateway_url:
        DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway_url)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _calm_the_garbage_collector() -> None:
    """What was made at start stays: never looking at it spares pauses of tens of milliseconds."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
