"""When one task is polled: within the budget, close to the optimum, learned from few durations, at any age."""

import random
from itertools import takewhile
from math import exp, isfinite, log
from statistics import NormalDist, fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.settings import Model, Resolution, TaskClass
from bot.polling.durations import Durations, published
from bot.polling.schedule import Schedule
from tests.bench.policies import FLEX, PRO, Reference, Truth, by_rule, lognormal, poll, truths

HOSTS = truths()[:3]
BY_NAME = {truth.name: truth for truth in HOSTS}
SECONDS = st.floats(0, 1e7)


def learned(truth: Truth, number: int, seed: int = 0) -> Durations:
    return Durations((truth.known_as, seconds) for seconds in truth.sample(random.Random(seed), number))


@pytest.mark.parametrize(("polls", "within"), [(1.2, 0.13), (2, 0.06), (5, 0.03), (12, 0.02), (40, 0.05)])
@pytest.mark.parametrize("spread", [0.16, 0.33, 0.61, 1.2])
def test_the_budget_is_kept_when_the_distribution_is_known(spread: float, polls: float, within: float) -> None:
    schedule = Schedule(NormalDist(log(16), spread), published(PRO), polls)

    def counted(seconds: float) -> int:
        age, number = 0.0, 0
        while age < seconds:
            age, number = age + schedule.gap(age), number + 1
        return number

    durations = Truth("", lognormal(16, spread)).durations(2000)
    assert fmean(map(counted, durations)) == pytest.approx(polls, rel=within)


@pytest.mark.parametrize(("known", "within"), [(5, 1.45), (20, 1.25), (200, 1.15)])
@pytest.mark.parametrize("host", BY_NAME)
def test_close_to_the_optimum_after_few_durations(host: str, known: int, within: float) -> None:
    truth = BY_NAME[host]
    durations = truth.durations(1000)
    reference = Reference.of([(truth, durations)])
    outcomes = [poll(by_rule(learned(truth, known, seed), truth.known_as), durations) for seed in range(10)]
    assert fmean(outcome.mean / reference.best(outcome.polls) for outcome in outcomes) < within
    assert fmean(outcome.polls for outcome in outcomes) == pytest.approx(12, rel=0.15)


def test_a_stretch_leaves_polls_out() -> None:
    schedule = Schedule(NormalDist(log(16), 0.3), published(PRO), 12)
    first = schedule.gap(0)
    second = first + schedule.gap(first)
    assert schedule.gap(0, 2) == pytest.approx(second)
    assert first < schedule.gap(0, 1.5) < second


@pytest.mark.parametrize("host", BY_NAME)
def test_a_task_that_never_ends_costs_at_most_two_hundred_polls_in_ten_minutes(host: str) -> None:
    truth = BY_NAME[host]
    ages = by_rule(learned(truth, 200), truth.known_as)()
    assert 100 < len(list(takewhile(lambda age: age < 600, ages))) <= 200


@settings(deadline=None, max_examples=50)
@given(st.lists(SECONDS, max_size=60), st.floats(1.01, 1000), st.lists(SECONDS, min_size=1), st.floats(1, 1e6))
def test_any_input_gives_a_finite_positive_gap(
    known: list[float], polls: float, ages: list[float], stretch: float
) -> None:
    durations = Durations((PRO, seconds) for seconds in known)
    schedule = Schedule(durations.expected(PRO), published(PRO), polls)
    for age in ages:
        assert isfinite(schedule.gap(age))
        assert 0 < schedule.gap(age) <= schedule.gap(age, stretch) < float("inf")
    assert 0 < durations.typical(PRO) < float("inf")


# Learning


@pytest.mark.parametrize("has_references", [False, True])
@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize("resolution", Resolution)
def test_before_anything_was_measured_the_published_time_counts(
    model: Model, resolution: Resolution, has_references: bool
) -> None:
    task_class = TaskClass(model, resolution, has_references)
    known = Durations()
    assert known.expected(task_class).mean == pytest.approx(published(task_class).mean)
    assert known.typical(task_class) == pytest.approx(exp(published(task_class).mean))


def test_learning_converges_and_what_is_old_is_forgotten() -> None:
    truth = Truth("", lognormal(6.0, 0.2))
    known = Durations((PRO, 300.0) for _ in range(100))
    for seconds in truth.sample(random.Random(2), 30):
        known.add(PRO, seconds)
    assert known.typical(PRO) == pytest.approx(6.0, rel=0.1)
    assert known.expected(PRO).stdev == pytest.approx(0.2, rel=0.2)


def test_one_task_that_took_forever_changes_little() -> None:
    known = learned(BY_NAME["pro, another"], 100)
    before = known.expected(PRO)
    known.add(PRO, 3000.0)
    assert known.expected(PRO).mean == pytest.approx(before.mean, abs=0.03)
    assert known.expected(PRO).stdev < 1.3 * before.stdev


def test_classes_are_kept_apart() -> None:
    known = Durations((PRO, 300.0) for _ in range(30))
    assert known.typical(FLEX) == Durations().typical(FLEX)
    assert known.typical(PRO) > 10 * known.typical(FLEX)
