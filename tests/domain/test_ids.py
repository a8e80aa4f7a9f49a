"""Our own ids: sorted by time, never twice, short enough for a button."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import IdMaker, from_base36, to_base36
from tests.factories import NOW

EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
LARGEST = (1 << 63) - 1


def clock_of(seconds: Sequence[float]) -> Callable[[], datetime]:
    """A clock that tells these moments, in seconds from a fixed one, one after the other."""
    moments = iter(seconds)
    return lambda: NOW + timedelta(seconds=next(moments))


def time_of(identifier: int) -> datetime:
    return EPOCH + timedelta(milliseconds=identifier >> 22)


def test_an_id_tells_its_time() -> None:
    moment = NOW + timedelta(milliseconds=123)
    assert time_of(IdMaker(lambda: moment, start=7)()) == moment


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=60), st.integers(0, 1 << 30))
def test_ids_grow_whatever_the_clock_does(seconds: list[float], start: int) -> None:
    make = IdMaker(clock_of(seconds), start=start)
    ids = [make() for _ in seconds]
    assert all(earlier < later for earlier, later in pairwise(ids))


@pytest.mark.parametrize("start", [0, (1 << 22) - 3, (1 << 22) - 1])
def test_ids_of_one_millisecond_differ_even_when_the_count_begins_anew(start: int) -> None:
    make = IdMaker(lambda: NOW, start=start)
    ids = [make() for _ in range(100)]
    assert ids == sorted(set(ids))


def test_a_clock_that_goes_back_an_hour_does_not_stop_ids_from_growing() -> None:
    make = IdMaker(clock_of([0, -3600, -3599, 1]), start=0)
    before, *during, after = (make() for _ in range(4))
    assert before < during[0] < during[1] < after
    assert time_of(after) == NOW + timedelta(seconds=1)


@given(st.integers(0, (1 << 22) - 1), st.integers(0, (1 << 22) - 1))
def test_two_processes_in_the_same_millisecond_meet_only_when_their_counts_do(one: int, other: int) -> None:
    ids = IdMaker(lambda: NOW, start=one)(), IdMaker(lambda: NOW, start=other)()
    assert (ids[0] == ids[1]) is (one == other)


def test_an_id_fits_into_a_signed_column_for_decades() -> None:
    assert IdMaker(lambda: datetime(2080, 1, 1, tzinfo=UTC), start=5)() < 1 << 63


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (9, "9"), (10, "a"), (35, "z"), (36, "10"), (LARGEST, "1y2p0ij32e8e7")]
)
def test_short_and_back(number: int, text: str) -> None:
    assert to_base36(number) == text
    assert from_base36(text) == number


@given(st.integers(0, LARGEST))
def test_every_id_survives_the_round_trip(number: int) -> None:
    text = to_base36(number)
    assert from_base36(text) == number
    assert len(text) <= 13


@pytest.mark.parametrize(
    "text", ["", "-1", "1y2p0ij32e8e8", "zzzzzzzzzzzzz", "a b", "ä", "1.5", "z" * 10_000, "cancel:1"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        from_base36(text)
