"""When KIE is asked after a task: the best moments, and those that are learned."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, combinations, islice, pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.changes import memory, unchanged
from bot.domain.learning import Prior, expect
from bot.domain.lifetimes import Lifetimes
from bot.domain.polling import Schedules
from bot.domain.schedule import Bounds, Schedule, at_price, plan
from tests.bench.policies import FREE, Reference, Truth, ask, planned, truths

BY_NAME = {truth.name: truth for truth in truths()}
EVEN = 1000
KNOWN = st.lists(st.floats(0.05, 4000), max_size=60)


def learned(truth: Truth, known: int, seed: int = 1, calls: float = 12.0) -> Schedule:
    recent = truth.sample(random.Random(1000 * seed + known), known)
    return plan(expect(recent, Prior(truth.published)), calls)


def by_default(truth: Truth, known: int, seed: int = 1) -> Schedule:
    recent = truth.sample(random.Random(1000 * seed + known), known)
    return Schedules(recent=((truth.known_as, seconds) for seconds in recent)).of(truth.known_as)


def asked_until(schedule: Schedule, age: float) -> list[float]:
    moments = list(islice(planned(schedule)(), 2000))
    return [moment for moment in moments if moment <= age]


def cost(lifetimes: Lifetimes, moments: Sequence[float], price: float) -> float:
    """Expected delay and price of asking at these ages, the last of which no task outlives."""
    total = 0.0
    for before, moment in pairwise([0.0, *moments]):
        (ended, area), (_, until) = lifetimes.at(before), lifetimes.at(moment)
        total += price * (1 - ended) + until - area - (moment - before) * ended
    return total


# The best moments


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=9, max_size=9).filter(any), st.floats(0.05, 3))
def test_no_choice_of_moments_is_cheaper(masses: list[int], price: float) -> None:
    ages = [2.0, *(float(age) for age in range(3, 12))]
    lifetimes = Lifetimes.of(ages, [0.0, *(total / sum(masses) for total in accumulate(masses))])
    candidates = [2.5 + 0.75 * i for i in range(12)]
    cheapest = min(cost(lifetimes, [*chosen, 11.0], price) for n in range(6) for chosen in combinations(candidates, n))
    # Where the distribution breaks off, as here, the moments are as good as the grid is fine.
    schedule = at_price(lifetimes, price, replace(FREE, least_gap=0.01), points=1500)
    moments = [moment for moment in islice(planned(schedule)(), 60) if moment < 11.0]
    # The last planned moment may fall a hair short of the end, where next to nothing is left to find.
    assert cost(lifetimes, [*moments, 11.0], price) - price * 0.02 <= cheapest * 1.01
    assert schedule.delay + price * schedule.calls <= cheapest * 1.01


@pytest.mark.parametrize(
    ("name", "calls", "median", "p95"),
    [
        ("pro, one host", 8, 0.84, 1.74),
        ("pro, one host", 12, 0.55, 1.14),
        ("pro, another", 8, 0.26, 0.75),
        ("pro, another", 12, 0.18, 0.51),
        ("flex", 8, 0.51, 1.26),
        ("flex", 12, 0.34, 0.83),
    ],
)
def test_the_optimum_that_is_known(name: str, calls: float, median: float, p95: float) -> None:
    lifetimes = BY_NAME[name].lifetimes()
    schedule = at_price(lifetimes, plan(lifetimes, calls, FREE).price, FREE, points=500)
    outcome = ask(planned(schedule), BY_NAME[name].durations(4000))
    assert outcome.calls == pytest.approx(calls, rel=0.015)
    assert outcome.median == pytest.approx(median, rel=0.05)
    assert outcome.p95 == pytest.approx(p95, rel=0.05)
    assert (schedule.delay, schedule.calls) == pytest.approx((outcome.mean, outcome.calls), rel=0.01)


@pytest.mark.parametrize("calls", [2.0, 5.0, 12.0, 30.0])
@pytest.mark.parametrize("truth", truths(), ids=lambda truth: truth.name)
def test_about_as_many_questions_as_wished(truth: Truth, calls: float) -> None:
    # Where all ends at once, or nothing does for long, the number falls in steps as the price rises.
    steps = truth.name in {"two kinds", "Pareto 1.5"}
    assert learned(truth, 100, calls=calls).calls == pytest.approx(calls, rel=0.15 if steps else 0.1)


def test_a_dearer_question_is_asked_less() -> None:
    lifetimes = BY_NAME["flex"].lifetimes()
    few, many = at_price(lifetimes, 0.4), at_price(lifetimes, 0.1)
    assert few.calls < many.calls
    assert few.delay > many.delay
    # Four times the price: about twice the gaps.
    assert few.delay / many.delay == pytest.approx(2, rel=0.15)


# What is learned


@pytest.fixture(scope="module")
def references() -> dict[str, Reference]:
    return {
        truth.name: Reference.of([(truth, truth.durations(EVEN))]) for truth in truths() if "Pareto" not in truth.name
    }


@pytest.mark.parametrize(
    ("name", "known", "within"),
    [
        *((name, 200, 1.1) for name in ("pro, one host", "pro, another", "flex", "two kinds", "spread 1.2")),
        *((name, 20, 1.25) for name in ("pro, one host", "pro, another", "flex", "spread 1.2")),
    ],
)
def test_close_to_the_optimum(references: dict[str, Reference], name: str, known: int, within: float) -> None:
    truth, reference = BY_NAME[name], references[name]
    durations = truth.durations(EVEN)
    outcomes = [ask(planned(learned(truth, known, seed)), durations) for seed in range(8)]
    assert fmean(outcome.mean / reference.best(outcome.calls) for outcome in outcomes) < within


@pytest.mark.parametrize("known", [0, 20, 200])
@pytest.mark.parametrize("name", ["pro, one host", "pro, another", "flex"])
def test_better_than_even_intervals(references: dict[str, Reference], name: str, known: int) -> None:
    truth, reference = BY_NAME[name], references[name]
    outcome = ask(planned(learned(truth, known)), truth.durations(EVEN))
    assert outcome.mean < 0.95 * reference.fixed(outcome.calls)


@pytest.mark.parametrize("name", ["pro, one host", "pro, another", "flex"])
def test_what_a_member_notices_with_the_default_setting(name: str) -> None:
    truth = BY_NAME[name]
    outcomes = [ask(planned(by_default(truth, 200, seed)), truth.durations(EVEN)) for seed in range(12)]
    assert fmean(outcome.median for outcome in outcomes) <= 0.6
    assert fmean(outcome.p95 for outcome in outcomes) <= 1.2
    assert fmean(outcome.calls for outcome in outcomes) <= 12


def test_what_nobody_is_done_before_is_learned() -> None:
    truth = BY_NAME["Pareto 1.5"]
    schedules = [learned(truth, 200, seed) for seed in range(8)]
    before = [len(asked_until(schedule, 9.9)) for schedule in schedules]
    assert fmean(before) < 0.8


@pytest.mark.parametrize(("wander", "least", "most"), [(0.0, 100, 540), (0.1, 20, 60)])
def test_what_wanders_is_forgotten_sooner(wander: float, least: float, most: float) -> None:
    def walk(dice: random.Random) -> list[float]:
        level, kept = 0.0, list[float]()
        for _ in range(200):
            level += dice.gauss(0, wander)
            kept.append(level + dice.gauss(0, 0.3))
        return kept

    assert least <= fmean(memory(walk(random.Random(seed))) for seed in range(10)) <= most


def test_two_kinds_of_tasks_are_told_apart() -> None:
    moments = asked_until(learned(BY_NAME["two kinds"], 200), 60)
    between = [moment for moment in moments if 20 < moment < 30]
    assert len(between) <= 3
    assert sum(9 < moment < 18 for moment in moments) >= 6
    assert sum(35 < moment < 60 for moment in moments) >= 6


def test_durations_as_they_come_are_of_one_kind() -> None:
    dice = random.Random(3)
    kept = [unchanged(BY_NAME["flex"].sample(dice, 200)) for _ in range(60)]
    assert kept.count(200) >= 57


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_shift_is_noticed_within_a_few_dozen(factor: float) -> None:
    dice = random.Random(4)
    before = BY_NAME["flex"].sample(dice, 170)
    after = [factor * seconds for seconds in BY_NAME["flex"].sample(dice, 30)]
    assert unchanged([*before, *after]) <= 40
    moments = asked_until(plan(expect([*before, *after], Prior(16.0)), 12), factor * 9)
    assert len(moments) <= 5  # at this age hardly one of the new kind has ended


# Any age, any durations


@settings(max_examples=40, deadline=None)
@given(KNOWN, st.floats(1.5, 60), st.lists(st.floats(0, 20_000), min_size=1, max_size=10), st.floats(1, 20))
def test_the_next_question_is_always_later(
    recent: list[float], calls: float, ages: list[float], stretch: float
) -> None:
    schedule = plan(expect(recent, Prior(15.0)), calls)
    for age in ages:
        assert schedule.next_after(age) >= age + Bounds().least_gap * (1 - 1e-9)
        assert schedule.next_after(age, stretch) >= schedule.next_after(age)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(2, 60), max_size=200))
def test_a_task_that_never_ends_costs_a_bounded_number_of_questions(recent: list[float]) -> None:
    assert len(asked_until(plan(expect(recent, Prior(15.0)), 12), 600)) <= 150


@pytest.mark.parametrize("name", ["pro, one host", "pro, another", "flex"])
def test_a_task_that_never_ends_costs_about_a_hundred(name: str) -> None:
    assert len(asked_until(learned(BY_NAME[name], 200), 600)) <= 130


def test_a_question_waits_for_the_round_trip_of_the_one_before() -> None:
    schedule = replace(learned(BY_NAME["flex"], 0), ages=(0.0, 10.0), then=(5.0, 10.05))
    assert schedule.next_after(9.9) == pytest.approx(10.1)


@pytest.mark.parametrize("known", [0, 20, 200])
def test_the_end_of_an_outage_is_seen_soon(known: int) -> None:
    moments = asked_until(learned(BY_NAME["pro, another"], known), 3000)
    for before, after in pairwise(moment for moment in moments if moment > 60):
        assert after - before <= 0.12 * before
    assert moments[-1] - moments[-2] <= 60.1


def test_a_stretch_goes_some_planned_moments_ahead() -> None:
    schedule = learned(BY_NAME["flex"], 50)
    first, second, third = islice(planned(schedule)(), 3)
    assert schedule.next_after(0, 2) == pytest.approx(second)
    assert schedule.next_after(0, 2.5) == pytest.approx((second + third) / 2)
    assert schedule.next_after(0, 1) == first
