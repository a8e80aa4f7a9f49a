"""The words of /ops, which the operator alone reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from bot.domain.credits import Credits
from bot.domain.ids import DIRECT_MESSAGES
from bot.domain.kie_account import ClassCosts
from bot.domain.spending import ServerSpending
from bot.domain.states import Failure
from bot.generation.leader_report import QueueStatus
from bot.generation.operator_pause import OperatorPause
from bot.generation.status import ACCOUNT_DAYS, DatabaseStatus, Status
from bot.maintenance.backups import Backup
from bot.quota.costs import total_difference
from bot.quota.servers import ServerPage
from bot.ui.texts import refusals
from bot.ui.texts.amounts import counted, in_credits, number, plain, relative, size, some
from bot.ui.texts.commands import REPORT_PERIODS

PREVIOUS, NEXT = "Previous", "Next"
PAUSED = "⏸️ New requests are now refused in all servers. Requests that were already accepted continue."
MEMBERS_READ = "Members read:"
HOW_TO_RESUME = "/ops resume ends the pause."
REASON_REFUSED = "Discord doesn't let me show your reason, so members won't see it. Pause again with a different one."
NO_SERVERS = "I'm in no server, and none has used me yet."
NOT_PAUSED = "You hadn't paused requests."
USE_PG_DUMP = "The database is PostgreSQL: back it up with pg_dump, or the way its provider offers."
_NAME_LENGTH = 60
_SHARDS_NAMED = 10
_PAUSED: Mapping[Failure, str] = {
    Failure.OUT_OF_CREDITS: "KIE is out of credits",
    Failure.KEY_REFUSED: "KIE refuses the API key",
}


@dataclass(frozen=True, slots=True)
class DiscordStatus:
    """What this process has of Discord."""

    latencies: Mapping[int, float]
    """Seconds by shard, infinite for one that is not connected."""
    shards: int
    """Of all processes."""
    servers: int
    members: int
    """Of these servers together; who is in two counts twice."""


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server that the bot is in."""

    name: str
    members: int | None


def operator_pause(pause: OperatorPause | None, *, words: bool) -> Sequence[str]:
    """The operator's own pause, if there is one; without ``words`` its reason is left out."""
    if pause is None:
        return ()
    reason = f"> {pause.reason}" if words else REASON_REFUSED
    return (f"⏸️ **You paused requests {relative(pause.since)}.** {HOW_TO_RESUME}", reason)


def connection(discord: DiscordStatus) -> Sequence[str]:
    """Whether each shard is connected, and whom it serves."""
    return (_shards(discord), f"{counted(discord.servers, 'server')} · {counted(discord.members, 'member')}")


def _shards(discord: DiscordStatus) -> str:
    latencies = discord.latencies
    connected = [round(latency * 1000) for latency in latencies.values() if isfinite(latency)]
    if not connected:
        return "not connected"
    if len(latencies) == discord.shards == 1:
        return f"connected ({connected[0]:,} ms)"
    fastest, slowest = min(connected), max(connected)
    span = f"{fastest:,} ms" if fastest == slowest else f"{fastest:,} ms to {slowest:,} ms"
    pieces = [f"{len(connected):,} of {counted(len(latencies), 'shard')} connected ({span})"]
    if missing := [str(shard) for shard, latency in latencies.items() if not isfinite(latency)]:
        pieces.append(f"not connected: {some(missing, _SHARDS_NAMED)}")
    if others := discord.shards - len(latencies):
        pieces.append(f"{others:,} more in other processes")
    return " · ".join(pieces)


def kie(status: Status) -> Sequence[str]:
    """Whether KIE takes tasks, what is left there and how long it lasts, and how much of its rate limit is used."""
    pieces, lasts = ["balance not read yet"], list[str]()
    if status.balance is not None:
        pieces = [f"**{in_credits(status.balance.balance)}**", f"read {relative(status.balance.at)}"]
        if status.days_left is not None:
            lasts = [f"lasts about {counted(round(status.days_left), 'day')} at the last 7 days' rate"]
    state = status.queue
    calls = f"{state.calls:,} of {state.calls_allowed:,} new tasks in the last {number(state.window)} s"
    return (submitting(state), " · ".join(pieces), *lasts, calls)


def submitting(state: QueueStatus) -> str:
    """Whether tasks are submitted to KIE, which refuses requests if they are not."""
    if state.results_missing_since is not None:
        paused = f"paused {relative(state.results_missing_since)}: KIE's images can't be fetched"
    elif state.pause is not None:
        paused = f"paused {relative(state.pause.since)}: {_PAUSED[state.pause.reason]}"
    else:
        return "▶️ accepting tasks"
    return f"⏸️ {paused}; trying one task at a time" if state.trying else f"⏸️ {paused}"


