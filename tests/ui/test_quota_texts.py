"""What is told of credits and channels: what is within reach, and other people's words."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.domain.errors import BadAmount, CapReached, ChannelNotAllowed, NotEnoughCredits, UnknownZone
from bot.domain.ids import ChannelId
from bot.domain.rules import Cap
from bot.domain.settings import AspectRatio, CheaperOption, Model, Resolution, Settings
from bot.ui.texts import refusals

MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "error",
    [
        NotEnoughCredits(Decimal(96), Decimal(50), Decimal(100), MOMENT),
        NotEnoughCredits(Decimal(96), Decimal(50), Decimal(60), MOMENT),
        NotEnoughCredits(Decimal(96), Decimal(50), Decimal(0), MOMENT),
        *(CapReached(cap, Decimal(96), Decimal(50), MOMENT) for cap in Cap),
    ],
    ids=["this period", "ever", "granted", *Cap],
)
def test_what_is_within_reach_stands_in_one_sentence(error: NotEnoughCredits | CapReached) -> None:
    ways = (
        CheaperOption(Settings(Model.PRO, AspectRatio.SQUARE, Resolution.ONE_K), 4, Decimal(20)),
        CheaperOption(Settings(Model.FLEX, AspectRatio.SQUARE, Resolution.TWO_K), 1, Decimal("24.5")),
    )
    error.affordable = ways
    sentence = refusals.refusal(error)

    assert "Still within reach: 4 × pro at 1K for 20, or flex at 2K for 24.5. " in sentence
    assert sentence.endswith("Nothing was charged.")
    assert len(sentence) < 220


def test_of_many_channels_a_few_are_named() -> None:
    sentence = refusals.refusal(ChannelNotAllowed(tuple(ChannelId(number) for number in range(1, 200))))

    assert "<#1>" in sentence
    assert len(sentence) < 200


def test_what_was_typed_is_shown_as_it_was_and_cut() -> None:
    for error in (BadAmount("@everyone " * 50), UnknownZone("**" * 3000)):
        sentence = refusals.refusal(error)

        assert "@everyone" not in sentence.replace("\\@", "")
        assert "…" in sentence
        assert len(sentence) < 300
