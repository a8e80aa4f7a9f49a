"""When many tasks are polled: late ones, outages, bursts, and more load than may be polled."""

import random
from functools import partial
from math import isfinite
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import TaskId
from bot.polling.durations import Durations
from bot.polling.pace import LATE_SHARE, LEAST_GAP, FairShare, Pace
from tests.bench.outages import USUAL, summaries
from tests.bench.policies import FLEX, PRO


def experienced(seed: int = 1) -> Pace:
    return Pace(Durations((PRO, seconds) for seconds in USUAL.sample(random.Random(seed), 100)))


def outage(pace: Pace, tasks: int = 9, now: float = 100.0) -> list[float]:
    """The gaps of as many tasks that have been late for a while, when none has ended since."""
    for task in range(tasks):
        pace.gap(TaskId(task), PRO, 0.0, now)
    return [pace.gap(TaskId(task), PRO, 0.0, now) for task in range(tasks)]


@given(st.floats(0, 1e6), st.integers(0, 50))
def test_a_late_task_waits_a_small_share_of_how_late_it_is(late: float, known: int) -> None:
    pace = Pace(Durations((PRO, 15.0) for _ in range(known)))
    age = pace.durations.typical(PRO) + late
    gap = pace.gap(TaskId(1), PRO, 0.0, age)
    assert max(LEAST_GAP, LATE_SHARE * late) * 0.999 <= gap
    if late > 100:
        assert gap <= max(6.0, LATE_SHARE * late * 1.001)


@given(st.floats(-1e10, 1e10), st.floats(-1e10, 1e10), st.floats(1, 1e4))
def test_any_clock_gives_a_finite_positive_gap(submitted: float, now: float, stretch: float) -> None:
    gap = Pace().gap(TaskId(1), PRO, submitted, now, stretch)
    assert gap >= LEAST_GAP
    assert isfinite(gap)


def test_with_a_fixed_interval_nothing_else_counts() -> None:
    pace = Pace(every=5.0)
    assert outage(pace) == [5.0] * 9
    assert pace.gap(TaskId(0), PRO, 0.0, 300.0, 2.0) == 10.0
    assert pace.ended(TaskId(0), PRO, 100.0, 99.0) == []


# Outages


def test_during_an_outage_each_is_polled_more_rarely_and_at_its_end_all_at_once() -> None:
    alone = outage(experienced(), tasks=2)
    pace = experienced()
    assert min(outage(pace)) == pytest.approx(3 * max(alone), rel=0.01)
    assert sorted(pace.ended(TaskId(0), PRO, 101.0, 101.0)) == list(range(1, 9))
    assert pace.gap(TaskId(1), PRO, 0.0, 101.5) == 1.0
    assert pace.ended(TaskId(1), PRO, 102.0, 102.0) == [], "all were told once"
    assert pace.ended(TaskId(1), PRO, 103.0, 103.0) == [], "and repeating it does no harm"


def test_a_task_that_is_late_while_others_end_is_late_for_itself() -> None:
    pace = experienced()
    (alone,) = outage(pace, tasks=1)
    for task in range(10, 20):
        pace.gap(TaskId(task), PRO, 84.0, 99.0)
        assert pace.ended(TaskId(task), PRO, 100.0, 16.0) == []
    for task in range(1, 9):
        pace.gap(TaskId(task), PRO, 0.0, 100.0)
    assert pace.gap(TaskId(0), PRO, 0.0, 100.0) == pytest.approx(alone, rel=0.05)


def test_one_class_that_stands_still_leaves_the_others_alone() -> None:
    pace, undisturbed = experienced(), experienced()
    outage(pace)
    gaps = [[one.gap(TaskId(50), FLEX, 100.0 - age, 100.0) for age in (0, 8, 14, 20)] for one in (pace, undisturbed)]
    assert gaps[0] == gaps[1]


@pytest.mark.parametrize(("submitted", "others"), [(0.0, 8), (99.0, 0)])
def test_that_kie_gave_up_on_a_task_tells_of_others_only_if_it_was_late(submitted: float, others: int) -> None:
    pace = experienced()
    outage(pace)
    pace.gap(TaskId(77), PRO, 99.0, 100.0)
    assert len(pace.ended(TaskId(0 if submitted == 0 else 77), PRO, 101.0)) == others


