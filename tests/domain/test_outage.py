"""Tasks that an outage holds up: how seldom they are asked after, how soon its end is seen, and what is learned."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from bot.domain.outage import Doubts, Outages
from bot.domain.polling import FairShare, Schedules, Steady, Terms
from bot.domain.settings import TaskClass
from bot.domain.turns import Turns
from tests.bench.outages import troubled
from tests.bench.policies import FLEX, PRO

TERMS = Terms(most_by=20.0, late_rate=0.1, price=0.05)


def held(count: int, now: float = 100.0) -> Outages[int]:
    """As many that have been late for a while, and nothing has ended since."""
    outages = Outages[int]()
    for task in range(count):
        outages.gap(task, 40.0, 2.0, TERMS, now)
    return outages


def test_one_that_is_late_keeps_to_its_schedule() -> None:
    outages = Outages[int]()
    assert [outages.gap(task, 40.0, 2.0, TERMS, 100.0) for task in range(2)] == [2.0, 2.0]
    assert outages.gap(3, 10.0, 0.5, TERMS, 100.0) == 0.5
    assert outages.ended(7, 99.0, 100.0) == []


def test_the_more_are_held_the_more_seldom_each_is_asked_and_the_sooner_someone() -> None:
    few, many = held(8), held(72)
    gaps = [
        [outages.gap(task, 40.0, 2.0, TERMS, 100.0) for task in range(count)]
        for outages, count in ((few, 8), (many, 72))
    ]
    rates = [sum(1 / gap for gap in each) for each in gaps]
    assert min(gaps[1]) > 1.5 * min(gaps[0]) > 4
    assert rates[1] > 2 * rates[0]
    assert max(max(each) for each in gaps) <= 13


def test_they_are_out_of_step() -> None:
    outages = held(20)
    gaps = sorted(outages.gap(task, 40.0, 2.0, TERMS, 100.0) for task in range(20))
    assert gaps[-1] > 1.5 * gaps[0]
    assert max(after - before for before, after in pairwise(gaps)) < 0.2 * gaps[0]


def test_who_was_asked_once_already_waits_with_the_others_and_who_was_not_is_left_alone() -> None:
    outages = held(9)
    assert outages.gap(20, 15.0, 0.5, TERMS, 100.0) > 1
    assert outages.gap(21, 0.0, 11.0, TERMS, 100.0) == 11.0
    assert 21 not in outages.ended(0, 99.0, 100.0)


def test_the_first_end_has_all_others_asked_at_once_and_only_once() -> None:
    outages = held(50)
    assert sorted(outages.ended(0, 99.0, 100.0)) == list(range(1, 50))
    for task in range(1, 40):
        outages.gap(task, 40.0, 2.0, TERMS, 100.5)
        assert outages.ended(task, 100.0, 101.0) == []


def test_while_they_recover_each_is_asked_as_their_ends_suggest_and_never_more_than_once_a_second() -> None:
    outages = held(50)
    outages.ended(0, 100.0, 100.0)
    assert outages.gap(1, 40.0, 8.0, TERMS, 100.1) == pytest.approx(1)
    slow = outages.gap(1, 40.0, 8.0, TERMS, 110.0)
    for task in range(2, 30):
        outages.ended(task, 110.0, 110.0)
    assert 1 <= outages.gap(1, 40.0, 8.0, TERMS, 110.0) < 0.4 * slow < 0.4 * 8


def test_those_whose_recovery_fails_are_held_again() -> None:
    outages = held(50)
    outages.ended(0, 100.0, 100.0)
    gaps = [outages.gap(task, 200.0, 2.0, TERMS, 300.0) for task in range(1, 50)]
    assert gaps[-1] > 2
    assert len(outages.ended(1, 301.0, 301.0)) == 48


def test_ends_from_before_one_was_late_say_nothing() -> None:
    outages = held(5)
    assert outages.ended(9, 70.0, 101.0) == []
    assert len(outages.ended(9, 85.0, 101.0)) == 5


@pytest.mark.parametrize(
    ("after", "learned"), [([False] * 3, []), ([True] * 3, ["held"] * 2), ([False, True, True], ["held"] * 2)]
)
def test_what_held_tasks_took_is_learned_only_when_those_after_them_are_slow_too(
    after: Sequence[bool], learned: Sequence[str]
) -> None:
    doubts = Doubts[str]()
    assert doubts.sift("held", 10.0, 50.0, late=True) == []
    assert doubts.sift("quick", 20.0, 50.0, late=False) == ["quick"]
    assert doubts.sift("held", 30.0, 50.0, late=True) == []
    told = [one for late in after for one in doubts.sift("after", 60.0, 50.0, late=late)]
    assert sorted(told) == sorted([*learned, "after", "after", "after"])
    assert doubts.sift("held", 40.0, 50.0, late=True) == ["held"] * bool(learned)


def test_slow_tasks_are_learned_though_ever_new_ones_are_held() -> None:
    doubts = Doubts[int]()
    told = [one for i in range(40) for one in doubts.sift(i, 10.0 * i, 10.0 * i - 45 + 50 * (i == 0), late=True)]
    assert len(told) > 30


def test_tasks_that_are_late_by_chance_are_no_outage() -> None:
    """Of many long tasks some are always late, and have been for a while when the next end is found."""
    outages = Outages[int]()
    assert [outages.gap(task, 22.0, 2.0, TERMS, 100.0) for task in range(9)] == [2.0] * 9
    assert outages.ended(0, 99.0, 100.0) == []
    assert outages.gap(1, 90.0, 2.0, TERMS, 170.0) == 2.0, "it was late while another ended"


@pytest.mark.parametrize(("late_for", "freed"), [(0.5, 0), (25.0, 8)])
def test_that_kie_gives_up_on_a_task_says_something_when_it_was_held(late_for: float, freed: int) -> None:
    outages = held(9) if late_for > 1 else Outages[int]()
    assert outages.failed(77, 99.0, 100.0) == []
    assert len(outages.failed(0, 99.0, 100.0)) == freed


def test_a_clock_that_was_set_back_makes_nobody_be_asked_every_second_for_long() -> None:
    outages = held(50)
    outages.ended(0, 3700.0, 3700.0)
    outages.gap(1, 40.0, 8.0, TERMS, 100.0)
    assert outages.gap(1, 40.0, 8.0, TERMS, 110.0) > 2


# All together


def test_one_class_that_stands_still_leaves_the_others_alone() -> None:
    schedules = Schedules()
    alone, beside = Turns[int](schedules, FairShare(100)), Turns[int](schedules, FairShare(100))
    for task in range(50):
        beside.gap(task, FLEX, 0.0, 300.0)
    ages = (0.0, 8.0, 11.0, 14.0, 20.0)
    assert [beside.gap(99, PRO, 300.0 - age, 300.0) for age in ages] == [
        alone.gap(99, PRO, 300.0 - age, 300.0) for age in ages
    ]
    assert beside.ended(99, PRO, 299.0, 300.0) == []


def test_steady_questions_know_of_no_outage() -> None:
    turns = Turns[int](Steady(5.0), FairShare(100))
    assert [turns.gap(task, PRO, 0.0, 500.0) for task in range(10)] == [5.0] * 10
    assert turns.ended(0, PRO, 499.0, 500.0) == []
    assert turns.learnable(PRO, 0.0, 499.0, 500.0) == [(0.0, 499.0)]


@pytest.mark.parametrize("task_class", [PRO, FLEX])
def test_more_than_may_be_asked_is_shared_during_an_outage_too(task_class: TaskClass) -> None:
    turns, share = Turns[int](Schedules(), narrow := FairShare(2)), narrow
    gaps = [turns.gap(task, task_class, 0.0, 300.0) for task in range(200) for _ in range(2)]
    assert share.stretch() > 2
    assert sum(1 / gap for gap in gaps[200:]) / 2 < 4


@pytest.mark.parametrize("name", ["still for 1 min", "still for 5 min", "still for 9 min", "5 min, back in turn"])
def test_an_outage_costs_less_than_even_intervals_and_leaves_no_trace(name: str) -> None:
    ((_, caught, after),) = troubled(name, seeds=1, policies=("Easel",))
    assert caught.to_even < 1.1
    assert caught.delay < 1.5
    assert caught.calls < 45
    assert after.to_even < 0.5
    assert 9 < after.calls < 15


def test_a_provider_that_is_slow_for_an_hour_is_learned() -> None:
    ((_, caught, _),) = troubled("5 x slow for an hour", seeds=1, policies=("Easel",))
    assert caught.to_even < 0.6
    assert caught.calls < 20
