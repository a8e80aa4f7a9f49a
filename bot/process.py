"""One run of the bot: connects it to Discord, supervises its parts, and shuts them down in order."""

import asyncio
import gc
import signal
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bot import options
from bot.app import Application
from bot.assembly import assemble
from bot.client import EaselClient
from bot.config import Config
from bot.discord_answers import read_strictly
from bot.domain.errors import OperatorError
from bot.log import release
from bot.login import log_in
from bot.media.confinement import hide_memory
from bot.state_metrics import StateCollector, watch_event_loop
from bot.store import postgres
from bot.summary import HELD_SECONDS, announce
from bot.web.callback import CallbackRoute
from bot.web.metrics import MetricsRoute
from bot.web.server import serve

log = structlog.stdlib.get_logger(__name__)

_DRAIN_SECONDS = 2.0
"""For commands and messages in progress at shutdown; container engines kill a process after ten seconds in all."""
_GC_THRESHOLD = 5_000


async def run(config: Config) -> bool:
    """Run the bot until SIGTERM or SIGINT; False when a part of it died, which ends the others in order.

    Raises OperatorError for what the operator has to fix.
    """
    hide_memory()
    read_strictly()
    _set_discord_hosts(config.discord.api_url, config.discord.gateway_url)
    stop = _stop_signal()
    if options.backups_ignored(config):
        log.warning("backup.every has no effect with PostgreSQL: use pg_dump (docs/backup.md), and set it to 0")
    asyncio.get_running_loop().call_later(HELD_SECONDS, release)
    async with AsyncExitStack() as stack:
        stopping = _supervised(stack, stop.wait(), "stop signal")
        app = await _opened(stack, config, stopping)
        if app is None:
            log.info("stopped", reason="stop signal during the start")
            return True
        workers = _supervised(stack, app.work(), "workers")
        port = await _start_web_servers(stack, config, app, workers)
        connection = _supervised(stack, _connect(app, config), "discord")
        _supervised(stack, announce(config, app, port), "summary")
        _tune_garbage_collector()
        parts = {workers, connection, stopping}
        if app.block is not None:
            parts.add(_supervised(stack, app.block.hold(), "shards"))
        ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping", reason=", ".join(sorted(task.get_name() for task in ended)))
        died = [task for task in ended if task is not stopping]
        # Drain while Discord and KIE can still be reached; also when a part died, since others do not depend on it.
        await app.client.services.access.finish(_DRAIN_SECONDS)
        app.client.services.generations.cancel_accepting()
        await _cancel(workers)
    for task in died:
        error = task.exception() if not task.cancelled() else None
        if isinstance(error, OperatorError):
            raise error
        log.critical("component failed", component=task.get_name(), exc_info=error)
    log.info("stopped")
    return not died


async def _opened(stack: AsyncExitStack, config: Config, stopping: asyncio.Task[Any]) -> Application | None:
    """Everything that has to be there before members are served; None when the process is asked to end first.

    That may take long: a database that is out of reach is waited for.
    """
    try:
        async with asyncio.timeout(None) as starting, _health_checks(config):
            stopping.add_done_callback(end := lambda _: starting.reschedule(asyncio.get_running_loop().time()))
            app = await stack.enter_async_context(assemble(config))
            if app.block is not None:
                stack.push_async_callback(app.block.give_back)
            await stack.enter_async_context(app.client)
            # Before anything is sent or shown: with a wrong key every request would fail.
            await app.balance_monitor.check_key()
            stopping.remove_done_callback(end)
    except TimeoutError:
        if not stopping.done():
            raise
        return None
    return app


@asynccontextmanager
async def _health_checks(config: Config) -> AsyncGenerator[None]:
    """Answer them while a database elsewhere is waited for: unanswered, they would have this process restarted."""
    if not postgres.is_url(options.database_url(config)):
        yield
        return
    async with _web_server("web", config.web.host, config.web.port, ready=lambda: {"database": False}):
        yield