def test_what_an_outage_delayed_is_not_learned_unless_later_tasks_are_as_slow() -> None:
    pace = experienced()
    usual = pace.durations.typical(PRO)
    outage(pace)
    for task in range(9):
        pace.ended(TaskId(task), PRO, 101.0 + task, 101.0 + task)
    assert pace.durations.typical(PRO) == usual
    for task in range(100, 130):
        submitted = 110.0 + task
        pace.gap(TaskId(task), PRO, submitted, submitted)
        pace.ended(TaskId(task), PRO, submitted + 60, 60.0)
    assert pace.durations.typical(PRO) > 2 * usual


@pytest.mark.parametrize(
    ("name", "to_even", "polls"),
    [
        ("still for 1 min", 1.1, 40),
        ("still for 5 min", 0.4, 45),
        ("5 min, back in turn", 0.45, 45),
        ("5 x slow for an hour", 0.6, 20),
        ("100 at once every 2 min", 0.5, 12.5),
        ("6 tasks/s, 40 polls/s", 0.45, 8),
    ],
)
def test_trouble_costs_less_than_even_intervals_and_leaves_no_trace(name: str, to_even: float, polls: float) -> None:
    touched, after = summaries(name, "Easel", seeds=1)
    assert touched.to_even < to_even
    assert touched.polls < polls
    if after is not None and "slow" not in name:
        assert after.to_even < 0.5
        assert 9 < after.polls < 15


# Learning in order


def test_a_burst_does_not_look_as_if_tasks_became_slower() -> None:
    dice = random.Random(4)
    durations = USUAL.sample(dice, 100)
    pace = experienced()
    for task in range(100):
        pace.gap(TaskId(task), PRO, task * 0.01, task * 0.01)
    ends = sorted(range(100), key=lambda task: task * 0.01 + durations[task])
    medians: list[float] = []
    for task in ends:
        now = task * 0.01 + durations[task]
        pace.ended(TaskId(task), PRO, now, durations[task])
        medians.append(pace.durations.typical(PRO))
    assert max(medians) < 1.15 * min(medians)
    assert pace.durations.typical(PRO) == pytest.approx(16.6, rel=0.1)


def test_what_is_forgotten_holds_up_nothing() -> None:
    pace = experienced()
    for task in range(31):
        pace.gap(TaskId(task), PRO, 0.1 * task, 0.1 * task)
    before = pace.durations.typical(PRO)
    for task in range(1, 30):
        pace.ended(TaskId(task), PRO, 15.0, 14.0)
    assert pace.durations.typical(PRO) == before, "the first one may take longer"
    pace.forget(TaskId(0), PRO)
    pace.forget(TaskId(1), PRO)
    pace.ended(TaskId(30), PRO, 17.0, 14.0)
    assert pace.durations.typical(PRO) == pytest.approx(14.0, rel=0.01)


# More than may be polled


def test_all_are_polled_more_rarely_alike_when_together_they_would_be_polled_too_often() -> None:
    share = FairShare(10)

    def halves(stretch: float) -> float:
        return 0.5 * stretch

    assert share.gap(TaskId(0), halves) == 0.5
    for task in range(20):
        share.gap(TaskId(task), halves)
    assert share.gap(TaskId(0), halves) == pytest.approx(2.0)
    for task in range(20):
        share.forget(TaskId(task))
    share.forget(TaskId(99))
    assert share.gap(TaskId(0), halves) == 0.5


def test_a_late_task_is_not_starved_by_many_new_ones() -> None:
    share, pace = FairShare(2), experienced()
    gaps = [
        share.gap(TaskId(task), partial(pace.gap, TaskId(task), PRO, 300.0 - 0.2 * task, 300.0))
        for _ in range(2)
        for task in range(200)
    ]
    assert sum(1 / gap for gap in gaps[200:]) < 4
    assert fmean(gaps[200:]) < 200
