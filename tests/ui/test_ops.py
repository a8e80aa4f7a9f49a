"""The operator's texts: every state of the bot has its own."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from types import MappingProxyType
from typing import Any

import discord
import pytest

from bot import VERSION
from bot.domain.credits import ZERO, Credits, Period
from bot.domain.ids import GenerationId
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
    UnknownResultHost,
)
from bot.domain.settings import Model, Resolution
from bot.domain.spending import PriceClass
from bot.domain.states import Failure
from bot.generation.leader_report import QueueStatus
from bot.generation.operator_pause import OperatorPause
from bot.generation.status import DatabaseStatus, Status
from bot.quota.funds_breaker import Pause
from bot.quota.servers import ServerPage
from bot.ui.cards import AMBER, BLURPLE, RED
from bot.ui.ops_panels import servers_view, status_view
from bot.ui.texts import ops
from bot.ui.texts.ops_commands import DiscordStatus

MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
WHEN = f"<t:{int(MOMENT.timestamp())}:R>"
PAUSE = Pause(since=MOMENT, needed=Credits(5), refused_at=MOMENT)
USUAL = Status(
    started_at=MOMENT,
    workers={"submitter": True, "tracker": True},
    queue=QueueStatus(waiting=0, at_kie=0, calls=0, calls_allowed=20, window=10.0, pause=None, trying=False),
    operator_pause=None,
    open_tasks=0,
    orphans=0,
    awaiting_delivery=0,
    balance=None,
    days_left=None,
    spent_today=Credits(0),
    budget=None,
    accounts=(),
    database=DatabaseStatus(is_sqlite=True, size=12_340_000, free=1_204_500_000_000, backed_up_at=None),
    memory=112_300_000,
)


def shown(
    status: Status, latencies: Mapping[int, float] = MappingProxyType({0: 0.0421}), shards: int = 1
) -> tuple[int | None, list[str]]:
    """The panel's colour and lines."""
    (container,) = status_view(status, DiscordStatus(latencies, shards, 1_312, 1_204_511)).children
    assert isinstance(container, discord.ui.Container)
    texts = [item.content for item in container.children if isinstance(item, discord.ui.TextDisplay)]
    colour = container.accent_colour
    return (int(colour) if colour is not None else None), "\n".join(texts).splitlines()


def queue(**changes: Any) -> Status:
    return replace(USUAL, queue=replace(USUAL.queue, **changes))


def with_database(**changes: Any) -> Status:
    return replace(USUAL, database=replace(USUAL.database, **changes))


@pytest.mark.parametrize(
    ("status", "colour", "line"),
    [
        (USUAL, BLURPLE, "connected (42 ms)"),
        (USUAL, BLURPLE, "1,312 servers · 1,204,511 members"),
        (USUAL, BLURPLE, f"Easel {VERSION} · started {WHEN} · 112.3 MB of memory"),
        (replace(USUAL, memory=None), BLURPLE, f"Easel {VERSION} · started {WHEN}"),
        (USUAL, BLURPLE, "workers running: submitter, tracker"),
        (USUAL, BLURPLE, "▶️ accepting tasks"),
        (USUAL, BLURPLE, "0 with unknown outcome · 0 waiting to be posted"),
        (USUAL, BLURPLE, "balance not read yet"),
        (USUAL, BLURPLE, "SQLite · 12.3 MB · 1,204.5 GB free on its disk"),
        (USUAL, BLURPLE, "newest backup: none yet"),
        (with_database(backed_up_at=MOMENT), BLURPLE, f"newest backup: {WHEN}"),
        (with_database(is_sqlite=False), BLURPLE, "PostgreSQL · 12.3 MB · 1,204.5 GB free on this disk"),
        (queue(waiting=3_000, at_kie=2), BLURPLE, "3,000 waiting · 2 at KIE · 0 open tasks"),
        (queue(calls=7), BLURPLE, "7 of 20 new tasks in the last 10 s"),
        (
            replace(USUAL, operator_pause=OperatorPause(MOMENT, "we move")),
            AMBER,
            f"⏸️ **You paused requests {WHEN}.** /ops resume ends the pause.",
        ),
        (replace(USUAL, operator_pause=OperatorPause(MOMENT, "we move")), AMBER, "> we move"),
        (queue(pause=PAUSE), AMBER, f"⏸️ paused {WHEN}: KIE is out of credits"),
        (
            queue(pause=PAUSE, trying=True),
            AMBER,
            f"⏸️ paused {WHEN}: KIE is out of credits; trying one task at a time",
        ),
        (
            replace(USUAL, workers={"submitter": True, "tracker": False}),
            RED,
            "workers running: submitter · stopped: tracker",
        ),
        (
            replace(USUAL, open_tasks=1, orphans=2, awaiting_delivery=3),
            BLURPLE,
            "2 with unknown outcome · 3 waiting to be posted",
        ),
        (replace(USUAL, balance=BalanceReading(Credits("12.5"), MOMENT)), BLURPLE, f"**12.5 credits** · read {WHEN}"),
        (
            replace(USUAL, balance=BalanceReading(Credits(12), MOMENT), days_left=0.6),
            BLURPLE,
            "lasts about 1 day at the last 7 days' rate",
        ),
        (replace(USUAL, spent_today=Credits(1)), BLURPLE, "1 credit spent today across all servers"),
        (
            replace(USUAL, spent_today=Credits(1_234), budget=Credits(5_000)),
            BLURPLE,
            "1,234 of 5,000 credits spent today across all servers",
        ),
    ],
)
def test_every_state_has_its_own_line(status: Status, colour: int, line: str) -> None:
    assert (shown(status)[0], line in shown(status)[1]) == (colour, True)


