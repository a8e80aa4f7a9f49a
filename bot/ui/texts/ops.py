"""The words for the operator: /ops status, and the alarms."""

from datetime import datetime

from bot.domain.credits import Credits
from bot.domain.kie_account import BalanceReading, ClassCosts, LowBalance, Paused, Resumed
from bot.generation.status import ACCOUNT_DAYS, QueueStatus, Status
from bot.quota.costs import total_difference
from bot.ui.texts.amounts import in_credits, number, relative

GROUP = "Show how the bot is doing"
COMMAND_STATUS = "Show queue, workers, KIE's balance, and what was charged against what KIE took"

LINE_TITLE = "The way to KIE"
BALANCE_TITLE = "KIE's balance"
ACCOUNTS_TITLE = f"Charged and taken by KIE, last {ACCOUNT_DAYS} days"
NO_BALANCE = "It could not be read yet."
NO_ACCOUNTS = "No picture yet."
_TOP_UP = "Fill the account up at kie.ai."


def title(version: str) -> str:
    """Which Easel this is."""
    return f"Easel {version}"


def running(started_at: datetime, latency: float | None) -> str:
    """Since when it runs, and how it is connected; ``latency`` in seconds, None when it is not."""
    connected = "not connected to Discord" if latency is None else f"connected to Discord ({round(latency * 1000)} ms)"
    return f"up since {relative(started_at)} · {connected}"


def workers(status: Status) -> str:
    """Which workers are alive, and which are not."""
    at_work = [name for name, alive in status.workers.items() if alive]
    dead = [name for name, alive in status.workers.items() if not alive]
    pieces = [f"at work: {', '.join(at_work) or 'nobody'}"]
    if dead:
        pieces.append(f"dead: {', '.join(dead)}")
    return " · ".join(pieces)


def line(state: QueueStatus) -> str:
    """How many wait and are at work, and how much of KIE's rate is used."""
    calls = f"{state.calls} of {state.calls_allowed} calls in {number(state.window)} s"
    return f"{state.waiting} waiting · {state.at_kie} at KIE · {calls}"


def gate(state: QueueStatus) -> str:
    """Whether tasks are handed to KIE."""
    if state.pause is None:
        return "▶️ submissions go on"
    since = f"since {relative(state.pause.since)}: KIE is out of credits"
    return f"⏸️ trying one task at a time, paused {since}" if state.trying else f"⏸️ paused {since}"


def tasks(status: Status) -> str:
    """What is under way, and what needs a look."""
    return f"{_count(status.open_tasks, 'open task')} · {status.orphans} orphaned · {status.undelivered} undelivered"


def balance(reading: BalanceReading, days: float | None) -> str:
    """What is left, when that was read, and how long it lasts."""
    pieces = [f"**{in_credits(reading.balance)}**", f"read {relative(reading.at)}"]
    if days is not None:
        pieces.append(f"lasts about {_count(round(days), 'day')} at the last seven days' rate")
    return " · ".join(pieces)


def today(spent: Credits) -> str:
    """What members have spent, everywhere."""
    return f"{in_credits(spent)} spent today over all servers"


def account(one: ClassCosts) -> str:
    """A price class: what was charged, what KIE took, and the difference."""
    kind = f"{one.price_class.model.value} {one.price_class.resolution.value}"
    sums = f"charged {number(one.charged)} · KIE took {number(one.consumed)}"
    pieces = [kind, _count(one.images, "picture"), sums, _difference(one.difference)]
    if one.unreported:
        pieces.append(f"{one.unreported} more without KIE's word")
    return " · ".join(pieces)


def accounts(all_classes: tuple[ClassCosts, ...]) -> str:
    """The difference over all price classes."""
    return f"together: {_difference(total_difference(all_classes))}"


def low(news: LowBalance) -> str:
    """The balance fell under the threshold."""
    return f"KIE's balance is low: {in_credits(news.balance)}, less than {number(news.below)}. {_TOP_UP}"


def paused(news: Paused) -> str:
    """KIE takes no more tasks."""
    left = "" if news.balance is None else f" {in_credits(news.balance)} are left there."
    return (
        f"Submissions are paused: KIE says that the account is out of credits.{left} New wishes are refused. "
        f"{_TOP_UP} Submissions then go on by themselves."
    )


def resumed(news: Resumed) -> str:
    """KIE takes tasks again."""
    left = "" if news.balance is None else f" KIE's balance is {in_credits(news.balance)}."
    return f"Submissions go on. They were paused {relative(news.since)}.{left}"


def _difference(credits_: Credits) -> str:
    if not credits_:
        return "no difference"
    return f"{number(abs(credits_))} {'more' if credits_ > 0 else 'less'} than charged"


def _count(amount: int, noun: str) -> str:
    return f"{amount} {noun}{'' if amount == 1 else 's'}"