@asynccontextmanager
async def _web_server(section: str, host: str, port: int, **parts: Any) -> AsyncGenerator[int]:
    """Raises OperatorError when the port of this section of the settings is taken."""
    async with AsyncExitStack() as stack:
        try:
            actual = await stack.enter_async_context(serve(host, port, **parts))
        except (OSError, UnicodeError) as error:
            raise OperatorError(
                f"{section}.host and {section}.port: {host}:{port} is already in use or not available; choose another."
            ) from error
        yield actual


async def sync(config: Config) -> None:
    """Upload the definitions of all commands to Discord, whether or not they changed."""
    _set_discord_hosts(config.discord.api_url, config.discord.gateway_url)
    async with assemble(config) as app, app.client:
        await _login(app.client, config)
        await app.client.sync_commands(force=True)


def _supervised(stack: AsyncExitStack, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """The work as a task that does not outlive the stack."""
    task = asyncio.create_task(work, name=name)
    stack.push_async_callback(_cancel, task)
    return task


async def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended; the caller looks at its exception."""
    task.cancel()
    await asyncio.wait({task})


async def _start_web_servers(
    stack: AsyncExitStack, config: Config, app: Application, workers: asyncio.Task[None]
) -> int:
    """The one for health and callbacks, whose port it returns, and where metrics have a port of their own, another."""

    def ready() -> dict[str, bool]:
        working = {"workers": not workers.done()}
        leads = app.pipeline.workload.leadership.leads
        if app.block is not None and app.block.stands_by:
            return {"standby": True} | working
        if not options.cluster_options(config).serves_members:
            return working if leads else {"standby": True} | working
        shards = app.client.gateway.live
        named = {f"shard {number}": live for number, live in shards.items()} if len(shards) > 1 else {}
        return {"discord": bool(shards) and all(shards.values())} | working | named

    metrics = _metrics_route(config, app)
    if metrics is not None:
        _supervised(stack, watch_event_loop(), "event loop delay")
    own_port = config.metrics.port > 0
    servers = [("web", config.web.host, config.web.port, _callback_route(config, app), None if own_port else metrics)]
    if own_port:
        servers.append(("metrics", config.metrics.host, config.metrics.port, None, metrics))
    ports: list[int] = []
    for section, host, port, callback, measured in servers:
        server = _web_server(
            section, host, port, ready=ready, callback=callback, metrics=measured, proxies=config.web.trusted_proxies
        )
        ports.append(await stack.enter_async_context(server))
        log.info("web server listening", host=host, port=ports[-1])
    return ports[0]


def _metrics_route(config: Config, app: Application) -> MetricsRoute | None:
    """What Prometheus reads, if it has a port of its own or a token."""
    token = config.metrics.token.get_secret_value()
    if not config.metrics.port and not token:
        return None
    return MetricsRoute(StateCollector(app, options.balance_monitor_options(config).alert_below), token)


def _callback_route(config: Config, app: Application) -> CallbackRoute | None:
    if not config.kie.callback_url:
        return None
    key = config.kie.callback_key.get_secret_value()
    if not key.strip():
        raise OperatorError("kie.callback_key is missing: without a signature anybody could send callbacks.")
    return CallbackRoute(key, app.pipeline.tracker, app.runtime.clock, proxies=config.web.trusted_proxies)


async def _connect(app: Application, config: Config) -> None:
    await _login(app.client, config)
    if options.cluster_options(config).serves_members:
        await app.client.connect()
    else:
        await asyncio.Event().wait()


async def _login(client: EaselClient, config: Config) -> None:
    await log_in(client, config.discord.token.get_secret_value())


def _set_discord_hosts(api_url: str, gateway_url: str) -> None:
    """Point discord.py at these hosts; it offers no other way than these two class attributes."""
    Route.BASE = api_url
    if gateway_url:
        DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway_url)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _tune_garbage_collector() -> None:
    """Exempt everything that was made at start from collection, which saves pauses of tens of milliseconds."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