@pytest.mark.parametrize(
    ("latencies", "shards", "line"),
    [
        ({0: 0.04, 1: inf}, 2, "1 of 2 shards connected (40 ms) · not connected: 1"),
        ({0: 0.04, 1: 0.06}, 4, "2 of 2 shards connected (40 ms to 60 ms) · 2 more in other processes"),
        (
            dict.fromkeys(range(1000), inf) | {0: 1.04},
            1000,
            "1 of 1,000 shards connected (1,040 ms) · not connected: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 989 more",
        ),
    ],
)
def test_shards_are_counted(latencies: dict[int, float], shards: int, line: str) -> None:
    assert line in shown(USUAL, latencies, shards)[1]


def test_without_a_latency_it_is_not_connected() -> None:
    assert "not connected" in shown(USUAL, {0: inf})[1]


@pytest.mark.parametrize(
    ("consumed", "unreported", "comparison"),
    [
        (15, 0, "KIE charged 15 · no difference"),
        (18, 0, "KIE charged 18 · 3 more than charged"),
        (12, 2, "KIE charged 12 · 3 less than charged · 2 more without a cost reported by KIE"),
    ],
)
def test_differences_have_a_direction(consumed: int, unreported: int, comparison: str) -> None:
    price_class = PriceClass(Model.PRO, Resolution.ONE_K)
    costs = ClassCosts(price_class, 3, Credits(15), Credits(consumed), unreported, ZERO)

    lines = shown(replace(USUAL, accounts=(costs,)))[1]
    place = lines.index(f"-# pro 1K · 3 images · charged 15 · {comparison}")
    assert lines[place + 1].startswith("-# total: ")


@pytest.mark.parametrize(
    "text",
    [
        ops.low(LowBalance(Credits("99.5"), Credits(100))),
        ops.paused(Paused(None)),
        ops.paused(Paused(None, Failure.KEY_REFUSED)),
        ops.paused(Paused(None, Failure.KEY_REFUSED, forbidden=True)),
        ops.paused(Paused(Credits(3))),
        ops.resumed(Resumed(MOMENT, None)),
        ops.resumed(Resumed(MOMENT, Credits(3))),
        ops.unknown_host(UnknownResultHost("cdn.example.com")),
        ops.RESULTS_MISSING,
        ops.results_arriving(ResultsArriving(MOMENT)),
        ops.delivery_given_up(DeliveryGivenUp(GenerationId(12))),
        ops.disk_low(DiskLow("/data", 400_000_000)),
        ops.gateway_away(GatewayAway(MOMENT, (0,), 1)),
        ops.gateway_away(GatewayAway(MOMENT, (3, 5), 16)),
        ops.gateway_returned(GatewayReturned(MOMENT, MOMENT)),
    ],
)
def test_alerts_are_whole_sentences(text: str) -> None:
    assert text.endswith(".")
    assert not any(oddity in text for oddity in ("  ", "None", "!"))


def test_no_server_at_all_is_said_in_words() -> None:
    """Discord refuses an empty text. Somebody may have added the commands without the bot."""
    (container,) = servers_view(ServerPage(Period.DAY, 0, 1, (), 0, ZERO), {}).children
    assert isinstance(container, discord.ui.Container)
    texts = [item.content for item in container.children if isinstance(item, discord.ui.TextDisplay)]
    assert texts[0].splitlines()[1] == "0 servers · 0 credits spent"
    assert all(texts)
