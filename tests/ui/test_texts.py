"""Every sentence that a member reads: whole, short, in plain words, and true to the numbers."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain import errors, image_errors, image_reports, privacy_errors, style_errors
from bot.domain.assistant import REWORDING_MAX, REWORDINGS, AssistantProblem, WordingUsed
from bot.domain.credits import KIE_PRICES, Period, PriceList
from bot.domain.ids import ChannelId, UserId
from bot.domain.ledger import RequestApproved
from bot.domain.rules import Cap
from bot.domain.settings import PROMPT_MAX, PROMPT_MIN, AspectRatio, CheaperOption, Model, Resolution, Settings
from bot.domain.states import Failure
from bot.ui.texts import amounts, cards, commands, forms, quota, refusals

MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
TEXTS = Path(refusals.__file__).parent
OPTIONS = (
    CheaperOption(Settings(Model.PRO, AspectRatio.SQUARE, Resolution.ONE_K), 4, Decimal(20)),
    CheaperOption(Settings(Model.FLEX, AspectRatio.SQUARE, Resolution.TWO_K), 1, Decimal("24.5")),
)

NOT_ENOUGH = [
    errors.NotEnoughCredits(Decimal(price), Decimal(left), Decimal(allowance), MOMENT, options)
    for price, left, allowance in [
        ("1234567.125", "1000000.125", "2000000.125"),
        ("3000000.125", "1000000.125", "2000000.125"),
        ("5", "3.125", "0"),
    ]
    for options in ((), OPTIONS)
]
CAPS = [errors.CapReached(cap, Decimal("1234567.125"), Decimal("1000000.125"), MOMENT, OPTIONS) for cap in Cap]
UNCHARGED: list[errors.UserError] = [
    errors.SubmissionsPaused(),
    errors.ResultsPaused(),
    errors.RequestsPaused("we move to another machine"),
    errors.SubmissionsPaused(Failure.KEY_REFUSED),
    errors.PromptLength(5001, PROMPT_MIN, PROMPT_MAX),
    errors.AutoNeedsReference(),
    errors.ControlsNeedFlex(),
    *(errors.ReferenceRefused("holiday.png", problem) for problem in errors.ReferenceProblem),
    errors.UploadFailed(),
    errors.ChannelNotAllowed(tuple(ChannelId((1 << 63) - number) for number in range(1, 6))),
    errors.MayNotPost(),
    errors.NotReadyYet(),
    errors.ServerNotAllowed(),
    errors.NotInServer(),
    errors.DirectMessagesOff(),
    errors.TooManyOpen(10),
    errors.ReferencesGone(),
    image_errors.ImagesNotYours(),
    errors.RequestInterrupted(),
    image_errors.ImageGone(),
    errors.TooManyImages(),
    errors.TooManyImagesWaiting(),
    errors.TooManyImages(("ninth.png", "tenth.png")),
    *(errors.PromptFileRefused("message.txt", too_long) for too_long in (True, False)),
    errors.NoSourceImage(),
    errors.StickerUnreadable(),
    errors.DraftGone(),
    errors.QuestionGone(),
    errors.PriceChanged(),
    errors.WordsDeleted(MOMENT),
    style_errors.NoSuchStyle("Linocut"),
    style_errors.NoSuchSet("my cat"),
    style_errors.TooLongWithStyle("Linocut", 4001, 4000),
    style_errors.TooManyWithSet("my cat", 7, 2),
    style_errors.SetImagesGone("my cat"),
    *NOT_ENOUGH,
    errors.NotEnoughCredits(Decimal(5), Decimal(0), Decimal(0), MOMENT),
    *CAPS,
]
"""Refusals to make an image."""
REFUSALS: list[errors.UserError] = [
    *UNCHARGED,
    errors.NotAManager(),
    errors.NeedsManageServer(),
    errors.GrantToOneself(),
    errors.ManagerLimitReached(Decimal(300), Decimal("2.5"), MOMENT),
    errors.LimitNotChosen(),
    *(errors.CreditsMissing(period) for period in Period),
    errors.UnknownZone("Europe/Atlantis"),
    errors.NothingToChange(),
    errors.NoRequestsChannel(),
    errors.AlreadyRequested(MOMENT),
    errors.CreditRequestClosed(),
    errors.BadAmount("lots"),
    errors.BackupFailed("easel.db has 0.4 GB free, but needs 1.3 GB"),
    errors.NotYours(),
    image_errors.NoSavedImage(),
    image_errors.AlreadyShared(),
    image_errors.ComparisonGone(),
    image_errors.NothingBefore(),
    image_errors.ImageBeingPosted(),
    image_errors.MayNotShare(),
    image_reports.NoReportsChannel(),
    image_reports.ReportsChannelClosed(),
    image_reports.AlreadyReported(),
    image_reports.AlreadyReviewed(),
    image_reports.TooManyReports(),
    image_reports.ReportGone(),
    image_reports.NotAModerator(),
    style_errors.BuiltInStyle(),
    *(style_errors.BadTemplate(places, length) for places, length in ((2, 20), (1, 2001), (1, 8))),
    style_errors.NameMissing(),
    style_errors.NameTaken("Linocut"),
    style_errors.TooManyStyles(25),
    style_errors.TooManySets(10),
    style_errors.SetsTooLarge(),
    style_errors.NoRoomForSets(),
    style_errors.SetFull("my cat", 8),
    privacy_errors.BeingErased(),
    privacy_errors.ExportTooSoon(datetime(2026, 1, 1, tzinfo=UTC)),
    WordingUsed(),
    errors.TooLateToCancel(),
    errors.GenerationGone(),
]
APPROVED = RequestApproved(UserId(7), Decimal("2.5"), UserId(8))
FIXED = [
    *(f"{cards.failure(reason)} {refusals.NOTHING_CHARGED}" for reason in Failure),
    *(refusals.broken("7f3k"), refusals.FORBIDDEN, refusals.OUTDATED, refusals.UNKNOWN_CHOICE, refusals.NO_STORE),
    refusals.NOT_ANSWERED,
    *(refusals.TOLD_PRIVATELY, refusals.MESSAGE_GONE, refusals.HOW_TO, refusals.NO_IMAGE, refusals.CANNOT_SEE),
    refusals.HOW_TO_DIRECTLY,
    *(
        refusals.REPLY_LOST,
        refusals.ROLE_HIDDEN,
        refusals.ONLY_YOURS,
        cards.LATE,
        cards.CANCELLED,
        cards.INTERRUPTED,
        cards.partly(1, 4),
    ),
    *map(forms.no_rewordings, AssistantProblem),
    *(quota.ASKED, quota.DENIED, quota.DECIDED, quota.decided_for_you(APPROVED), quota.NO_RULE, quota.EMPTY_LOG),
]
BANNED = re.compile(r"\b(wish(es)?|anew|paint\w*|pictures?|is told|any more|KIE)\b", re.IGNORECASE)
"""Words that members do not read; the operator reads of KIE in texts/ops.py and texts/ops_commands.py."""


def kinds(of: type[errors.UserError] = errors.UserError) -> Iterator[type[errors.UserError]]:
    """Every class below, however deep."""
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_no_refusal_is_forgotten() -> None:
    assert {type(error) for error in REFUSALS} == set(kinds())


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_every_refusal_has_sentences_of_its_own(error: errors.UserError) -> None:
    text = refusals.refusal(error)

    assert text != refusals.refusal(errors.UserError())
    for line in text.splitlines():
        check(line)
    sentences = re.findall(r"[.?](?=\s|$)", text.splitlines()[0])
    assert len(sentences) <= 3
    if error in UNCHARGED:
        assert "nothing was charged" in text.splitlines()[0].lower()


def test_a_limit_of_one_request_is_told_in_the_singular() -> None:
    assert refusals.refusal(errors.TooManyOpen(1)) == (
        "You already have 1 request running, which is the limit. Wait for it to finish. Nothing was charged."
    )


def test_refusals_and_failures_differ() -> None:
    shown = [refusals.refusal(error) for error in REFUSALS] + [cards.failure(reason) for reason in Failure]

    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("sentence", FIXED)
def test_every_other_sentence_reads_well(sentence: str) -> None:
    check(sentence)


@pytest.mark.parametrize("error", [*NOT_ENOUGH[1::2], *CAPS], ids=lambda error: type(error).__name__)
def test_what_is_affordable_stands_on_the_second_line(error: errors.NotEnoughCredits | errors.CapReached) -> None:
    _, second = refusals.refusal(error).splitlines()

    assert second.startswith("You can still afford 4 × pro at 1K (20 credits) or flex at 2K (24.5 credits).")


def test_of_many_channels_a_few_are_named() -> None:
    text = refusals.refusal(errors.ChannelNotAllowed(tuple(ChannelId(number) for number in range(1, 200))))

    assert "<#5> and 194 more" in text
    assert len(text) < 200


def test_other_peoples_words_are_cut_and_harmless() -> None:
    for error in (
        *(
            errors.ReferenceRefused(name, errors.ReferenceProblem.DAMAGED)
            for name in ("very " * 60, "x" * 300, "*" * 300)
        ),
        errors.BadAmount("@everyone " * 50),
        errors.UnknownZone("**" * 3000),
    ):
        text = refusals.refusal(error)
        assert "…" in text
        assert len(text) < 300
        assert not re.search(r"(?<!\\)[@*]", text)


@pytest.mark.parametrize(
    "module",
    [path for path in TEXTS.glob("*.py") if path.stem not in {"ops", "ops_commands"}],
    ids=lambda path: path.stem,
)
def test_no_text_uses_words_that_members_do_not_know(module: Path) -> None:
    tree = [*ast.walk(ast.parse(module.read_text(encoding="utf-8")))]
    docstrings = {id(node.value) for node in tree if isinstance(node, ast.Expr)}
    strings = [node for node in tree if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    shown = [str(string.value) for string in strings if id(string) not in docstrings]

    assert [text for text in shown if BANNED.search(text) and text != commands.OPS_STATUS] == []


def test_the_proposals_of_the_prompt_helper_fit_into_one_message() -> None:
    longest = ["*" * REWORDING_MAX] * REWORDINGS
    price = Decimal("1234567.125")
    shown = [*forms.rewordings(longest), forms.own_words("*" * 5000, price, price, words=True)]

    assert sum(map(len, shown)) + len(shown) <= 4000


@pytest.mark.parametrize(
    ("value", "written"),
    [
        *(("0", "0"), ("5", "5"), ("5.000", "5"), ("100000", "100,000"), ("1E+3", "1,000"), ("0.125", "0.125")),
        *(("2.50", "2.5"), ("-7.00", "-7"), ("-1234567.125", "-1,234,567.125")),
    ],
)
def test_numbers_are_whole_when_whole(value: str, written: str) -> None:
    assert amounts.number(Decimal(value)) == written


def test_credits_are_counted() -> None:
    counted = [amounts.in_credits(Decimal(amount)) for amount in ("1", "1.000", "0", "0.5", "24")]

    assert counted == ["1 credit", "1 credit", "0 credits", "0.5 credits", "24 credits"]
    assert (amounts.price(Decimal(0)), amounts.price(Decimal(7))) == ("free", "7 credits")
    assert (cards.larger(Decimal(0)), cards.larger(Decimal("7.50"))) == ("2K · free", "2K · 7.5")


def test_places_are_ordinals() -> None:
    places = (1, 2, 3, 4, 10, 11, 12, 13, 21, 22, 23, 101, 111, 112, 113, 1001)

    assert [cards.in_line(place).removesuffix(" in line") for place in places] == [
        *("next", "2nd", "3rd", "4th", "10th", "11th", "12th", "13th", "21st", "22nd", "23rd"),
        *("101st", "111th", "112th", "113th", "1001st"),
    ]


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


def test_members_words_stay_in_their_place() -> None:
    """A ledger line reads the same whatever the reason of a grant is."""
    reason = "\u2067אבגד\u200f \u202e9,999 to bob\u2069\u3164"
    line = quota.granted(UserId(1), Decimal(5), reason)
    assert line == "<@1> got 5 bonus credits: \u2068אבגד 9,999 to bob\u2069"
    assert quota.granted(UserId(1), Decimal(5), "\u3164\u202e") == "<@1> got 5 bonus credits: no reason given"
    assert refusals.passed_over(["\u2800"]) == "I left out a file without a name, which isn't an image I can read."
    assert amounts.prompt("אבגד\u200f \u202e*!", 100) == "\u2068אבגד\u200f \\*!\u2069"
    assert all(len(amounts.plain(text * 300, 200)) <= 402 for text in ("*", "א-", "z\u0301\u0302"))


def test_small_print_wraps_only_after_a_dot() -> None:
    assert amounts.small(["FLUX.2 Pro", "5 credits"]).removeprefix("-# ").split(" ") == [
        "FLUX.2\xa0Pro\xa0·",
        "5\xa0credits",
    ]


def test_settings_are_told_piece_by_piece() -> None:
    chosen = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K, steps=40, guidance=3.0)

    assert cards.settings(chosen, 1, 0) == ["FLUX.2 Flex", "16:9", "2K", "40 steps", "guidance 3"]
    assert cards.settings(Settings(), 4, 1) == ["4 × FLUX.2 Pro", "1:1", "1K", "from 1 image"]
    assert cards.settings(Settings(), 1, 8)[3:] == ["from 8 images"]


def test_prices_are_those_that_are_charged() -> None:
    assert quota.price_lines(PriceList(KIE_PRICES)) == [
        "pro · fast · 5 credits (7 at 2K)",
        "flex · best detail and text · 14 credits (24 at 2K)",
    ]


def check(sentence: str) -> None:
    """Short, whole, and without anything that only its author understands."""
    assert sentence.endswith(".")
    assert "!" not in sentence
    assert "  " not in sentence
    assert len(sentence) < 200
    assert len(re.findall(r"[.?](?=\s|$)", sentence)) <= 3
    assert not re.search(r"_|(?<!,)\b[45]\d\d\b|\b(Error|Exception|None|HTTP|code)\b", sentence)
    assert not BANNED.search(sentence)
    assert sentence[0].isupper() or sentence[0].isdigit() or sentence.startswith(("holiday.png", "“lots”"))
