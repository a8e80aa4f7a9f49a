"""Our own ids: sorted by time, unique, and short enough for a button's custom id."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import IdMaker, from_base36, snowflake_time, to_base36
from tests.factories import NOW

LARGEST = (1 << 63) - 1


def clock_of(seconds: Sequence[float]) -> Callable[[], datetime]:
    """A clock that shows these moments one after the other, in seconds from a fixed one."""
    moments = iter(seconds)
    return lambda: NOW + timedelta(seconds=next(moments))


def test_an_id_has_its_time_and_fits_a_signed_column_for_decades() -> None:
    for moment in (NOW + timedelta(milliseconds=123), datetime(2080, 1, 1, tzinfo=UTC)):
        identifier = IdMaker(lambda moment=moment: moment, start=7)()
        assert snowflake_time(identifier) == moment
        assert identifier < LARGEST


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=60), st.integers(0, 1 << 30))
def test_ids_increase_whatever_the_clock_does(seconds: list[float], start: int) -> None:
    make = IdMaker(clock_of(seconds), start=start)
    ids = [make() for _ in seconds]
    assert all(earlier < later for earlier, later in pairwise(ids))


@pytest.mark.parametrize("start", [0, (1 << 22) - 3, (1 << 22) - 1])
def test_ids_of_one_millisecond_differ_also_when_the_counter_wraps(start: int) -> None:
    make = IdMaker(lambda: NOW, start=start)
    ids = [make() for _ in range(100)]
    assert ids == sorted(set(ids))


def test_after_a_clock_that_went_back_an_id_has_the_right_time_again() -> None:
    make = IdMaker(clock_of([0, -3600, -3599, 1]), start=0)
    ids = [make() for _ in range(4)]
    assert ids == sorted(ids)
    assert snowflake_time(ids[-1]) == NOW + timedelta(seconds=1)


@given(st.integers(0, (1 << 22) - 1), st.integers(0, (1 << 22) - 1))
def test_two_processes_collide_only_when_their_counters_do(first: int, second: int) -> None:
    ids = IdMaker(lambda: NOW, start=first)(), IdMaker(lambda: NOW, start=second)()
    assert (ids[0] == ids[1]) is (first == second)


def test_a_process_never_makes_an_id_of_another_however_many_and_whatever_the_clock_does() -> None:
    ids = list[int]()
    for process in (3, 4):
        clock = clock_of([0] * 10_000 + [-1] * 10 + [5] * 5000)
        make = IdMaker(clock, start=(1 << 12) - 1)
        make.process = process
        made = [make() for _ in range(15_010)]
        assert ({(new_id >> 12) % 1024 for new_id in made}, made) == ({process}, sorted(made))
        ids += made
    assert len(set(ids)) == 30_020


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (9, "9"), (10, "a"), (35, "z"), (36, "10"), (LARGEST, "1y2p0ij32e8e7")]
)
def test_base_36(number: int, text: str) -> None:
    assert to_base36(number) == text


@given(st.integers(0, LARGEST))
def test_base_36_round_trip(number: int) -> None:
    text = to_base36(number)
    assert from_base36(text) == number
    assert len(text) <= 13


@pytest.mark.parametrize(
    "text", ["", "-1", "1y2p0ij32e8e8", "zzzzzzzzzzzzz", "a b", "ä", "1.5", "z" * 10_000, "cancel:1"]
)
def test_what_is_not_an_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        from_base36(text)
