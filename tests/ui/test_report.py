"""The report as a message: its chart's numbers, its words, its files."""

from dataclasses import replace
from datetime import UTC, date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import discord
import pytest

from bot.domain.credits import ZERO, Credits
from bot.domain.rules import CapState
from bot.domain.spending import Outcome, SpendingRow
from bot.domain.states import Failure
from bot.media.charts.chart import Chart, Fact, Tone
from bot.media.charts.room import PNG_SIGNATURE, DrawingRoom
from bot.quota.report_csv import csv_of
from bot.quota.spending_report import SpendingReport, build_report
from bot.ui.cards import ALT_TEXT_MAX
from bot.ui.report import ReportMessage, report_message
from bot.ui.report_chart import chart_of, ticks
from bot.ui.texts import report as texts
from tests.domain.reports import ANN, BEN, DAY, FLEX_2K, WEEK, make_pool, make_row

NAMES = {ANN: "Ann"}


class QuickHand(DrawingRoom):
    """Draws at once, or not at all."""

    def __init__(self, picture: bytes | None = PNG_SIGNATURE) -> None:
        super().__init__()
        self._picture = picture

    async def draw(self, chart: Chart) -> bytes | None:
        return self._picture


def report(*rows: SpendingRow, pool: CapState | None = None) -> SpendingReport:
    return build_report(rows, WEEK, UTC, pool)


def charted(*rows: SpendingRow, pool: CapState | None = None) -> Chart:
    return chart_of(report(*rows, pool=pool), NAMES, "Painters")


BUSY = report(
    make_row(),
    make_row(user_id=BEN, price_class=FLEX_2K, images=1, credits=Credits(24)),
    make_row(outcome=Outcome.FAILED, failure=Failure.TOO_SLOW, images=1, credits=ZERO),
    pool=make_pool("100", "34"),
)


async def message(of: SpendingReport, picture: bytes | None = PNG_SIGNATURE, server: str = "Painters") -> ReportMessage:
    return await report_message(of, NAMES, server, QuickHand(picture))


def shown(message: ReportMessage) -> list[dict[str, Any]]:
    (container,) = message.view.to_components()
    return container["components"]


async def test_a_message_shows_the_picture_its_numbers_and_the_file() -> None:
    made = await message(BUSY)
    words, gallery, ranking, file = shown(made)
    assert words["content"].splitlines() == [
        "### Painters · 13–19 October 2025",
        "**34 credits** · 3 pictures · 2 members · 25% failed · 66 left in the pool, renews <t:1760918400:R>",
    ]
    png, csv_file = made.files
    (item,) = gallery["items"]
    assert item["media"]["url"] == f"attachment://{png.filename}"
    assert item["description"] == png.description
    assert ranking["content"].splitlines() == [
        f"-# 1. <@{BEN}> · 24 credits · 1 picture",
        f"-# 2. <@{ANN}> · 10 credits · 2 pictures",
        "-# Technical failures: too slow 1",
    ]
    assert file["file"]["url"] == f"attachment://{csv_file.filename}"
    assert csv_file.filename == "easel-report-2025-10-13-to-2025-10-19.csv"
    assert csv_file.fp.read() == csv_of(BUSY.rows, NAMES)
    assert made.view.is_finished()


async def test_without_a_picture_the_rest_still_comes() -> None:
    made = await message(BUSY, None)
    assert [component["type"] for component in shown(made)] == [10, 10, 13]
    assert shown(made)[1]["content"].endswith(texts.NO_PICTURE)
    assert [file.filename for file in made.files] == ["easel-report-2025-10-13-to-2025-10-19.csv"]


async def test_an_empty_report_is_a_message_too() -> None:
    made = await message(report())
    words, _, file = shown(made)
    assert words["content"].endswith("**0 credits** · 0 pictures · 0 members")
    assert discord.ComponentType(file["type"]) is discord.ComponentType.file


async def test_a_server_s_name_is_only_a_name() -> None:
    made = await message(BUSY, server="**<@1>** " * 30)
    assert "<@1>" not in shown(made)[0]["content"]
    (png, _) = made.files
    assert png.description is not None
    assert len(png.description) <= ALT_TEXT_MAX


def test_the_alt_text_says_what_the_picture_shows() -> None:
    assert texts.alt_text("Painters", BUSY, WEEK.start.date(), date(2025, 10, 19), ALT_TEXT_MAX) == (
        "A report on Painters, 13–19 October 2025: 34 credits for 3 pictures by 2 members. "
        "Most on 14 Oct: 34 credits. Outcomes: delivered 3, technical 1. Pool: 66 of 100 credits left."
    )


def test_columns_are_days_made_of_price_classes() -> None:
    columns = chart_of(BUSY, NAMES, "Painters").columns
    assert [(one.name, one.place) for one in columns.series] == [("pro 1K", 0), ("flex 2K", 3)]
    assert [(one.label, one.below) for one in columns.columns][:2] == [("Mon", "13 Oct"), ("Tue", "14 Oct")]
    assert [(one.parts, one.total) for one in columns.columns][:2] == [((0.0, 0.0), ""), ((10.0, 24.0), "34")]
    assert columns.legend


