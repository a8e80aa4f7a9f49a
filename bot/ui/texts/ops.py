"""The alerts to the operator."""

from collections.abc import Sequence

from bot.domain.kie_account import (
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
from bot.ui.texts.amounts import counted, in_credits, number, plain, relative, some

NAME_HIDDEN = "a name that Discord doesn't let me show"
RESULTS_MISSING = (
    "Requests are paused: several of KIE's finished images in a row couldn't be fetched. New requests are refused. "
    "I keep trying, and requests resume once one arrives. Check the bot's network and kie.result_hosts."
)
_TOP_UP = "Top up the account at kie.ai."


def low(alert: LowBalance) -> str:
    """The balance fell below the threshold."""
    return (
        f"KIE's balance is low: {in_credits(alert.balance)}, below your threshold of {number(alert.below)}. {_TOP_UP}"
    )


def paused(alert: Paused) -> str:
    """KIE accepts no more tasks."""
    if alert.reason is Failure.KEY_REFUSED and alert.forbidden:
        return (
            "Requests are paused: KIE knows the API key (kie.api_key) but doesn't allow what I use it for (403). "
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
        f"Only {alert.free / 1e9:,.2f} GB is free on the disk of {plain(alert.folder, 200)}. Once it is full, I can't "
        "accept requests, and finished images wait. Make room: start with old backups, container images and logs."
    )


def gateway_away(alert: GatewayAway) -> str:
    """Discord's gateway is out of reach."""
    which = "" if alert.of == 1 else f" ({len(alert.shards)} of {alert.of} shards: {_shards(alert.shards)})"
    return (
        f"I lost the connection to Discord's gateway{which} {relative(alert.since)}, so commands fail there. "
        "I keep trying. Check https://discordstatus.com and this machine's network; "
        "the log has the reason: search it for `not connected to Discord`."
    )


def gateway_returned(alert: GatewayReturned) -> str:
    """Discord's gateway can be reached again."""
    minutes = counted(max(round((alert.until - alert.since).total_seconds() / 60), 1), "minute")
    return (
        f"I'm connected to Discord's gateway again. I lost the connection {relative(alert.since)}, for {minutes}. "
        "Commands that members sent meanwhile failed; requests that I had accepted before continued."
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
