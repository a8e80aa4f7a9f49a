"""What each room is given of the configuration: frozen options, every field by name."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp

from bot.assistant import AssistantOptions
from bot.client import CommandOptions
from bot.cluster.blocks import ClusterOptions
from bot.cluster.leader import lease_name
from bot.config import Config
from bot.domain.credits import Allowance, Period, PriceList
from bot.domain.erasure import KeptFor
from bot.domain.ids import ChannelId, GuildId
from bot.domain.kie_limits import KieLimits
from bot.domain.settings import Model, Resolution
from bot.folders import REFERENCES
from bot.generation.status import StatusOptions
from bot.generation.submitter import SubmitterOptions
from bot.generation.tracker import TrackerOptions
from bot.kie.client import KieOptions
from bot.maintenance.backups import BackupOptions
from bot.maintenance.retention import RetentionOptions
from bot.media.fetch import AllowedHosts, Fetcher
from bot.media.formats import PREVIEW_MAX_BYTES
from bot.media.reference_cache import ReferenceCacheLimits
from bot.polling.pace import Pace
from bot.quota.balance_monitor import BalanceMonitorOptions
from bot.quota.policy import QuotaLimits
from bot.store import postgres, sqlite
from bot.ui.access import AccessOptions

_CACHE_EVICTS_EVERY = 60.0


def kie_options(config: Config) -> KieOptions:
    """How KIE is reached."""
    return KieOptions(
        api_key=config.kie.api_key.get_secret_value(),
        base_url=config.kie.base_url,
        upload_url=config.kie.upload_url,
        nsfw_checker=config.kie.nsfw_checker,
        callback_url=config.kie.callback_url or None,
        request_seconds=config.kie.request_timeout,
    )


def kie_limits(config: Config) -> KieLimits:
    """What KIE grants the account."""
    kie = config.kie
    return KieLimits(new_tasks=kie.new_tasks, window=kie.new_tasks_window, running_tasks=kie.running_tasks)


def assistant_options(config: Config) -> AssistantOptions | None:
    """Where prompts are reworded; None without a prompt helper."""
    assistant = config.assistant
    if not assistant.base_url:
        return None
    key = assistant.api_key.get_secret_value()
    return AssistantOptions(assistant.base_url, key, assistant.model, assistant.per_hour)


def fetcher(session: aiohttp.ClientSession, hosts: Iterable[str], config: Config) -> Fetcher:
    """Downloads from these hosts alone."""
    return Fetcher(session, AllowedHosts(hosts), seconds=config.kie.download_timeout)


def reference_folders(config: Config, target: str) -> tuple[Path, Path]:
    """Where members' images lie, and where those of a copy of the database do."""
    beside = Path() if postgres.is_url(target) else sqlite.database_file(target).parent
    folder = Path(config.database.folder) if config.database.folder else beside
    return data_folder(config) / REFERENCES, folder / REFERENCES


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
    return CommandOptions(
        flex_controls=config.kie.flex_controls,
        operator_guild=GuildId(guild) if guild else None,
        sent_by_others=config.cluster.role == "gateway",
    )


def database_url(config: Config) -> str:
    """The database's URL with its password."""
    database = config.database
    password = database.password.get_secret_value()
    return postgres.with_password(database.url, password) if postgres.is_url(database.url) else database.url


def data_folder(config: Config) -> Path:
    """Where files are kept: images until they are posted and, with SQLite, members' images and the pending cards."""
    database = config.database
    if database.folder:
        return Path(database.folder)
    return Path("data") if postgres.is_url(database.url) else sqlite.database_file(database.url).parent


def backup_options(config: Config) -> BackupOptions:
    """How often the SQLite file is backed up."""
    return BackupOptions(every=timedelta(hours=config.backup.every), keep=config.backup.keep)


def backed_up_file(config: Config) -> Path | None:
    """The SQLite file; None for PostgreSQL, which is backed up with its own tools."""
    url = config.database.url
    return None if postgres.is_url(url) else sqlite.database_file(url)


def backups_ignored(config: Config) -> bool:
    """Whether automatic backups were asked for that there are none of: PostgreSQL has tools of its own."""
    backup = config.backup
    return backed_up_file(config) is None and backup.every > 0 and "every" in backup.model_fields_set


def status_options(config: Config) -> StatusOptions:
    """What the operator's status is about."""
    return StatusOptions(backed_up_file(config), data_folder(config), limits(config).budget.credits)


def watched_folders(config: Config) -> set[Path]:
    """Where the disk must not get full: the data folder's, and the SQLite file's."""
    url = config.database.url
    return {data_folder(config)} | (set[Path]() if postgres.is_url(url) else {sqlite.database_file(url).parent})


def cluster_options(config: Config) -> ClusterOptions:
    """How processes share Discord's shards."""
    cluster = config.cluster
    return ClusterOptions(
        serves_members=cluster.role in ("all", "gateway"),
        works=cluster.role in ("all", "worker"),
        gateways=cluster.gateways,
        shards=cluster.shards,
        lease=cluster.lease,
    )


