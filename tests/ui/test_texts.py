import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.domain.credits import KIE_PRICES, Allowance, Balance, LedgerEntry, Movement, Period, PriceList
from bot.domain.errors import (
    AlreadyRequested,
    AutoNeedsReference,
    BadAmount,
    CapReached,
    ChannelNotAllowed,
    ControlsNeedFlex,
    CreditRequestClosed,
    CreditsMissing,
    DraftGone,
    GenerationGone,
    MayNotPost,
    NoRequestsChannel,
    NoSourceImage,
    NotAManager,
    NotEnoughCredits,
    NothingToChange,
    NotReadyYet,
    NotYours,
    PromptLength,
    ReferenceProblem,
    ReferenceRefused,
    ReferencesGone,
    SubmissionsPaused,
    TooLateToCancel,
    TooManyImages,
    TooManyOpen,
    UnknownZone,
    UploadFailed,
    UserError,
)
from bot.domain.ids import ChannelId
from bot.domain.rules import Cap
from bot.domain.settings import PROMPT_MAX, PROMPT_MIN, AspectRatio, Model, Resolution, Settings
from bot.domain.states import Failure
from bot.ui.texts import amounts, cards, editing, quota, refusals, statement

MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)

REFUSALS: list[UserError] = [
    SubmissionsPaused(),
    PromptLength(5001, PROMPT_MIN, PROMPT_MAX),
    AutoNeedsReference(),
    ControlsNeedFlex(),
    *(ReferenceRefused("holiday.png", problem) for problem in ReferenceProblem),
    UploadFailed(),
    NotEnoughCredits(Decimal("1234567.125"), Decimal("1000000.125"), Decimal("2000000.125"), MOMENT),
    NotEnoughCredits(Decimal("3000000.125"), Decimal("1000000.125"), Decimal("2000000.125"), MOMENT),
    NotEnoughCredits(Decimal(5), Decimal("3.125"), Decimal(0), MOMENT),
    NotEnoughCredits(Decimal(5), Decimal(0), Decimal(0), MOMENT),
    *(CapReached(cap, Decimal("1234567.125"), Decimal("1000000.125"), MOMENT) for cap in Cap),
    ChannelNotAllowed(tuple(ChannelId((1 << 63) - number) for number in range(1, 6))),
    MayNotPost(),
    NotReadyYet(),
    NotAManager(),
    *(CreditsMissing(period) for period in Period),
    UnknownZone("Europe/Atlantis"),
    NothingToChange(),
    NoRequestsChannel(),
    AlreadyRequested(MOMENT),
    CreditRequestClosed(),
    BadAmount("lots"),
    TooManyOpen(10),
    NotYours(),
    TooLateToCancel(),
    GenerationGone(),
    ReferencesGone(),
    TooManyImages(),
    NoSourceImage(),
    DraftGone(),
]
FIXED = [
    *(cards.failure(reason) for reason in Failure),
    refusals.broken("7f3k"),
    refusals.FORBIDDEN,
    refusals.OUTDATED,
    refusals.UNKNOWN_CHOICE,
    quota.ASKED,
    quota.YOU_GOT_NOTHING,
    quota.you_got(Decimal("2.5")),
    quota.NO_RULE,
    quota.EMPTY_LOG,
    cards.LATE,
    cards.CANCELLED,
    refusals.NOTHING_CHARGED,
    refusals.TOLD_PRIVATELY,
    editing.HOW_TO,
    editing.NO_PICTURE,
    editing.CANNOT_SEE,
    editing.ONLY_YOURS,
]


def kinds(of: type[UserError] = UserError) -> Iterator[type[UserError]]:
    """Every class below, however deep."""
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_no_refusal_is_forgotten() -> None:
    assert {type(error) for error in REFUSALS} == set(kinds())


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_every_refusal_has_a_sentence_of_its_own(error: UserError) -> None:
    sentence = refusals.refusal(error)

    assert sentence != refusals.refusal(UserError())
    check(sentence)


def test_sentences_differ() -> None:
    told = [refusals.refusal(error) for error in REFUSALS] + [cards.failure(reason) for reason in Failure]

    assert len(set(told)) == len(told)


@pytest.mark.parametrize("sentence", FIXED)
def test_every_other_sentence_reads_well(sentence: str) -> None:
    check(sentence)


@pytest.mark.parametrize("reason", Failure)
def test_a_failure_and_that_it_cost_nothing_fit_together(reason: Failure) -> None:
    check(f"{cards.failure(reason)} {refusals.NOTHING_CHARGED}")


