"""What the log says of a run at its start: a summary, and when the bot can serve members."""

from collections.abc import Iterator
from typing import Final

import structlog

from bot import VERSION, options
from bot.app import Application
from bot.config import Config
from bot.domain.credits import PriceList
from bot.domain.install import install_link, user_install_link
from bot.domain.settings import Model, Resolution, Settings
from bot.log import STARTED, release
from bot.store import postgres
from bot.store.engines import kind_of
from bot.ui.texts.amounts import in_credits, number
from bot.ui.texts.quota import per_period

log = structlog.stdlib.get_logger(__name__)

HELD_SECONDS: Final = 10.0
"""How long other lines wait for the summary; it comes later when Discord cannot be reached, or has many shards."""


async def announce(config: Config, app: Application, port: int) -> None:
    """Log the summary once the servers are known, then "ready" once members can be served. ``port`` of the web server.

    In a group of processes each is ready by its role: gateways when their shards are connected, workers when they lead.
    """
    cluster, leadership = options.cluster_options(config), app.pipeline.workload.leadership
    await app.client.wait_until_logged_in()
    if cluster.serves_members:
        await app.client.gateway.complete.wait()
    release(lambda: log.info(STARTED, **dict(_facts(config, app, port))))
    if leadership.leads or not cluster.serves_members:
        await app.working.wait()
    log.info("ready", role=config.cluster.role)


def _facts(config: Config, app: Application, port: int) -> Iterator[tuple[str, str | int]]:
    """The lines of the summary; without names of servers, which are members' words."""
    client, access = app.client, options.access(config)
    yield "version", VERSION
    yield "bot", f"{client.user} ({client.application_id})"
    if options.cluster_options(config).serves_members:
        only = ", and only those in discord.guilds are served" if access.guilds else ""
        yield "servers", f"{len(client.guilds):,}{only}"
        yield "direct_messages", "on" if access.direct_messages else "off"
        if access.user_install:
            where = "" if access.direct_messages else ", but not in direct messages and group chats"
            yield "user_install", f"on{where}: {user_install_link(client.application_id or 0)}"
        content = "on" if client.intents.message_content else "off: replies to other members' images do nothing"
        yield "message_content", content
        shards = client.gateway.live
        if (client.shard_count or 1) > 1:
            yield "shards", f"{len(shards)} of {client.shard_count}: {min(shards)} to {max(shards)}"
    quota = options.limits(config)
    yield "prices", f"{' · '.join(_prices(options.prices(config)))}, per image"
    yield "allowance", f"{per_period(quota.members)} for each member, unless a server has limits of its own"
    yield "budget", f"{per_period(quota.budget)} for all servers together"
    if (reading := app.balance_monitor.reading) is not None:
        yield "kie_balance", in_credits(reading.balance)
    url = options.database_url(config)
    yield "database", f"{'PostgreSQL' if postgres.is_url(url) else 'SQLite'}, {kind_of(url).describe(url)}"
    callbacks = f", KIE calls {config.kie.callback_url}" if config.kie.callback_url else ""
    yield "web", f"http://{config.web.host}:{port}{callbacks}"
    channel, guild = options.alert_channel(config), config.operator.guild
    yield "alerts", "to the application's owner by direct message" if channel is None else f"to channel {channel}"
    yield "ops", f"/ops in server {guild}" if guild else "off: set operator.guild to your server's id to have /ops"
    yield "install_link", install_link(client.application_id or 0)


def _prices(prices: PriceList) -> Iterator[str]:
    for model in Model:
        one_k, two_k = (prices.of(Settings(model, resolution=resolution)) for resolution in Resolution)
        yield f"{model.value} {in_credits(one_k)} ({number(two_k)} at 2K)"
