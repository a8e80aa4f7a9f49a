"""The words for the operator: /ops status, and the alerts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite

from bot.domain.credits import Credits
from bot.domain.kie_account import (
    BalanceReading,
    ClassCosts,
    DeliveryGivenUp,
    DiskLow,
    GatewayAway,
    GatewayReturned,
    LowBalance,
    Paused,
    ResultsArriving,
    Resumed,
    ServerDeclined,
    UnknownResultHost,
)
from bot.domain.states import Failure
from bot.generation.leader_report import QueueStatus
from bot.generation.status import ACCOUNT_DAYS, Status
from bot.quota.costs import total_difference
from bot.ui.texts.amounts import counted, in_credits, number, plain, relative, some

QUEUE_TITLE = "Queue"
BALANCE_TITLE = "KIE balance"
COSTS_TITLE = f"Charges compared with KIE's costs, last {ACCOUNT_DAYS} days"
NAME_HIDDEN = "a name that Discord doesn't let me show"
NO_BALANCE = "Not read yet."
NO_COSTS = "No images yet."
RESULTS_MISSING = (
    "Requests are paused: KIE finished several images in a row that can't be fetched. New requests are refused. "
    "I keep trying to fetch these; requests resume when one arrives. Check the bot's network and kie.result_hosts."
)
_TOP_UP = "Top up the account at kie.ai."
_PAUSED: Mapping[Failure, str] = {
    Failure.OUT_OF_CREDITS: "KIE is out of credits",
    Failure.KEY_REFUSED: "KIE refuses the API key",
}


def title(version: str) -> str:
    """Which Easel this is."""
    return f"Easel {version}"


def uptime(started_at: datetime, latencies: Mapping[int, float]) -> str:
    """When the bot started, and each shard's latency to Discord in seconds, infinite while it is not connected."""
    connected = {shard: f"{round(latency * 1000)} ms" for shard, latency in latencies.items() if isfinite(latency)}
    if not connected:
        return f"started {relative(started_at)} · not connected to Discord"
    if len(latencies) == 1:
        return f"started {relative(started_at)} · connected to Discord ({connected.popitem()[1]})"
    shards = ", ".join(f"shard {shard}: {connected.get(shard, 'not connected')}" for shard in latencies)
    return f"started {relative(started_at)} · connected to Discord ({shards})"


def workers(status: Status) -> str:
    """Which workers are running, and which have stopped."""
    running = [name for name, alive in status.workers.items() if alive]
    stopped = [name for name, alive in status.workers.items() if not alive]
    pieces = [f"running: {', '.join(running) or 'none'}"]
    if stopped:
        pieces.append(f"stopped: {', '.join(stopped)}")
    return " · ".join(pieces)


def queue(state: QueueStatus) -> str:
    """How many tasks wait and are at KIE, and how much of KIE's rate limit is used."""
    calls = f"{state.calls} of {state.calls_allowed} calls in {number(state.window)} s"
    return f"{state.waiting} waiting · {state.at_kie} at KIE · {calls}"


def accepting(state: QueueStatus) -> str:
    """Whether new requests are accepted and submitted to KIE."""
    if state.results_missing_since is not None:
        paused_at = f"paused {relative(state.results_missing_since)}: KIE's images can't be fetched"
    elif state.pause is not None:
        paused_at = f"paused {relative(state.pause.since)}: {_PAUSED[state.pause.reason]}"
    else:
        return "▶️ accepting requests"
    return f"⏸️ {paused_at}; trying one task at a time" if state.trying else f"⏸️ {paused_at}"


def tasks(status: Status) -> str:
    """What is in progress, and what needs a look."""
    unknown, awaiting = f"{status.orphans} with unknown outcome", f"{status.awaiting_delivery} waiting to be posted"
    return f"{counted(status.open_tasks, 'open task')} · {unknown} · {awaiting}"


def balance(reading: BalanceReading, days: float | None) -> str:
    """What is left, when that was read, and how long it lasts."""
    pieces = [f"**{in_credits(reading.balance)}**", f"read {relative(reading.at)}"]
    if days is not None:
        pieces.append(f"lasts about {counted(round(days), 'day')} at the rate of the last 7 days")
    return " · ".join(pieces)


def today(spent: Credits) -> str:
    """What members have spent in all servers."""
    return f"{in_credits(spent)} spent today across all servers"


