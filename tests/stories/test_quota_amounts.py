"""The amount that an admin fills in."""

from decimal import Decimal

import pytest

from tests.stories.begging import approved, letters, newest, request_card
from tests.stories.managing import holdings
from tests.stories.pressing import told
from tests.stories.stage import Stage


@pytest.mark.parametrize(
    ("typed", "granted"), [("7", "7"), (" 2,5 ", "2.5"), ("0.125", "0.125"), ("1000000", "1000000")]
)
async def test_amounts_that_are_understood(stage: Stage, typed: str, granted: str) -> None:
    await approved(stage, await request_card(stage), typed)

    assert stage.ledger(stage.alice) == [("grant", Decimal(granted))]


@pytest.mark.parametrize(
    "typed", ["0", "-5", "lots", "1000001", "1e9", "nan", "Infinity", "0.0001", "1.2.3", "   ", "5 credits", "1e-30"]
)
async def test_amounts_that_are_none_change_nothing(stage: Stage, typed: str) -> None:
    card = await request_card(stage)
    before = holdings(stage)
    answer = told(await approved(stage, card, typed)).text

    assert answer.endswith("is no amount. Write a number up to 1,000,000. Nothing was granted.")
    assert holdings(stage) == before
    assert letters(stage.alice) == []
    assert newest(stage).buttons == ("Approve", "Deny")
    await approved(stage, card, "5")
    assert stage.ledger(stage.alice) == [("grant", Decimal(5))]
