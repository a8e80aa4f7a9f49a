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
from bot.domain.ids import IdMaker
from bot.domain.polling import Steady
from bot.domain.ports import Clock, MessageSender, OperatorAlerts
from bot.generation.delivery import DeliveryWorker
from bot.generation.history import History
from bot.generation.pending_cards import PendingCardJournal
from bot.generation.pipeline import Pipeline
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
from bot.media.fitting import ImageThreads
from bot.media.reference_cache import ReferenceCache
from bot.media.spool import Spool
from bot.media.ssrf import download_session
from bot.network import client_session
from bot.quota.balance_monitor import BalanceMonitor
from bot.quota.credit_requests import CreditRequests
from bot.quota.policy import QuotaPolicy
from bot.quota.service import QuotaService
from bot.runtime import BackgroundTasks, Runtime, retry_until_available
from bot.store import sqlite
from bot.store.store import Store
from bot.ui.acknowledger import Acknowledger
from bot.ui.alerts import DiscordAlerts
from bot.ui.alt_text import AltTexts
from bot.ui.credit_requests import notify_decisions
from bot.ui.errors import ErrorReporter
from bot.ui.message_sender import DiscordMessageSender
from bot.ui.services import Services
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
    runtime: Runtime
    pipeline: Pipeline
    balance_monitor: BalanceMonitor
    pending_cards: PendingCardJournal
    sender: MessageSender
    alerts: OperatorAlerts
    workers: dict[str, asyncio.Task[None]]
    """The running workers by name; filled by :meth:`work`."""
    hold_ambiguous: bool

    async def work(self) -> None:
        """Go on with what the store holds, then submit, track and deliver until cancelled.

        Start it beside the client, never inside it. Leaving waits some seconds for what is under way.
        """
        async with self.runtime.background:
            await recover(self.runtime, self.pipeline, hold_ambiguous=self.hold_ambiguous)
            await retry_until_available(self.balance_monitor.restore)
            async with asyncio.TaskGroup() as group:
                for name, work in (
                    ("submitter", self.pipeline.submitter.run()),
                    ("tracker", self.pipeline.tracker.run()),
                    ("balance monitor", self.balance_monitor.run(self.alerts)),
                ):
                    self.workers[name] = group.create_task(work, name=name)
                await self.client.wait_until_logged_in()
                self.pipeline.delivery.start(self.sender)
                await report_interrupted(self.runtime, self.pending_cards, self.sender)
                credit_requests = self.client.services.credit_requests
                self.runtime.background.start(notify_decisions(self.client, credit_requests))


@asynccontextmanager
async def assemble(
    config: Config, *, clock: Clock | None = None, reads_messages: bool = False
) -> AsyncGenerator[Application, None]:
    """Open the store, the sessions and the threads, and put the rooms together; closes them all at the end.

    ``reads_messages`` is for a simulated Discord, which does not report that it grants the message-content intent.
    """
    clock = clock or SystemClock()
    folder = sqlite.database_file(config.database.url).parent
    workers: dict[str, asyncio.Task[None]] = {}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        stack.enter_context(sqlite.only_one(config.database.url))
        runtime = Runtime(
            store=await enter(Store.open(config.database.url)),
            clock=clock,
            background=BackgroundTasks("background", grace=_GRACE),
            new_id=IdMaker(clock.now, start=secrets.randbits(22)),
        )
        threads = stack.enter_context(ImageThreads())
        sandbox = await enter(DecodeSandbox())
        pending_cards = stack.enter_context(PendingCardJournal(folder / "openings.journal"))

        # Sessions of their own: a host that hangs delays nothing else, and KIE's key goes to KIE alone.
        api = KieClient(await enter(client_session()), options.kie_options(config), await enter(client_session()))
        results = options.fetcher(await enter(download_session()), config.kie.result_hosts, config)
        attachments = options.fetcher(await enter(download_session()), config.discord.cdn_hosts, config)

        prices = options.prices(config)
        policy = QuotaPolicy(clock, prices, options.limits(config))
        workload = Workload(options.capacity(config), schedules=options.schedules(config))
        spool = Spool(folder / "spool", results)
        undelivered = Undelivered(runtime, spool=spool, threads=threads)
        delivery = DeliveryWorker(runtime, workload=workload, spool=spool, threads=threads, undelivered=undelivered)
        tracker = Tracker(
            runtime,
            api=api,
            workload=workload,
            delivery=delivery,
            pace=Steady(config.tracker.poll_every) if config.tracker.poll_every else workload.schedules,
            options=options.tracker_options(config),
        )
        submitter = Submitter(
            runtime,
            api=api,
            workload=workload,
            tracker=tracker,
            delivery=delivery,
            options=options.submitter_options(config),
        )
        balance_monitor = BalanceMonitor(
            runtime,
            api=api,
            funds_breaker=workload.funds_breaker,
            work_changed=workload.changed,
            options=options.balance_monitor_options(config),
        )
        references = ReferencePreparer(
            runtime,
            fetcher=attachments,
            sandbox=sandbox,
            cache=ReferenceCache(folder / "references", options.reference_cache_limits(config)),
            api=api,
            folder=_emptied(folder / "workshop"),
        )
        services = Services(
            generations=GenerationService(
                runtime,
                prices=prices,
                open_limit=config.quota.open_generations,
                references=references,
                policy=policy,
                workload=workload,
                delivery=delivery,
                pending_cards=pending_cards,
            ),
            history=History(runtime),
            undelivered=undelivered,
            quotas=QuotaService(runtime, policy),
            credit_requests=CreditRequests(runtime, policy),
            status=StatusBoard(
                runtime, workload=workload, submitter=submitter, balance_monitor=balance_monitor, workers=workers
            ),
            errors=ErrorReporter(pending_cards),
            acknowledger=Acknowledger(pending_cards, clock),
            alt_texts=AltTexts(runtime.store),
            prices=prices,
        )
        client = EaselClient(runtime.store, services, options.command_options(config), reads_messages=reads_messages)
        yield Application(
            client=client,
            runtime=runtime,
            pipeline=Pipeline(workload, submitter, tracker, delivery, undelivered, spool),
            balance_monitor=balance_monitor,
            pending_cards=pending_cards,
            sender=DiscordMessageSender(client, clock, prices=prices, alt_texts=services.alt_texts),
            alerts=DiscordAlerts(client, options.alarm_channel(config), client.wait_until_logged_in),
            workers=workers,
            hold_ambiguous=bool(config.kie.callback_url),
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
            await app.client.services.generations.finish(_ACCEPTING_GRACE)
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
    return CallbackRoute(key, app.pipeline.tracker, app.runtime.clock, proxies=config.web.trusted_proxies)


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