def test_the_columns_of_a_single_day_are_its_price_classes() -> None:
    one_day = replace(BUSY, days=BUSY.days[1:2])
    columns = chart_of(one_day, NAMES, "Painters").columns
    assert [(one.label, one.below, one.parts, one.total) for one in columns.columns] == [
        ("pro 1K", "2 pictures", (10.0, 0.0), "10"),
        ("flex 2K", "1 picture", (0.0, 24.0), "24"),
    ]
    assert columns.title == texts.SPENDING_BY_MODEL
    assert not columns.legend


def test_members_without_a_name_are_told_apart_by_their_id() -> None:
    bars = charted(make_row(), make_row(user_id=BEN, credits=Credits(5))).ranking.bars
    assert [(one.name.text, one.name.instead, one.length, one.text) for one in bars] == [
        ("Ann", "Member …0001", 1.0, "10"),
        ("", "Member …0002", 0.5, "5"),
    ]


def test_the_ring_tells_the_share_of_failures() -> None:
    rows = [
        make_row(images=6),
        make_row(outcome=Outcome.MODERATED, failure=Failure.MODERATED, images=1, credits=ZERO),
        make_row(outcome=Outcome.FAILED, failure=Failure.BROKEN, images=1, credits=ZERO),
        make_row(outcome=Outcome.CANCELLED, images=8, credits=ZERO),
    ]
    ring = charted(*rows).ring
    assert ring.middle == Fact("25%", "failed")
    assert [(one.name, one.text, one.note, one.tone) for one in ring.slices] == [
        ("Delivered", "6", "38%", Tone.GOOD),
        ("Filtered", "1", "6%", Tone.WARNING),
        ("Technical", "1", "6%", Tone.BAD),
        ("Cancelled", "8", "50%", Tone.QUIET),
    ]


def test_nothing_ended_is_no_share() -> None:
    assert charted(make_row(outcome=Outcome.AT_WORK)).ring.middle.number == "–"


@pytest.mark.parametrize(
    ("limit", "spent", "level", "number", "tone"),
    [
        ("100", "0", 1.0, "100", Tone.GOOD),
        ("100", "60", 0.4, "40", Tone.GOOD),
        ("100", "75", 0.25, "25", Tone.WARNING),
        ("100", "100", 0.0, "0", Tone.BAD),
        ("100", "150", 0.0, "0", Tone.BAD),
        ("0", "0", 0.0, "0", Tone.BAD),
    ],
)
def test_the_gauge_shows_what_is_left(limit: str, spent: str, level: float, number: str, tone: Tone) -> None:
    gauge = charted(pool=make_pool(limit, spent)).gauge
    assert (gauge.level, gauge.fact, gauge.tone) == (level, Fact(number, "left"), tone)
    assert gauge.notes == (f"of {limit} a week", "renews Mon 20 Oct")


@pytest.mark.parametrize("pool", [None, make_pool(None, "5")])
def test_no_pool_is_no_limit(pool: CapState | None) -> None:
    gauge = charted(pool=pool).gauge
    assert (gauge.level, gauge.fact.number) == (None, "No limit")


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        ("34", ["0", "10", "20", "30"]),
        ("2057", ["0", "1,000", "2,000"]),
        ("0.001", ["0", "0.001"]),
        ("0.5", ["0", "0.2", "0.4"]),
        ("100000", ["0", "25k", "50k", "75k", "100k"]),
        ("3140000000", ["0", "1B", "2B", "3B"]),
    ],
)
def test_lines_are_at_round_numbers(highest: str, labels: list[str]) -> None:
    lines = ticks(Decimal(highest))
    assert [line.label for line in lines] == labels
    assert lines[-1].height <= float(highest)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("0", "0"),
        ("5.000", "5"),
        ("0.001", "0.001"),
        ("12.345", "12.34"),
        ("461.28", "461.3"),
        ("9999.9", "9,999.9"),
        ("10000", "10k"),
        ("12345", "12.3k"),
        ("999999", "1,000k"),
        ("1234567", "1.23M"),
        ("1E+12", "1T"),
        ("1E+16", "10,000T"),
    ],
)
def test_amounts_are_short(value: str, written: str) -> None:
    assert texts.compact(Decimal(value)) == written


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [(0, 5, "0%"), (5, 5, "100%"), (1, 3, "33%"), (1, 1000, "<1%"), (999, 1000, ">99%"), (1, 100, "1%")],
)
def test_shares_are_honest(part: int, whole: int, written: str) -> None:
    assert texts.percent(part, whole) == written


@pytest.mark.parametrize(
    ("first", "last", "written"),
    [
        (DAY, DAY, "Tuesday 14 October 2025"),
        (date(2025, 10, 1), date(2025, 10, 31), "1–31 October 2025"),
        (date(2025, 9, 28), date(2025, 10, 4), "28 September – 4 October 2025"),
        (date(2025, 12, 29), date(2026, 1, 4), "29 December 2025 – 4 January 2026"),
    ],
)
def test_spans_in_words(first: date, last: date, written: str) -> None:
    assert texts.span(first, last) == written


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_a_word(failure: Failure) -> None:
    row = make_row(outcome=Outcome.FAILED, failure=failure, images=3, credits=ZERO)
    assert (texts.failures(report(row)) or "").endswith(" 3")


def test_the_clock_that_days_follow_is_named() -> None:
    assert texts.subtitle(DAY, DAY, ZoneInfo("Europe/Berlin")) == "Tuesday 14 October 2025 · Europe/Berlin"