def costs(price_class: ClassCosts) -> str:
    """A price class: what was charged, what KIE charged, and the difference."""
    kind = f"{price_class.price_class.model.value} {price_class.price_class.resolution.value}"
    sums = f"charged {number(price_class.charged)} · KIE charged {number(price_class.consumed)}"
    pieces = [kind, counted(price_class.images, "image"), sums, _difference(price_class.difference)]
    if price_class.unreported:
        pieces.append(f"{price_class.unreported} more without a cost reported by KIE")
    return " · ".join(pieces)


def total_costs(price_classes: tuple[ClassCosts, ...]) -> str:
    """The difference over all price classes."""
    return f"total: {_difference(total_difference(price_classes))}"


def low(alert: LowBalance) -> str:
    """The balance fell below the threshold."""
    return (
        f"KIE's balance is low: {in_credits(alert.balance)}, below your threshold of {number(alert.below)}. {_TOP_UP}"
    )


def paused(alert: Paused) -> str:
    """KIE accepts no more tasks."""
    if alert.reason is Failure.KEY_REFUSED and alert.forbidden:
        return (
            "Requests are paused: KIE knows the API key (kie.api_key) but doesn't allow what I ask with it (403). "
            "New requests are refused. At https://kie.ai/api-key check the key's IP whitelist, permissions and limits, "
            "and whether the account is blocked. Requests resume automatically once KIE accepts the key."
        )
    if alert.reason is Failure.KEY_REFUSED:
        return (
            "Requests are paused: KIE refuses the API key (kie.api_key). New requests are refused. "
            "Check the key and its permissions at https://kie.ai/api-key. "
            "Requests resume automatically once KIE accepts it, or after a restart with another key."
        )
    left = "" if alert.balance is None else f" ({in_credits(alert.balance)} left)"
    return (
        f"Requests are paused: KIE says the account is out of credits{left}. New requests are refused. "
        f"{_TOP_UP} Requests then resume automatically."
    )


def resumed(alert: Resumed) -> str:
    """KIE accepts tasks again."""
    left = "" if alert.balance is None else f" KIE's balance is {in_credits(alert.balance)}."
    return f"Requests are accepted again. They were paused {relative(alert.since)}.{left}"


def declined(alert: ServerDeclined) -> str:
    """A server that may not use the bot."""
    done = "left it" if alert.left else "couldn't leave it, and refuse all requests there"
    return (
        f"The server {plain(alert.name, 100)} ({alert.guild_id}) isn't in `discord.guilds`. I {done}. "
        "To let it use me, add its id, restart me, and invite me again."
    )


def unknown_host(alert: UnknownResultHost) -> str:
    """A result on a host that is not allowed."""
    return (
        f"KIE stores results on a host that isn't allowed: {plain(alert.host, 100)}. The images are kept, and "
        "fetched from another address if KIE gives one. If the host belongs to KIE, add it to kie.result_hosts and "
        "restart."
    )


def disk_low(alert: DiskLow) -> str:
    """The disk is nearly full."""
    return (
        f"Only {alert.free / 1e9:,.2f} GB are free on the disk of {plain(alert.folder, 200)}. When it is full, no "
        "request can be accepted and finished images wait. Make room: old backups, container images and logs first."
    )


def gateway_away(alert: GatewayAway) -> str:
    """Discord's gateway is out of reach."""
    which = "" if alert.of == 1 else f" ({len(alert.shards)} of {alert.of} shards: {_shards(alert.shards)})"
    return (
        f"I have no connection to Discord's gateway{which} since {relative(alert.since)}, so commands fail there. "
        "I keep trying. Check https://discordstatus.com and this machine's network; "
        "the log has the reason: search it for `not connected to Discord`."
    )


def gateway_returned(alert: GatewayReturned) -> str:
    """Discord's gateway can be reached again."""
    minutes = counted(max(round((alert.until - alert.since).total_seconds() / 60), 1), "minute")
    return (
        f"I'm connected to Discord's gateway again. It was away for {minutes}, from {relative(alert.since)}. "
        "Commands that members sent meanwhile failed; requests that were accepted before went on."
    )


def _shards(numbers: Sequence[int]) -> str:
    return some([str(number) for number in numbers], 10)


def results_arriving(alert: ResultsArriving) -> str:
    """Results can be fetched again."""
    return f"KIE's images can be fetched again, so requests are accepted. They were paused {relative(alert.since)}."


def delivery_given_up(alert: DeliveryGivenUp) -> str:
    """An outcome that could not be posted for a day."""
    return (
        f"Request {alert.generation} couldn't be posted for a day and was refunded. The log says why: search it for "
        "that number."
    )


def _difference(credits_: Credits) -> str:
    if not credits_:
        return "no difference"
    return f"{number(abs(credits_))} {'more' if credits_ > 0 else 'less'} than charged"
