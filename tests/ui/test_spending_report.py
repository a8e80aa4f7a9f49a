"""The report as a message: its chart's numbers, its words, its files."""

from dataclasses import replace
from datetime import UTC, date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import discord
import pytest

from bot.domain.credits import ZERO, Credits, Span
from bot.domain.ids import UserId
from bot.domain.rules import CapState
from bot.domain.spending import PRICE_CLASSES, Outcome, Ranking, SpendingRow
from bot.domain.states import Failure
from bot.media.spending_chart import PNG_SIGNATURE, ChartRenderer, SpendingChart
from bot.quota.spending_report import SpendingReport, build_report
from bot.ui.cards import ALT_TEXT_MAX
from bot.ui.spending_report import ReportMessage, report_message, spending_chart
from bot.ui.texts import report as texts
from tests.domain.spending_rows import ANN, BEN, DAY, FLEX_2K, WEEK, make_pool, make_row, report_of

CSV = b"day,member\r\n"
TEXT_MAX = 4000
"""Characters of all texts of a message together (Discord's documentation on components)."""
SNOWFLAKE_MAX = (1 << 63) - 1


class InstantRenderer(ChartRenderer):
    """Returns the same bytes for every chart, or fails."""

    def __init__(self, png: bytes | None) -> None:
        super().__init__(Path())
        self._png = png

    async def render(self, chart: SpendingChart) -> bytes | None:
        return self._png


def make_report(*rows: SpendingRow, pool: CapState | None = None) -> SpendingReport:
    return report_of(rows, pool)


BUSY = make_report(
    make_row(),
    make_row(user_id=BEN, price_class=FLEX_2K, images=1, credits=Credits(24)),
    make_row(outcome=Outcome.FAILED, failure=Failure.TOO_SLOW, images=1, credits=ZERO),
    pool=make_pool("100", "34"),
)


async def message(report: SpendingReport, png: bytes | None = PNG_SIGNATURE, server: str = "Painters") -> ReportMessage:
    return await report_message(report, CSV, server, InstantRenderer(png))


def components(message: ReportMessage) -> list[dict[str, Any]]:
    (container,) = message.view.to_components()
    return container["components"]


async def test_a_message_has_the_chart_the_words_and_the_file() -> None:
    made = await message(BUSY)
    heading, gallery, ranking, details, file = components(made)
    assert heading["content"].splitlines() == [
        "### Painters · 13–19 October 2025",
        "**34 credits** · 3 images · 2 members",
        "Server pool: 66 of 100 credits left · refills <t:1760918400:R>",
    ]
    png, csv_file = made.files
    (item,) = gallery["items"]
    assert item["media"]["url"] == f"attachment://{png.filename}"
    assert item["description"] == png.description
    assert ranking["content"].splitlines() == [
        "**Top members**",
        f"1. <@{BEN}> · 24 credits · 1 image",
        f"2. <@{ANN}> · 10 credits · 2 images",
    ]
    assert details["content"].splitlines() == [
        "**Outcomes**",
        "3 delivered (75%) · 1 failed (25%)",
        "-# Why images failed: too slow (1)",
        "-# Days run from midnight to midnight in UTC.",
    ]
    assert file["file"]["url"] == f"attachment://{csv_file.filename}"
    assert csv_file.filename == "easel-report-2025-10-13-to-2025-10-19.csv"
    assert csv_file.fp.read() == CSV
    assert made.view.is_finished()


async def test_without_a_chart_the_words_and_the_file_are_sent() -> None:
    made = await message(BUSY, None)
    types = [discord.ComponentType(component["type"]) for component in components(made)]
    assert types == [discord.ComponentType.text_display] * 3 + [discord.ComponentType.file]
    assert components(made)[2]["content"].endswith(texts.NO_CHART)
    assert [file.filename for file in made.files] == ["easel-report-2025-10-13-to-2025-10-19.csv"]


async def test_an_empty_report_is_a_message_too() -> None:
    heading, _, details, _ = components(await message(make_report()))
    assert heading["content"].splitlines()[1:] == [
        "**0 credits** · 0 images · 0 members",
        "Server pool: no limit (set one with /quota pool)",
    ]
    assert details["content"] == "-# Days run from midnight to midnight in UTC."


async def test_the_longest_report_is_within_discord_s_limits() -> None:
    huge = Credits("123456789012345.678")
    rows = [
        make_row(user_id=UserId(SNOWFLAKE_MAX - number), images=10**12, credits=huge, outcome=outcome, failure=failure)
        for number in range(30)
        for outcome, failure in [
            *((outcome, None) for outcome in Outcome),
            *((Outcome.FAILED, failure) for failure in Failure),
        ]
    ]
    zone = ZoneInfo("America/Argentina/ComodRivadavia")
    report = replace(make_report(*rows, pool=make_pool("1E+15", "0.125")), zone=zone)
    made = await message(report, None, server="**<@1>** " * 12)
    assert made.view.content_length() <= TEXT_MAX
    assert "<@1>" not in components(made)[0]["content"]


def test_the_alt_text_describes_the_chart() -> None:
    assert texts.alt_text(BUSY, ALT_TEXT_MAX) == (
        "Credits per day, 13–19 October 2025: 34. Most on 14 Oct: 34. By model: pro 1K 10, flex 2K 24."
    )
    huge = [make_row(price_class=price_class, credits=Credits(10) ** 300) for price_class in PRICE_CLASSES]
    assert len(texts.alt_text(make_report(*huge), ALT_TEXT_MAX)) <= ALT_TEXT_MAX


def test_columns_are_days_made_of_price_classes() -> None:
    chart = spending_chart(BUSY)
    assert (chart.title, chart.labels[:2]) == ("Credits per day", ("Mon\n13 Oct", "Tue\n14 Oct"))
    assert [(series.name, series.values[:3]) for series in chart.series] == [
        ("pro 1K", (0.0, 10.0, 0.0)),
        ("flex 2K", (0.0, 24.0, 0.0)),
    ]
    assert chart.legend
    assert len({series.colour for series in chart.series}) == 2


def test_the_columns_of_a_single_day_are_its_price_classes() -> None:
    chart = spending_chart(replace(BUSY, days=BUSY.days[1:2]))
    assert (chart.title, chart.labels) == ("Credits by model", ("pro 1K\n2 images", "flex 2K\n1 image"))
    assert [series.values for series in chart.series] == [(10.0, 0.0), (0.0, 24.0)]
    assert not chart.legend


def test_a_month_labels_every_seventh_day() -> None:
    month = build_report([], Ranking((), 0), Span(WEEK.start, WEEK.start.replace(month=11)), UTC, None)
    chart = spending_chart(month)
    assert [label for label in chart.labels if label] == ["13 Oct", "20 Oct", "27 Oct", "3 Nov", "10 Nov"]
    assert (len(chart.labels), chart.series, chart.legend) == (31, (), False)


def test_a_late_image_is_free_and_has_no_column() -> None:
    assert spending_chart(make_report(make_row(credits=ZERO))).series == ()


@pytest.mark.parametrize(
    ("limit", "spent", "line"),
    [
        ("100", "0", "100 of 100 credits left"),
        ("100", "150", "0 of 100 credits left"),
        ("0", "0", "0 of 0 credits left"),
        (None, "5", "no limit"),
    ],
)
def test_the_pool_in_words(limit: str | None, spent: str, line: str) -> None:
    assert texts.pool(make_pool(limit, spent)).startswith(f"Server pool: {line}")


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