def test_a_long_file_name_is_cut() -> None:
    for name in ("very " * 60 + ".png", "x" * 300 + ".png", "*" * 300 + ".png"):
        sentence = refusals.refusal(ReferenceRefused(name, ReferenceProblem.NOT_AN_IMAGE))

        assert "…" in sentence
        assert len(sentence) < 260
        assert sentence.endswith("Nothing was charged.")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal(0), "0"),
        (Decimal(5), "5"),
        (Decimal("5.000"), "5"),
        (Decimal(50), "50"),
        (Decimal(100_000), "100000"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.125"), "0.125"),
        (Decimal("2.50"), "2.5"),
        (Decimal("-7.00"), "-7"),
    ],
)
def test_numbers_are_whole_when_whole(value: Decimal, written: str) -> None:
    assert amounts.number(value) == written


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (Decimal(1), "1 credit"),
        (Decimal("1.000"), "1 credit"),
        (Decimal(0), "0 credits"),
        (Decimal("0.5"), "0.5 credits"),
        (Decimal(24), "24 credits"),
    ],
)
def test_credits_are_counted(amount: Decimal, written: str) -> None:
    assert amounts.in_credits(amount) == written


def test_nothing_to_pay_is_free() -> None:
    assert amounts.price(Decimal(0)) == "free"
    assert amounts.price(Decimal(7)) == "7 credits"


@pytest.mark.parametrize(
    ("place", "written"),
    [
        (1, "next in line"),
        (2, "2nd in line"),
        (3, "3rd in line"),
        (4, "4th in line"),
        (10, "10th in line"),
        (11, "11th in line"),
        (12, "12th in line"),
        (13, "13th in line"),
        (21, "21st in line"),
        (22, "22nd in line"),
        (23, "23rd in line"),
        (101, "101st in line"),
        (111, "111th in line"),
        (112, "112th in line"),
        (113, "113th in line"),
        (1001, "1001st in line"),
    ],
)
def test_places_are_ordinals(place: int, written: str) -> None:
    assert cards.in_line(place) == written


def test_moments_are_left_to_the_readers_clock() -> None:
    assert amounts.relative(MOMENT) == f"<t:{int(MOMENT.timestamp())}:R>"


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("a red fox", 9, "a red fox"),
        ("a red fox in snow", 12, "a red fox…"),
        ("a red fox, in snow", 12, "a red fox…"),
        ("  a\tred \n\n fox ", 9, "a red fox"),
        ("xxxxxxxxxxxxxxxxxxxx", 10, "xxxxxxxxx…"),
        ("a xxxxxxxxxxxxxxxxxx", 10, "a xxxxxxx…"),
        ("", 10, ""),
    ],
    ids=["fits", "at a word", "comma goes", "white space", "one long word", "word far back", "empty"],
)
def test_texts_are_cut_at_a_word(text: str, limit: int, cut: str) -> None:
    assert amounts.shortened(text, limit) == cut
    assert len(cut) <= limit


def test_plain_text_has_no_markdown_left() -> None:
    shown = amounts.plain("**a** _b_ `c` ~d~ |e| <@1> [f](g) # @everyone <:h:1> - * \\", 100)

    assert re.sub(r"\\[^0-9A-Za-z\s]", "", shown) == re.sub(r"[^0-9A-Za-z\s]", "", shown)


def test_a_balance_line() -> None:
    balance = Balance(Allowance(Decimal(50), Period.WEEK), Decimal("12.5"), MOMENT + timedelta(days=2))

    assert statement.allowance(balance).startswith("**37.5** of 50 left this week · 50 credits a week · renews <t:")


@pytest.mark.parametrize(
    ("movement", "amount", "written"),
    [
        (Movement.RESERVE, Decimal(-14), "−14 spent · flux-2 flex 2K · "),
        (Movement.REFUND, Decimal("2.5"), "+2.5 given back · flux-2 flex 2K · "),
    ],
)
def test_movements_have_their_sign(movement: Movement, amount: Decimal, written: str) -> None:
    entry = LedgerEntry(MOMENT, movement, amount, Settings(Model.FLEX, AspectRatio.SQUARE, Resolution.TWO_K))

    assert statement.movement(entry) == written + amounts.relative(MOMENT)


def test_settings_are_told_piece_by_piece() -> None:
    chosen = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K, steps=40, guidance=3.0)

    assert cards.settings(chosen, 0) == ["flux-2 flex", "16:9", "2K", "40 steps", "guidance 3"]
    assert cards.settings(Settings(), 1)[3:] == ["1 reference"]
    assert cards.settings(Settings(), 8)[3:] == ["8 references"]


def test_prices_are_those_that_are_charged() -> None:
    assert statement.price_lines(PriceList(KIE_PRICES)) == [
        "pro · fast · 5 credits (7 at 2K)",
        "flex · finest detail and text · 14 credits (24 at 2K)",
    ]


def check(sentence: str) -> None:
    """Short, whole, and without anything that only its author understands."""
    assert sentence.endswith(".")
    assert "!" not in sentence
    assert "  " not in sentence
    assert len(sentence) < 200
    assert len(re.findall(r"[.?](?=\s|$)", sentence)) <= 3
    assert not re.search(r"_|\b[45]\d\d\b|\b(Error|Exception|None|HTTP|code)\b", sentence)
    assert sentence[0].isupper() or sentence.startswith(("holiday.png", "“lots”"))