def work(status: Status) -> Sequence[str]:
    """What is in progress, and what needs a look."""
    state = status.queue
    return (
        f"{state.waiting:,} waiting · {state.at_kie:,} at KIE · {counted(status.open_tasks, 'open task')}",
        f"{status.orphans:,} with unknown outcome · {status.awaiting_delivery:,} waiting to be posted",
    )


def money(status: Status) -> Sequence[str]:
    """What members spent today in all servers, and charges compared with KIE's costs."""
    spent = in_credits(status.spent_today)
    if status.budget is not None:
        spent = f"{number(status.spent_today)} of {in_credits(status.budget)}"
    lines = [f"{spent} spent today across all servers"]
    if status.accounts:
        total = f"total: {_difference(total_difference(status.accounts))}"
        heading = f"charges compared with KIE's costs, last {ACCOUNT_DAYS} days:"
        lines += [f"-# {line}" for line in (heading, *map(_costs, status.accounts), total)]
    return lines


def _costs(price_class: ClassCosts) -> str:
    """A price class: what was charged, what KIE charged, and the difference."""
    kind = f"{price_class.price_class.model.value} {price_class.price_class.resolution.value}"
    sums = f"charged {number(price_class.charged)} · KIE charged {number(price_class.consumed)}"
    pieces = [kind, counted(price_class.images, "image"), sums, _difference(price_class.difference)]
    if price_class.unreported:
        pieces.append(f"{price_class.unreported:,} more without a cost reported by KIE")
    return " · ".join(pieces)


def _difference(credits_: Credits) -> str:
    if not credits_:
        return "no difference"
    return f"{number(abs(credits_))} {'more' if credits_ > 0 else 'less'} than charged"


def database(state: DatabaseStatus) -> Sequence[str]:
    """How large it is, what its disk has left, and how old the newest backup is."""
    if not state.is_sqlite:
        return (f"PostgreSQL · {size(state.size)} · {size(state.free)} free on this disk",)
    backup = "none yet" if state.backed_up_at is None else relative(state.backed_up_at)
    return (f"SQLite · {size(state.size)} · {size(state.free)} free on its disk", f"newest backup: {backup}")


def process(status: Status, version: str) -> Sequence[str]:
    """Which Easel this is, since when it runs, and which workers have stopped."""
    pieces = [f"Easel {version}", f"started {relative(status.started_at)}"]
    if status.memory is not None:
        pieces.append(f"{size(status.memory)} of memory")
    running = [name for name, alive in status.workers.items() if alive]
    stopped = [name for name, alive in status.workers.items() if not alive]
    workers = [f"workers running: {', '.join(running) or 'none'}"]
    if stopped:
        workers.append(f"stopped: {', '.join(stopped)}")
    return (" · ".join(pieces), " · ".join(workers))


def members_read(pause: OperatorPause) -> str:
    """What members read who ask for an image, as a quotation."""
    return f"> {refusals.paused(pause.reason)}"


def resumed(pause: OperatorPause) -> str:
    """The pause has ended."""
    return f"▶️ Requests are accepted again. You had paused them {relative(pause.since)}."


def still_refused(state: QueueStatus) -> str | None:
    """Why requests are refused although the operator's pause has ended."""
    paused = state.pause is not None or state.results_missing_since is not None
    return f"They are still refused for another reason: {submitting(state)}." if paused and not state.trying else None


def backed_up(backup: Backup) -> str:
    """Where the backup is."""
    return (
        f"✅ Backed up to `{backup.path}` and checked: {size(backup.size)} in {backup.seconds:,.1f} s. "
        "I won't delete this copy; that's up to you."
    )


def servers_title(page: ServerPage) -> str:
    """Which page this is, and the sum over all of them."""
    pages = f" · page {page.number + 1:,} of {page.pages:,}" if page.pages > 1 else ""
    return (
        f"### Servers, {REPORT_PERIODS[page.period]} (UTC)\n"
        f"{counted(page.count, 'server')} · {in_credits(page.credits)} spent{pages}"
    )


def server(rank: int, spending: ServerSpending, images: int, known: KnownServer | None, *, words: bool) -> str:
    """A server: what it is called, what it spent, how large it is, and when it was last used."""
    guild_id = spending.guild_id
    pieces = [in_credits(spending.credits), counted(images, "image")]
    if guild_id == DIRECT_MESSAGES:
        name = "Direct messages"
    elif known is None:
        name = f"{guild_id}"
        pieces.append("removed me")
    else:
        name = plain(known.name, _NAME_LENGTH) if words and known.name.strip() else f"{guild_id}"
        pieces += [] if known.members is None else [counted(known.members, "member")]
    pieces.append("never used" if spending.used_at is None else f"used {relative(spending.used_at)}")
    return f"**{rank:,}. {name}**\n-# {' · '.join(pieces)}"
