"""KIE's balance and costs: when the balance is low, how long it lasts, and differences to what members pay."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.domain.credits import ZERO, Credits
from bot.domain.kie_account import ClassCosts
from bot.domain.settings import Model, Resolution
from bot.domain.spending import PriceClass
from bot.quota.balance_monitor import is_low
from bot.quota.costs import days_left, total_difference


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
def test_low_begins_below_the_threshold_and_ends_a_tenth_above(balance: str, was_low: bool, low: bool) -> None:
    assert is_low(Credits(balance), Credits(500), was_low=was_low) is low


@pytest.mark.parametrize("was_low", [False, True])
def test_no_balance_is_below_a_threshold_of_zero(was_low: bool) -> None:
    assert not is_low(ZERO, ZERO, was_low=was_low)


@pytest.mark.parametrize(
    ("balance", "spent", "days", "left"),
    [
        pytest.param(700, 70, 7, 70.0, id="a week"),
        pytest.param(700, 70, 1, 10.0, id="a day"),
        pytest.param(700, 70, 0.01, 10.0, id="less than a day counts as one"),
        pytest.param(0, 70, 7, 0.0, id="empty"),
        pytest.param(-5, 70, 7, 0.0, id="negative"),
        pytest.param(700, 0, 7, None, id="nothing spent"),
    ],
)
def test_how_long_a_balance_lasts(balance: int, spent: int, days: float, left: float | None) -> None:
    assert days_left(Credits(balance), Credits(spent), timedelta(days=days)) == left


def test_differences_add_up() -> None:
    def costs(charged: str, consumed: str) -> ClassCosts:
        return ClassCosts(PriceClass(Model.PRO, Resolution.ONE_K), 3, Credits(charged), Credits(consumed), 0, ZERO)

    assert costs("15", "18").difference == 3
    assert total_difference([costs("15", "18"), costs("14", "13.5")]) == Decimal("2.5")
