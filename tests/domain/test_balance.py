"""Allowance and bonus together: what is left, and which of the two pays."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.credits import Allowance, Balance, Credits, Period
from tests.factories import NOW

amounts = st.integers(0, 200_000).map(lambda thousandths: Credits(thousandths) / 1000)
prices = st.sampled_from([5, 7, 14, 24]).map(Credits) | st.integers(1, 50_000).map(lambda n: Credits(n) / 1000)
periods = st.sampled_from(Period)
balances = st.builds(Balance, st.builds(Allowance, amounts, periods), amounts, st.just(NOW), amounts)
unlimited = st.builds(Balance, st.builds(Allowance, st.none(), periods), amounts, st.just(NOW), amounts)
counts = st.integers(1, 4)


def make_balance(allowance: str | None, spent: str, bonus: str = "0") -> Balance:
    amount = None if allowance is None else Credits(allowance)
    return Balance(Allowance(amount, Period.DAY), Credits(spent), NOW, Credits(bonus))


@given(balances, prices, counts)
def test_the_allowance_pays_first_and_neither_goes_below_zero(balance: Balance, price: Credits, count: int) -> None:
    shares = balance.bonus_shares([price] * count)
    allowance, left = balance.left_of_allowance, balance.left
    assert allowance is not None
    assert left is not None
    assert (shares is None) == (price * count > left)
    if shares is None:
        return
    assert len(shares) == count
    assert all(0 <= share <= price for share in shares)
    from_bonus = sum(shares)
    assert from_bonus <= balance.bonus
    assert price * count - from_bonus <= allowance
    assert from_bonus == 0 or price * count - from_bonus == allowance, "the bonus pays only once the allowance is spent"
    assert shares == sorted(shares)


@given(balances, prices, st.integers(2, 4))
def test_several_images_are_paid_like_one_after_another(balance: Balance, price: Credits, count: int) -> None:
    together = balance.bonus_shares([price] * count)
    assume(together is not None)
    spent, bonus = balance.spent, balance.bonus
    separately: list[Credits] = []
    for _ in range(count):
        shares = Balance(balance.allowance, spent, NOW, bonus).bonus_shares([price])
        assert shares is not None
        separately += shares
        spent, bonus = spent + price - shares[0], bonus - shares[0]
    assert separately == together


@given(unlimited, prices, counts)
def test_an_unlimited_allowance_leaves_the_bonus_alone(balance: Balance, price: Credits, count: int) -> None:
    assert balance.bonus_shares([price] * count) == [0] * count
    assert balance.left is None


@pytest.mark.parametrize(
    ("balance", "price", "count", "shares"),
    [
        (make_balance("50", "0", "100"), "5", 4, ["0", "0", "0", "0"]),
        (make_balance("50", "38", "100"), "5", 4, ["0", "0", "3", "5"]),
        (make_balance("50", "50", "10"), "5", 2, ["5", "5"]),
        (make_balance("50", "50", "9.999"), "5", 2, None),
        (make_balance("12", "0"), "5", 3, None),
        # The allowance was lowered below what is spent: nothing is owed, and nothing is left.
        (make_balance("10", "40", "5"), "5", 1, ["5"]),
        (make_balance("10", "40"), "5", 1, None),
        (make_balance(None, "9999", "3"), "24", 2, ["0", "0"]),
    ],
)
def test_the_bonus_shares(balance: Balance, price: str, count: int, shares: list[str] | None) -> None:
    expected = None if shares is None else [Decimal(share) for share in shares]
    assert balance.bonus_shares([Credits(price)] * count) == expected


@pytest.mark.parametrize(
    ("balance", "left_of_allowance", "left"),
    [
        (make_balance("50", "0"), "50", "50"),
        (make_balance("50", "12.5"), "37.5", "37.5"),
        (make_balance("50", "12.5", "7"), "37.5", "44.5"),
        (make_balance("10", "50", "7"), "0", "7"),
        (make_balance("0", "0", "7"), "0", "7"),
        (make_balance(None, "50", "7"), None, None),
    ],
)
def test_what_is_left(balance: Balance, left_of_allowance: str | None, left: str | None) -> None:
    assert balance.left_of_allowance == (None if left_of_allowance is None else Credits(left_of_allowance))
    assert balance.left == (None if left is None else Credits(left))
