"""Prices, periods, balances."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.credits import KIE_PRICES, Allowance, Balance, Credits, Period, PriceList, period_around
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from tests.factories import NOW

# Clocks that change at night, at midnight itself, by half an hour, and one that left out a whole day.
ZONES: list[tzinfo] = [
    UTC,
    *map(
        ZoneInfo,
        ["Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Beirut"],
    ),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("model", "resolution", "credits_"),
    [("pro", "1K", 5), ("pro", "2K", 7), ("flex", "1K", 14), ("flex", "2K", 24)],
)
@pytest.mark.parametrize("aspect_ratio", AspectRatio)
def test_prices_are_those_that_kie_publishes(
    model: str, resolution: str, credits_: int, aspect_ratio: AspectRatio
) -> None:
    settings = Settings(Model(model), aspect_ratio, Resolution(resolution))
    assert PriceList(KIE_PRICES).of(settings) == Decimal(credits_)


def test_every_model_and_resolution_has_a_price() -> None:
    assert set(KIE_PRICES) == {(model, resolution) for model in Model for resolution in Resolution}


def test_steps_and_guidance_do_not_change_the_price() -> None:
    plain = Settings(Model.FLEX)
    tuned = Settings(Model.FLEX, steps=50, guidance=10.0)
    assert PriceList(KIE_PRICES).of(tuned) == PriceList(KIE_PRICES).of(plain)


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        ("day", "2025-10-09T12:30", "2025-10-09", "2025-10-10"),
        ("day", "2025-10-09T00:00", "2025-10-09", "2025-10-10"),
        ("day", "2025-10-09T23:59:59.999999", "2025-10-09", "2025-10-10"),
        ("day", "2025-12-31T08:00", "2025-12-31", "2026-01-01"),
        ("day", "2024-02-28T08:00", "2024-02-28", "2024-02-29"),
        ("day", "2025-02-28T08:00", "2025-02-28", "2025-03-01"),
        ("week", "2025-10-06T00:00", "2025-10-06", "2025-10-13"),
        ("week", "2025-10-12T23:59", "2025-10-06", "2025-10-13"),
        ("week", "2025-01-01T10:00", "2024-12-30", "2025-01-06"),
        ("month", "2025-10-01T00:00", "2025-10-01", "2025-11-01"),
        ("month", "2025-01-31T23:59", "2025-01-01", "2025-02-01"),
        ("month", "2024-02-29T12:00", "2024-02-01", "2024-03-01"),
        ("month", "2025-02-28T12:00", "2025-02-01", "2025-03-01"),
        ("month", "2025-12-31T23:59", "2025-12-01", "2026-01-01"),
    ],
)
def test_periods_by_utc(period: str, now: str, start: str, end: str) -> None:
    span = period_around(Period(period), utc(now))
    assert (span.start, span.end) == (utc(start), utc(end))


@pytest.mark.parametrize(
    ("zone", "period", "now", "start", "end"),
    [
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
        ("Europe/Berlin", "month", "2025-03-15T12:00", "2025-02-28T23:00", "2025-03-31T22:00"),
        # It is tomorrow there already, and still yesterday.
        ("Asia/Tokyo", "day", "2025-10-09T15:00", "2025-10-09T15:00", "2025-10-10T15:00"),
        ("America/Los_Angeles", "day", "2025-10-09T06:59", "2025-10-08T07:00", "2025-10-09T07:00"),
        # Midnight did not exist on this day: it began at one.
        ("America/Sao_Paulo", "day", "2018-11-04T12:00", "2018-11-04T03:00", "2018-11-05T02:00"),
    ],
)
def test_periods_in_zones_with_clock_changes(zone: str, period: str, now: str, start: str, end: str) -> None:
    span = period_around(Period(period), utc(now), ZoneInfo(zone))
    assert (span.start, span.end) == (utc(start), utc(end))


instants = st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.sampled_from(Period), instants, st.sampled_from(ZONES))
def test_a_period_holds_its_instant_and_borders_on_the_next(period: Period, now: datetime, zone: tzinfo) -> None:
    span = period_around(period, now, zone)
    assert span.start <= now < span.end
    assert span.start.utcoffset() == span.end.utcoffset() == timedelta(0)
    assert period_around(period, span.start, zone) == span
    assert period_around(period, span.end - timedelta(microseconds=1), zone) == span
    assert period_around(period, span.end, zone).start == span.end


@given(st.sampled_from(Period), instants, st.sampled_from(ZONES))
def test_a_period_begins_on_its_first_day(period: Period, now: datetime, zone: tzinfo) -> None:
    first: date = period_around(period, now, zone).start.astimezone(zone).date()
    match period:
        case Period.DAY:
            assert first == now.astimezone(zone).date()
        case Period.WEEK:
            assert first.weekday() == 0
        case Period.MONTH:
            assert first.day == 1


@pytest.mark.parametrize(
    ("allowed", "spent", "left"), [("50", "0", "50"), ("50", "12.5", "37.5"), ("50", "50", "0"), ("10", "50", "0")]
)
def test_a_balance_is_never_below_zero(allowed: str, spent: str, left: str) -> None:
    balance = Balance(Allowance(Credits(allowed), Period.DAY), Credits(spent), NOW)
    assert balance.left == Credits(left)
