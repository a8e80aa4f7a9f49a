"""From the configuration to what the rooms are handed: plain values, in their own words."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import aiohttp

from bot.client import CommandOptions
from bot.config import Config
from bot.domain.credits import Allowance, Period, PriceList
from bot.domain.estimate import Capacity
from bot.domain.ids import ChannelId, GuildId
from bot.domain.polling import Schedules
from bot.domain.settings import Model, Resolution
from bot.generation.submitter import SubmitterOptions
from bot.generation.tracker import TrackerOptions
from bot.kie.client import KieOptions
from bot.media.fetch import AllowedHosts, Fetcher
from bot.media.reference_cache import ReferenceCacheLimits
from bot.quota.balance_monitor import BalanceMonitorOptions
from bot.quota.policy import QuotaLimits

_CACHE_TIDIED_EVERY = 60.0


def kie_options(config: Config) -> KieOptions:
    """How KIE is reached."""
    return KieOptions(
        api_key=config.kie.api_key.get_secret_value().strip(),
        base_url=config.kie.base_url,
        upload_url=config.kie.upload_url,
        nsfw_checker=config.kie.nsfw_checker,
        callback_url=config.kie.callback_url or None,
        request_seconds=config.kie.request_timeout,
    )


def capacity(config: Config) -> Capacity:
    """What KIE grants the account."""
    return Capacity(
        new_tasks=config.kie.new_tasks, window=config.kie.new_tasks_window, at_work=config.kie.running_tasks
    )


def fetcher(session: aiohttp.ClientSession, hosts: Iterable[str], config: Config) -> Fetcher:
    """Downloads from these hosts alone."""
    return Fetcher(session, AllowedHosts(hosts), seconds=config.kie.download_timeout)


def prices(config: Config) -> PriceList:
    """What an image costs."""
    prices = config.prices
    return PriceList(
        {
            (Model.PRO, Resolution.ONE_K): prices.pro_1k,
            (Model.PRO, Resolution.TWO_K): prices.pro_2k,
            (Model.FLEX, Resolution.ONE_K): prices.flex_1k,
            (Model.FLEX, Resolution.TWO_K): prices.flex_2k,
        }
    )


def command_options(config: Config) -> CommandOptions:
    """What the commands' definitions depend on."""
    guild = config.operator.guild
    return CommandOptions(flex_controls=config.kie.flex_controls, operator_guild=GuildId(guild) if guild else None)


def alarm_channel(config: Config) -> ChannelId | None:
    """Where the operator is told of trouble with KIE's account; None: nowhere."""
    channel = config.operator.alarm_channel
    return ChannelId(channel) if channel else None


def balance_monitor_options(config: Config) -> BalanceMonitorOptions:
    """When KIE's balance is asked after, and when it is low."""
    kie = config.kie
    return BalanceMonitorOptions(
        every=kie.balance_every,
        every_while_paused=kie.balance_every_paused,
        alarm_below=_credits(config.operator.alarm_below),
    )


def limits(config: Config) -> QuotaLimits:
    """What may be spent where no server's rule says otherwise, and at most."""
    quota, limits = config.quota, config.limits
    return QuotaLimits(
        members=Allowance(_credits(quota.credits), quota.period),
        direct=Allowance(_credits(quota.direct_credits), quota.direct_period),
        budget=Allowance(_limit(limits.daily_budget), Period.DAY),
        servers=Allowance(_limit(limits.server_credits), limits.server_period),
        some_servers={
            GuildId(guild): Allowance(_limit(most), limits.server_period) for guild, most in limits.servers.items()
        },
    )


def reference_cache_limits(config: Config) -> ReferenceCacheLimits:
    """How much of members' pictures is kept."""
    kept = config.references
    return ReferenceCacheLimits(kept.keep_megabytes * 1_000_000, timedelta(days=kept.keep_days), _CACHE_TIDIED_EVERY)


def submitter_options(config: Config) -> SubmitterOptions:
    """How tasks are offered to KIE. Only a callback can tell of one whose answer was lost."""
    return SubmitterOptions(
        task_deadline=config.tracker.deadline,
        give_up_after=config.tracker.give_up_submitting,
        hold_ambiguous=bool(config.kie.callback_url),
    )


_CALLS_WITH_CALLBACKS = 1.2
"""KIE tells by itself; asking is for what it forgets to tell."""


def schedules(config: Config) -> Schedules:
    """When KIE is asked after a task, as far as that is learned."""
    calls = config.tracker.calls_per_task
    return Schedules(min(calls, _CALLS_WITH_CALLBACKS) if config.kie.callback_url else calls)


def tracker_options(config: Config) -> TrackerOptions:
    """What the tracker keeps to."""
    tracker = config.tracker
    return TrackerOptions(tracker.late_every, tracker.late_for, tracker.calls_per_second)


def _credits(amount: float) -> Decimal:
    return Decimal(str(amount))


def _limit(amount: float) -> Decimal | None:
    return _credits(amount) if amount else None
