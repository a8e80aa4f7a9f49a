"""Spending reports: days of a span, sums, and the CSV file."""

import csv
import io
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.credits import Credits, Period, Span, period_around
from bot.domain.spending import Outcome, SpendingRow, outcome_of
from bot.domain.states import OPEN, Failure, TaskState
from bot.quota.spending_report import CSV_COLUMNS, days_of
from tests.domain.spending_rows import ANN, BEN, DAY, FLEX_2K, PRO, WEEK, csv_of, make_row, report_of

BERLIN = ZoneInfo("Europe/Berlin")
ZONES: list[tzinfo] = [UTC, BERLIN, ZoneInfo("America/Havana"), ZoneInfo("Asia/Beirut"), ZoneInfo("Pacific/Apia")]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_week_has_seven_adjacent_days() -> None:
    days = days_of(WEEK, UTC)
    assert [day.date.day for day in days] == [13, 14, 15, 16, 17, 18, 19]
    assert all(day.span.end == following.span.start for day, following in pairwise(days))


def test_the_ends_of_a_span_cut_its_days() -> None:
    days = days_of(Span(utc("2025-10-13T18:00"), utc("2025-10-15T06:00")), UTC)
    assert [(day.span.start, day.span.end) for day in days] == [
        (utc("2025-10-13T18:00"), utc("2025-10-14T00:00")),
        (utc("2025-10-14T00:00"), utc("2025-10-15T00:00")),
        (utc("2025-10-15T00:00"), utc("2025-10-15T06:00")),
    ]


def test_a_span_that_ends_at_midnight_has_nothing_of_the_next_day() -> None:
    assert len(days_of(period_around(Period.DAY, utc("2025-10-14T12:00"), BERLIN), BERLIN)) == 1


@pytest.mark.parametrize(("month", "changed", "hours"), [(10, 26, 25), (3, 30, 23)])
def test_the_day_of_a_clock_change_is_longer_or_shorter(month: int, changed: int, hours: int) -> None:
    days = days_of(period_around(Period.MONTH, datetime(2025, month, 15, tzinfo=UTC), BERLIN), BERLIN)
    assert len(days) == 31
    other = [day.date for day in days if day.span.end - day.span.start != timedelta(days=1)]
    assert other == [date(2025, month, changed)]
    assert days[changed - 1].span.end - days[changed - 1].span.start == timedelta(hours=hours)


def test_a_day_that_the_zone_skipped_is_left_out() -> None:
    apia = ZoneInfo("Pacific/Apia")
    days = days_of(Span(utc("2011-12-29T12:00"), utc("2012-01-01T00:00")), apia)
    assert [day.date.isoformat() for day in days] == ["2011-12-29", "2011-12-31", "2012-01-01"]


instants = st.datetimes(
    datetime.fromisoformat("2005-01-01"), datetime.fromisoformat("2030-12-31"), timezones=st.just(UTC)
)


@given(st.sampled_from(ZONES), instants, st.timedeltas(timedelta(seconds=1), timedelta(days=40)))
def test_days_cover_their_span_without_gaps(zone: tzinfo, start: datetime, length: timedelta) -> None:
    days = days_of(Span(start, start + length), zone)
    assert (days[0].span.start, days[-1].span.end) == (start, start + length)
    assert all(day.span.end == following.span.start for day, following in pairwise(days))
    assert all(day.span.start.astimezone(zone).date() == day.date for day in days)


@pytest.mark.parametrize(
    ("state", "failure", "outcome"),
    [
        *((state, None, Outcome.IN_PROGRESS) for state in sorted(OPEN)),
        (TaskState.DELIVERED, None, Outcome.DELIVERED),
        (TaskState.CANCELLED, None, Outcome.CANCELLED),
        (TaskState.OVERDUE, Failure.TOO_SLOW, Outcome.FAILED),
        (TaskState.FAILED, Failure.BROKEN, Outcome.FAILED),
        (TaskState.FAILED, Failure.MODERATED, Outcome.MODERATED),
    ],
)
def test_every_state_has_an_outcome(state: TaskState, failure: Failure | None, outcome: Outcome) -> None:
    assert outcome_of(state, failure) is outcome


