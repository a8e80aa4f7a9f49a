"""The operator's words: every state that the bot can be in is told apart."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import discord
import pytest

from bot.domain.credits import ZERO, Credits
from bot.domain.kie_account import BalanceReading, ClassCosts, LowBalance, Paused, Resumed
from bot.domain.settings import Model, Resolution
from bot.domain.spending import PriceClass
from bot.generation.status import QueueStatus, Status
from bot.quota.funds_breaker import Pause
from bot.ui.cards import AMBER, BLURPLE, RED
from bot.ui.status import status_view
from bot.ui.texts import ops

MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
WHEN = f"<t:{int(MOMENT.timestamp())}:R>"
PAUSE = Pause(since=MOMENT, needed=Credits(5), refused_at=MOMENT)
PRO = PriceClass(Model.PRO, Resolution.ONE_K)
USUAL = Status(
    started_at=MOMENT,
    workers={"submitter": True, "tracker": True, "watcher": True},
    queue=QueueStatus(waiting=0, at_kie=0, calls=0, calls_allowed=20, window=10.0, pause=None, trying=False),
    open_tasks=0,
    orphans=0,
    undelivered=0,
    balance=None,
    days_left=None,
    spent_today=Credits(0),
    accounts=(),
)


def shown(status: Status, latency: float | None = 0.0421) -> tuple[int | None, str]:
    """The card's colour and words."""
    (container,) = status_view(status, latency).children
    assert isinstance(container, discord.ui.Container)
    texts = [item.content for item in container.children if isinstance(item, discord.ui.TextDisplay)]
    return (int(container.accent_colour) if container.accent_colour is not None else None), "\n".join(texts)


def line(**changes: Any) -> Status:
    return replace(USUAL, queue=replace(USUAL.queue, **changes))


@pytest.mark.parametrize(
    ("status", "colour", "words"),
    [
        (USUAL, BLURPLE, f"up since {WHEN} · connected to Discord (42 ms)"),
        (USUAL, BLURPLE, "▶️ submissions go on"),
        (USUAL, BLURPLE, "0 open tasks · 0 orphaned · 0 undelivered"),
        (USUAL, BLURPLE, "It could not be read yet."),
        (USUAL, BLURPLE, "No picture yet."),
        (line(waiting=3, at_kie=2, calls=7), BLURPLE, "3 waiting · 2 at KIE · 7 of 20 calls in 10 s"),
        (line(pause=PAUSE), AMBER, f"⏸️ paused since {WHEN}: KIE is out of credits"),
        (line(pause=PAUSE, trying=True), AMBER, f"trying one task at a time, paused since {WHEN}"),
        (
            replace(USUAL, workers={"submitter": True, "tracker": False}),
            RED,
            "at work: submitter · dead: tracker",
        ),
        (replace(USUAL, open_tasks=1, orphans=2, undelivered=3), BLURPLE, "1 open task · 2 orphaned · 3 undelivered"),
        (replace(USUAL, balance=BalanceReading(Credits("12.5"), MOMENT)), BLURPLE, f"**12.5 credits** · read {WHEN}"),
        (
            replace(USUAL, balance=BalanceReading(Credits(12), MOMENT), days_left=0.6),
            BLURPLE,
            "lasts about 1 day at the last seven days' rate",
        ),
        (replace(USUAL, spent_today=Credits(1)), BLURPLE, "1 credit spent today over all servers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_state_is_told(status: Status, colour: int, words: str) -> None:
    seen_colour, text = shown(status)
    assert words in text
    assert seen_colour == colour


def test_without_a_latency_it_is_not_connected() -> None:
    assert "not connected to Discord" in shown(USUAL, None)[1]


@pytest.mark.parametrize(
    ("consumed", "unreported", "words"),
    [
        (15, 0, "pro 1K · 3 pictures · charged 15 · KIE took 15 · no difference"),
        (18, 0, "pro 1K · 3 pictures · charged 15 · KIE took 18 · 3 more than charged"),
        (12, 2, "pro 1K · 3 pictures · charged 15 · KIE took 12 · 3 less than charged · 2 more without KIE's word"),
    ],
)
def test_differences_have_a_direction(consumed: int, unreported: int, words: str) -> None:
    account = ClassCosts(PRO, 3, Credits(15), Credits(consumed), unreported, ZERO)

    assert ops.account(account) == words
    assert f"-# {words}\n-# together: " in shown(replace(USUAL, accounts=(account,)))[1]


@pytest.mark.parametrize(
    "text",
    [
        ops.low(LowBalance(Credits("99.5"), Credits(100))),
        ops.paused(Paused(None)),
        ops.paused(Paused(Credits(3))),
        ops.resumed(Resumed(MOMENT, None)),
        ops.resumed(Resumed(MOMENT, Credits(3))),
    ],
)
def test_alarms_are_whole_sentences(text: str) -> None:
    assert text.endswith(".")
    assert "  " not in text
    assert "None" not in text
    assert "!" not in text