def account_lease(config: Config) -> str:
    """The lease on the KIE account."""
    return lease_name(config.kie.api_key.get_secret_value())


def access(config: Config) -> AccessOptions:
    """Who is served at all. With a list of servers, direct messages are refused unless they are switched on."""
    discord = config.discord
    listed = frozenset(GuildId(guild) for guild in discord.guilds)
    own = {GuildId(config.operator.guild)} if listed and config.operator.guild else set[GuildId]()
    directly = not listed if discord.direct_messages == "auto" else discord.direct_messages == "on"
    limits = config.limits
    # No limit at all is what the example file of earlier versions set.
    budget_chosen = "daily_budget" in limits.model_fields_set and limits.daily_budget > 0
    return AccessOptions(
        guilds=listed | own,
        direct_messages=directly,
        user_install=discord.user_install,
        unprotected=not budget_chosen and (discord.user_install or not listed),
    )


def alert_channel(config: Config) -> ChannelId | None:
    """The channel for alerts about KIE's account; None if there is none."""
    return ChannelId(config.operator.alert_channel) if config.operator.alert_channel else None


def balance_monitor_options(config: Config) -> BalanceMonitorOptions:
    """How often KIE's balance is read, and from when it is low."""
    kie = config.kie
    return BalanceMonitorOptions(
        every=kie.balance_every,
        every_while_paused=kie.balance_every_paused,
        alert_below=_credits(config.operator.alert_below),
    )


def limits(config: Config) -> QuotaLimits:
    """What members may spend where their server has no rule, and what no server can exceed."""
    quota, limits = config.quota, config.limits
    return QuotaLimits(
        members=Allowance(credits=_credits(quota.credits), period=quota.period),
        direct=Allowance(credits=_credits(quota.direct_credits), period=quota.direct_period),
        budget=Allowance(credits=_limit(limits.daily_budget), period=Period.DAY),
        servers=Allowance(credits=_limit(limits.server_credits), period=limits.server_period),
        some_servers={
            GuildId(guild): Allowance(credits=_credits(limit), period=limits.server_period)
            for guild, limit in limits.servers.items()
        },
    )


def reference_cache_limits(config: Config) -> ReferenceCacheLimits:
    """How much of members' images is kept."""
    kept = config.references
    return ReferenceCacheLimits(
        max_bytes=kept.keep_megabytes * 1_000_000,
        unused_for=timedelta(days=kept.keep_days),
        evict_every=_CACHE_EVICTS_EVERY,
    )


def previews_kept(config: Config) -> int:
    """How many previews take the disk space that is set."""
    return config.previews.keep_megabytes * 1_000_000 // PREVIEW_MAX_BYTES


def kept_for(config: Config) -> KeptFor:
    """How long members' data is kept, as /privacy says it."""
    references, kept = config.references, config.retention
    return KeptFor(
        references=timedelta(days=references.keep_days if references.keep_megabytes else 0),
        prompts=_days(kept.prompts),
        images=_days(kept.images),
        forms=_days(kept.drafts),
        undelivered=undelivered_kept_for(config),
        reports=_days(kept.reports),
        credit_requests=_days(kept.credit_requests),
    )


def reference_sets_size(config: Config) -> int:
    """How many bytes the images of all reference sets may have."""
    return config.references.set_megabytes * 1_000_000


def retention_options(config: Config) -> RetentionOptions:
    """How long what is kept."""
    kept = config.retention
    return RetentionOptions(
        prompts=_days(kept.prompts),
        images=_days(kept.images),
        ledger=_days(kept.ledger),
        credit_requests=_days(kept.credit_requests),
        reports=_days(kept.reports),
        drafts=_days(kept.drafts),
        uploads=_days(kept.uploads),
    )


def undelivered_kept_for(config: Config) -> timedelta | None:
    """How long images that could not be posted wait for their member; None for as long as it takes."""
    return _days(config.retention.undelivered)


def submitter_options(config: Config) -> SubmitterOptions:
    """How tasks are submitted to KIE. Only a callback can tell the id of a task whose answer was lost."""
    return SubmitterOptions(
        give_up_after=config.tracker.give_up_submitting,
        hold_ambiguous=bool(config.kie.callback_url),
    )


_POLLS_WITH_CALLBACKS = 1.2
"""Polls of a task when KIE calls back by itself: they are for calls that get lost."""


def pace(config: Config) -> Pace:
    """When KIE is polled for a task."""
    polls = config.tracker.polls_per_task
    if config.kie.callback_url:
        polls = min(polls, _POLLS_WITH_CALLBACKS)
    return Pace(polls=polls, every=config.tracker.poll_every)


def tracker_options(config: Config) -> TrackerOptions:
    """The tracker's limits."""
    return TrackerOptions(
        task_deadline=config.tracker.deadline,
        late_every=config.tracker.late_every,
        late_for=config.tracker.late_for,
        polls_per_second=config.tracker.polls_per_second,
    )


def _days(days: int) -> timedelta | None:
    return timedelta(days=days) if days else None


def _credits(amount: float) -> Decimal:
    return Decimal(str(amount))


def _limit(amount: float) -> Decimal | None:
    return _credits(amount) if amount else None