def test_every_day_is_there_and_holds_its_classes() -> None:
    rows = [make_row(), make_row(user_id=BEN, price_class=FLEX_2K, images=1, credits=Credits(24))]
    report = report_of(rows)
    assert [day.total for day in report.days] == [0, 34, 0, 0, 0, 0, 0]
    assert report.days[1].credits == {PRO: 10, FLEX_2K: 24}
    assert report.days[1].images == {PRO: 2, FLEX_2K: 1}
    assert (report.credits, report.images, report.ranking.member_count) == (34, 3, 2)
    assert report.by_price_class == {PRO: 10, FLEX_2K: 24}


def test_what_failed_counts_as_neither_credits_nor_images() -> None:
    free = Credits(0)
    rows = [
        make_row(outcome=Outcome.MODERATED, failure=Failure.MODERATED, images=3, credits=free),
        make_row(outcome=Outcome.FAILED, failure=Failure.BROKEN, images=1, credits=free),
        make_row(outcome=Outcome.FAILED, failure=Failure.TOO_SLOW, images=4, credits=free),
        make_row(outcome=Outcome.CANCELLED, images=2, credits=free),
        make_row(outcome=Outcome.IN_PROGRESS, images=1, credits=Credits(5)),
    ]
    report = report_of(rows)
    assert (report.credits, report.images) == (5, 0)
    assert report.days[1].images == {}
    assert report.outcomes == {
        Outcome.MODERATED: 3,
        Outcome.FAILED: 5,
        Outcome.CANCELLED: 2,
        Outcome.IN_PROGRESS: 1,
    }
    assert list(report.failures.items()) == [(Failure.TOO_SLOW, 4), (Failure.BROKEN, 1)]


def test_an_empty_report_has_its_days() -> None:
    report = report_of([])
    assert len(report.days) == 7
    assert (report.credits, report.images) == (0, 0)


def test_a_row_outside_the_span_is_an_error() -> None:
    with pytest.raises(KeyError):
        report_of([make_row(day=DAY + timedelta(days=30))])


def read_back(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


async def test_the_file_says_what_the_rows_say() -> None:
    rows = [
        make_row(credits=Decimal("12.345")),
        make_row(user_id=BEN, outcome=Outcome.FAILED, failure=Failure.TOO_SLOW, images=1, credits=Credits(0)),
        make_row(price_class=FLEX_2K, credits=Decimal("1E+3")),
        make_row(price_class=None, images=0, credits=Decimal("12.345")),
    ]
    assert read_back(await csv_of(rows, {ANN: 'Ann, "the\nfirst" 🎨'})) == [as_read(row) for row in rows]


def as_read(row: SpendingRow) -> dict[str, str]:
    values = (
        row.day.isoformat(),
        str(row.user_id),
        'Ann "the first" 🎨' if row.user_id == ANN else "",
        row.price_class.model.value if row.price_class else "suggestions",
        row.price_class.resolution.value if row.price_class else "",
        str(row.images),
        {Decimal("12.345"): "12.345", Decimal(0): "0", Decimal(1000): "1000"}[row.credits],
        row.outcome.value,
        row.failure.value if row.failure else "",
    )
    return dict(zip(CSV_COLUMNS, values, strict=True))


async def test_spreadsheets_know_its_encoding() -> None:
    assert (await csv_of([], {})).startswith("\ufeffday,".encode())


SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\ufb29", "\N{MINUS SIGN}")
BEFORE = (
    "",
    " ",
    "\t",
    "\r\n",
    "\u200b",
    "\u202e",
    "\x00",
    '"',
    "a;",
    "a,",
    "a|",
    "a\t",
    "a\n",
    "a\r",
    "a\u2028",
    "a\uff1b",
)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("sign", SIGNS)
async def test_no_name_is_a_formula_in_any_spreadsheet(before: str, sign: str) -> None:
    data = (await csv_of([make_row()], {ANN: f"{before}{sign}1+1"})).decode("utf-8-sig")
    for cell in re.split(r"[,;|\t\r\n]", data):
        assert unicodedata.normalize("NFKC", cell.strip('" '))[:1] not in {*"=+-@\N{MINUS SIGN}"}
    for delimiter in ";|\t":
        assert {len(line) for line in csv.reader(io.StringIO(data, newline=""), delimiter=delimiter)} == {1}
    (row,) = read_back(data.encode())
    assert row["member"].endswith(f"{sign}1+1")
    assert row["outcome"] == make_row().outcome.value


@pytest.mark.parametrize("name", ["Ann", "a=b", "’-", "", "田中", "a-b: @c", "שלום"])
async def test_harmless_names_stay_as_they_are(name: str) -> None:
    (row,) = read_back(await csv_of([make_row()], {ANN: name}))
    assert row["member"] == name
