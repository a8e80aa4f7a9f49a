"""Prices and periods."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.credits import KIE_PRICES, Period, PriceList, period_around
from bot.domain.settings import AspectRatio, Model, Resolution, Settings

# Zones that change their clocks at night, at midnight itself, or by half an hour, and one that left out a whole day.
ZONES: list[tzinfo] = [
    UTC,
    *map(
        ZoneInfo,
        ["Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Beirut"],
    ),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_prices_are_those_that_kie_publishes_and_depend_on_model_and_resolution_alone() -> None:
    published = {("pro", "1K"): 5, ("pro", "2K"): 7, ("flex", "1K"): 14, ("flex", "2K"): 24}
    assert published == KIE_PRICES
    for (model, resolution), price in published.items():
        for ratio in AspectRatio:
            settings = Settings(Model(model), ratio, Resolution(resolution), steps=50, guidance=10.0)
            assert PriceList(KIE_PRICES).of(settings) == price


@pytest.mark.parametrize(
    ("zone", "period", "now", "start", "end"),
    [
        ("UTC", "day", "2025-10-09T00:00", "2025-10-09", "2025-10-10"),
        ("UTC", "day", "2025-10-09T23:59:59.999999", "2025-10-09", "2025-10-10"),
        ("UTC", "day", "2025-12-31T08:00", "2025-12-31", "2026-01-01"),
        ("UTC", "day", "2024-02-28T08:00", "2024-02-28", "2024-02-29"),
        ("UTC", "week", "2025-10-06T00:00", "2025-10-06", "2025-10-13"),
        ("UTC", "week", "2025-10-12T23:59", "2025-10-06", "2025-10-13"),
        ("UTC", "week", "2025-01-01T10:00", "2024-12-30", "2025-01-06"),
        ("UTC", "month", "2025-10-01T00:00", "2025-10-01", "2025-11-01"),
        ("UTC", "month", "2025-01-31T23:59", "2025-01-01", "2025-02-01"),
        ("UTC", "month", "2024-02-29T12:00", "2024-02-01", "2024-03-01"),
        ("UTC", "month", "2025-12-31T23:59", "2025-12-01", "2026-01-01"),
        # Summer time begins (a day of 23 hours) and ends (a day of 25).
        ("Europe/Berlin", "day", "2025-03-30T12:00", "2025-03-29T23:00", "2025-03-30T22:00"),
        ("Europe/Berlin", "day", "2025-10-26T12:00", "2025-10-25T22:00", "2025-10-26T23:00"),
        ("Europe/Berlin", "week", "2025-10-26T12:00", "2025-10-19T22:00", "2025-10-26T23:00"),
        ("Europe/Berlin", "week", "2025-03-30T12:00", "2025-03-23T23:00", "2025-03-30T22:00"),
        ("Europe/Berlin", "week", "2025-10-27T00:00", "2025-10-26T23:00", "2025-11-02T23:00"),
        ("Europe/Berlin", "month", "2025-10-15T12:00", "2025-09-30T22:00", "2025-10-31T23:00"),
        # The hour that comes twice belongs to the same day both times.
        ("Europe/Berlin", "day", "2025-10-26T00:30", "2025-10-25T22:00", "2025-10-26T23:00"),
        ("Europe/Berlin", "day", "2025-10-26T01:30", "2025-10-25T22:00", "2025-10-26T23:00"),
        # It is tomorrow there already, or still yesterday.
        ("Asia/Tokyo", "day", "2025-10-09T15:00", "2025-10-09T15:00", "2025-10-10T15:00"),
        ("America/Los_Angeles", "day", "2025-10-09T06:59", "2025-10-08T07:00", "2025-10-09T07:00"),
        # Midnight did not exist on this day: it began at one.
        ("America/Sao_Paulo", "day", "2018-11-04T12:00", "2018-11-04T03:00", "2018-11-05T02:00"),
    ],
)
def test_the_period_around_an_instant(zone: str, period: str, now: str, start: str, end: str) -> None:
    span = period_around(Period(period), utc(now), ZoneInfo(zone))
    assert (span.start, span.end) == (utc(start), utc(end))


instants = st.datetimes(
    utc("1990-01-01").replace(tzinfo=None), utc("2037-12-31").replace(tzinfo=None), timezones=st.just(UTC)
)


@given(st.sampled_from(Period), instants, st.sampled_from(ZONES))
def test_periods_contain_their_instant_and_follow_each_other(period: Period, now: datetime, zone: tzinfo) -> None:
    span = period_around(period, now, zone)
    assert span.start <= now < span.end
    assert span.start.utcoffset() == span.end.utcoffset() == timedelta(0)
    assert period_around(period, span.start, zone) == span
    assert period_around(period, span.end - timedelta(microseconds=1), zone) == span
    assert period_around(period, span.end, zone).start == span.end
    first_day = span.start.astimezone(zone).date()
    match period:
        case Period.DAY:
            assert first_day == now.astimezone(zone).date()
        case Period.WEEK:
            assert first_day.weekday() == 0
        case Period.MONTH:
            assert first_day.day == 1
