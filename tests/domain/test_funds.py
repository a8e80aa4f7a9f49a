"""When a pause ends, when the balance is low, and how long it lasts."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from bot.domain.credits import ZERO, Credits
from bot.domain.kie_account import ClassCosts
from bot.domain.settings import Model, Resolution
from bot.domain.spending import PriceClass
from bot.quota.balance_monitor import is_low
from bot.quota.costs import days_left, total_difference
from bot.quota.funds_breaker import PROBE_AFTER, PROBE_LOW_BALANCE_AFTER, Decision, Pause
from tests.factories import NOW

LATER = NOW + PROBE_AFTER
PAUSE = Pause(since=NOW, needed=Credits(7), refused_at=NOW)
LOOKED = PAUSE.after_reading(Credits(3), NOW)
MISLED = PAUSE.after_reading(Credits(900), NOW)


@pytest.mark.parametrize(
    ("pause", "balance", "now", "verdict"),
    [
        (LOOKED, "6.999", LATER, Decision.STAY_OPEN),
        (LOOKED, "6.999", NOW + PROBE_LOW_BALANCE_AFTER, Decision.PROBE),
        (LOOKED, "7", NOW, Decision.CLOSE),
        (LOOKED, None, NOW, Decision.STAY_OPEN),
        (LOOKED, None, LATER, Decision.PROBE),
        (PAUSE, None, LATER, Decision.PROBE),
        (MISLED, "900", NOW, Decision.STAY_OPEN),
        (MISLED, "900", LATER, Decision.PROBE),
        (MISLED, "899", LATER, Decision.PROBE),
        (MISLED, "6", LATER, Decision.STAY_OPEN),
        (MISLED, "901", NOW, Decision.CLOSE),
        (LOOKED, "-2", LATER, Decision.STAY_OPEN),
    ],
    ids=[
        "not enough",
        "not enough for long",
        "enough",
        "unreadable",
        "unreadable for a while",
        "never read",
        "refused with as much",
        "refused with as much for a while",
        "less than it was refused with",
        "too little after all",
        "more than it was refused with",
        "in debt",
    ],
)
def test_what_a_balance_says_of_a_pause(pause: Pause, balance: str | None, now: datetime, verdict: Decision) -> None:
    assert pause.decide(None if balance is None else Credits(balance), now) is verdict


def test_the_first_balance_just_after_a_refusal_only_shows_what_it_is_worth() -> None:
    assert MISLED.misleading_balance == 900
    assert LOOKED.misleading_balance is None
    assert PAUSE.after_reading(None, NOW) == PAUSE
    assert LOOKED.after_reading(Credits(900), NOW) == LOOKED
    assert PAUSE.after_reading(Credits(900), LATER).misleading_balance is None


def test_a_further_refusal_keeps_the_beginning_and_the_dearest_price() -> None:
    dearer = LOOKED.after_refusal(Credits(24), LATER, read_again=False)
    cheaper = LOOKED.after_refusal(Credits(5), LATER, read_again=True)

    assert (dearer.since, dearer.needed, dearer.refused_at, dearer.balance_read) == (NOW, 24, LATER, True)
    assert (cheaper.since, cheaper.needed, cheaper.refused_at, cheaper.balance_read) == (NOW, 7, LATER, False)


@pytest.mark.parametrize(
    ("balance", "was_low", "low"),
    [
        ("500", False, False),
        ("499.999", False, True),
        ("500", True, True),
        ("549.999", True, True),
        ("550", True, False),
        ("-1", False, True),
    ],
)
def test_low_begins_under_the_threshold_and_ends_a_tenth_above(balance: str, was_low: bool, low: bool) -> None:
    assert is_low(Credits(balance), Credits(500), was_low=was_low) is low


@pytest.mark.parametrize("was_low", [False, True])
def test_a_threshold_of_zero_is_never_fallen_under(was_low: bool) -> None:
    assert not is_low(Credits(0), Credits(0), was_low=was_low)


@pytest.mark.parametrize(
    ("balance", "spent", "days", "left"),
    [
        (700, 70, 7, 70.0),
        (700, 70, 1, 10.0),
        (700, 70, 0.01, 10.0),
        (0, 70, 7, 0.0),
        (-5, 70, 7, 0.0),
        (700, 0, 7, None),
    ],
    ids=["a week", "a day", "less than a day counts as one", "empty", "in debt", "nothing spent"],
)
def test_how_long_a_balance_lasts(balance: int, spent: int, days: float, left: float | None) -> None:
    assert days_left(Credits(balance), Credits(spent), timedelta(days=days)) == left


def test_differences_add_up() -> None:
    def account(charged: str, consumed: str) -> ClassCosts:
        return ClassCosts(PriceClass(Model.PRO, Resolution.ONE_K), 3, Credits(charged), Credits(consumed), 0, ZERO)

    assert account("15", "18").difference == 3
    assert total_difference([account("15", "18"), account("14", "13.5")]) == Decimal("2.5")
    assert total_difference([]) == 0
