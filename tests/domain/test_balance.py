"""Allowance and bonus together: what is left, and which of the two pays."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.credits import Allowance, Balance, Credits, Period
from tests.factories import NOW

thousandths = st.integers(0, 200_000).map(lambda number: Credits(number) / 1000)
prices = st.sampled_from([5, 7, 14, 24]).map(Credits) | st.integers(1, 50_000).map(
    lambda number: Credits(number) / 1000
)
balances = st.builds(
    Balance, st.builds(Allowance, thousandths, st.sampled_from(Period)), thousandths, st.just(NOW), thousandths
)
unlimited = st.builds(
    Balance, st.builds(Allowance, st.none(), st.sampled_from(Period)), thousandths, st.just(NOW), thousandths
)
counts = st.integers(1, 4)


def balance(allowed: str | None, spent: str, bonus: str) -> Balance:
    allowance = Allowance(None if allowed is None else Credits(allowed), Period.DAY)
    return Balance(allowance, Credits(spent), NOW, Credits(bonus))


@given(balances, prices, counts)
def test_the_bonus_pays_what_the_allowance_does_not_and_neither_goes_below_zero(
    held: Balance, price: Credits, count: int
) -> None:
    parts = held.from_bonus(price, count)
    allowance, left = held.left_of_allowance, held.left
    assert allowance is not None
    assert left is not None
    if parts is None:
        assert price * count > left
        return
    assert len(parts) == count
    assert all(0 <= part <= price for part in parts)
    by_bonus = sum(parts)
    assert by_bonus <= held.bonus
    assert price * count - by_bonus <= allowance
    # The allowance goes first: the bonus is touched only when that is used up.
    assert by_bonus == 0 or price * count - by_bonus == allowance
    assert parts == sorted(parts)


@given(balances, prices, counts)
def test_images_are_too_dear_exactly_when_all_together_cost_more_than_is_left(
    held: Balance, price: Credits, count: int
) -> None:
    left = held.left
    assert left is not None
    assert (held.from_bonus(price, count) is None) == (price * count > left)


@given(balances, prices, st.integers(2, 4))
def test_several_at_once_are_paid_as_one_after_another(held: Balance, price: Credits, count: int) -> None:
    together = held.from_bonus(price, count)
    assume(together is not None)
    spent, bonus = held.spent, held.bonus
    apart: list[Credits] = []
    for _ in range(count):
        parts = Balance(held.allowance, spent, NOW, bonus).from_bonus(price, 1)
        assert parts is not None
        apart += parts
        spent, bonus = spent + price - parts[0], bonus - parts[0]
    assert apart == together


@given(unlimited, prices, counts)
def test_without_limit_the_bonus_is_left_alone(held: Balance, price: Credits, count: int) -> None:
    assert held.from_bonus(price, count) == [0] * count
    assert held.left is None


@pytest.mark.parametrize(
    ("allowed", "spent", "bonus", "price", "count", "parts"),
    [
        ("50", "0", "100", "5", 4, ["0", "0", "0", "0"]),
        ("50", "38", "100", "5", 4, ["0", "0", "3", "5"]),
        ("50", "50", "10", "5", 2, ["5", "5"]),
        ("50", "50", "9.999", "5", 2, None),
        ("12", "0", "0", "5", 2, ["0", "0"]),
        ("12", "0", "0", "5", 3, None),
        ("0", "0", "24", "24", 1, ["24"]),
        # A lowered allowance is overspent: it owes nothing, and gives nothing.
        ("10", "40", "5", "5", 1, ["5"]),
        ("10", "40", "0", "5", 1, None),
        ("0", "0", "0", "5", 1, None),
        (None, "9999", "3", "24", 2, ["0", "0"]),
    ],
)
def test_who_pays(allowed: str | None, spent: str, bonus: str, price: str, count: int, parts: list[str] | None) -> None:
    expected = None if parts is None else [Decimal(part) for part in parts]
    assert balance(allowed, spent, bonus).from_bonus(Credits(price), count) == expected


@pytest.mark.parametrize(
    ("allowed", "spent", "bonus", "of_allowance", "left"),
    [
        ("50", "12.5", "0", "37.5", "37.5"),
        ("50", "12.5", "7", "37.5", "44.5"),
        ("10", "50", "7", "0", "7"),
        ("0", "0", "7", "0", "7"),
        (None, "50", "7", None, None),
    ],
)
def test_what_is_left(allowed: str | None, spent: str, bonus: str, of_allowance: str | None, left: str | None) -> None:
    held = balance(allowed, spent, bonus)
    assert held.left_of_allowance == (None if of_allowance is None else Credits(of_allowance))
    assert held.left == (None if left is None else Credits(left))
