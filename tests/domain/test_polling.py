"""A schedule for each class of task, what it follows and what leaves it cold, and how tasks share what may be asked."""

import heapq
import random
from collections.abc import Sequence
from statistics import fmean

import pytest

from bot.domain.polling import FairShare, Schedules
from bot.domain.settings import Model, Resolution, TaskClass
from tests.bench.policies import Outcome, Reference, Truth, ask, lognormal, planned, published

PRO = TaskClass(Model.PRO, Resolution.ONE_K, has_references=False)
FLEX = TaskClass(Model.FLEX, Resolution.ONE_K, has_references=False)
HOST = Truth("host", published(15.8, 27.2))


def run(schedules: Schedules, durations: Sequence[float]) -> Outcome:
    """Ask after one task at a time, learning from each."""
    found: list[tuple[float, int]] = []
    for seconds in durations:
        moments = planned(schedules.of(PRO))()
        calls = 1
        while (moment := next(moments)) < seconds:
            calls += 1
        found.append((moment - seconds, calls))
        schedules.learn(PRO, seconds)
    return Outcome.of(found)


def test_drifting_durations_are_followed() -> None:
    dice = random.Random(6)
    stages = [Truth("drift", lognormal(12 * 1.2**i, 0.3)) for i in range(6)]
    durations = [seconds for truth in stages for seconds in truth.sample(dice, 20)]
    schedules = Schedules(recent=((PRO, seconds) for seconds in stages[0].sample(dice, 60)))
    outcome = run(schedules, durations)
    even = Reference((), tuple(durations)).fixed(outcome.calls)
    assert outcome.mean < 0.8 * even


def test_quick_tasks_are_still_asked_after_when_an_outage_is_over() -> None:
    dice = random.Random(7)
    truth = Truth("host", published(16.6, 21.7))
    schedules = Schedules(recent=((PRO, seconds) for seconds in truth.sample(dice, 200)))
    schedules.of(PRO)
    for seconds in (dice.uniform(30, 330) for _ in range(70)):
        schedules.learn(PRO, seconds)
        schedules.of(PRO)
    outcome = run(schedules, truth.sample(dice, 40))
    assert outcome.mean < 4
    assert run(schedules, truth.sample(dice, 60)).mean < 1.5


def test_one_task_that_took_forever_changes_little() -> None:
    ratios: list[tuple[float, float]] = []
    for seed in range(6):
        dice = random.Random(seed)
        schedules = Schedules(recent=((PRO, seconds) for seconds in HOST.sample(dice, 100)))
        before = schedules.of(PRO)
        for seconds in [900.0, *HOST.sample(dice, 5)]:
            schedules.learn(PRO, seconds)
        after = schedules.of(PRO)
        assert after is not before
        usual, now = (ask(planned(schedule), HOST.durations(1000)) for schedule in (before, after))
        ratios.append((now.mean / usual.mean, now.calls / usual.calls))
    assert fmean(mean for mean, _ in ratios) < 1.1
    assert fmean(calls for _, calls in ratios) < 1.1


def test_tasks_that_have_become_quick_are_asked_after_as_often_as_usual_at_once() -> None:
    dice = random.Random(3)
    slow = [5 * seconds for seconds in HOST.sample(dice, 150)]
    schedules = Schedules(recent=((PRO, seconds) for seconds in slow))
    run(schedules, HOST.sample(dice, 25))
    outcome = run(schedules, HOST.sample(dice, 40))
    assert 9 < outcome.calls < 16
    assert outcome.mean < 1


def test_what_one_class_takes_says_nothing_of_another() -> None:
    schedules = Schedules()
    before = schedules.of(FLEX)
    for _ in range(30):
        schedules.learn(PRO, 300.0)
    assert schedules.of(FLEX) is before
    assert schedules.of(PRO).next_after(0) > 2 * before.next_after(0)


def test_a_schedule_is_planned_anew_when_a_twentieth_is_new() -> None:
    schedules = Schedules(recent=((PRO, seconds) for seconds in HOST.sample(random.Random(8), 100)))
    before = schedules.of(PRO)
    for _ in range(5):
        schedules.learn(PRO, 15.0)
        assert schedules.of(PRO) is before
    schedules.learn(PRO, 15.0)
    assert schedules.of(PRO) is not before


# Sharing what may be asked


def test_alone_nobody_waits() -> None:
    share = FairShare(20)
    share.wish("one", 0.2)
    share.asked(0.0)
    assert share.stretch() == 1
    assert share.wait(0.0) == 0


def test_all_gaps_are_stretched_alike_when_more_is_wished_than_allowed() -> None:
    share = FairShare(10)
    for task in range(20):
        share.wish(task, 0.5)
    assert share.stretch() == pytest.approx(4)
    share.wish(0, 5.0)
    assert share.stretch() == pytest.approx(3.82)
    for task in range(20):
        share.forget(task)
    share.forget("unknown")
    assert share.stretch() == 1


@pytest.mark.parametrize(("tasks", "per_second"), [(10, 20), (200, 20), (60, 3)])
def test_no_second_sees_more_questions_than_allowed_and_no_task_starves(tasks: int, per_second: int) -> None:
    schedule, share, dice = (
        Schedules(recent=((PRO, seconds) for seconds in HOST.sample(random.Random(1), 200))).of(PRO),
        FairShare(per_second),
        random.Random(9),
    )
    starts = [dice.uniform(0, 2) for _ in range(tasks)]
    agenda = [(start + schedule.next_after(0), task) for task, start in enumerate(starts)]
    heapq.heapify(agenda)
    asked: list[float] = []
    by_task: dict[int, list[float]] = {task: [] for task in range(tasks)}
    now = 0.0
    while now < 40:
        due, task = heapq.heappop(agenda)
        now = max(now, due)
        now += share.wait(now)
        share.asked(now)
        asked.append(now)
        by_task[task].append(now)
        age = now - starts[task]
        share.wish(task, schedule.next_after(age) - age)
        heapq.heappush(agenda, (starts[task] + schedule.next_after(age, share.stretch()), task))
    assert all(later - first >= 1 - 1e-9 for first, later in zip(asked, asked[per_second:], strict=False))
    counts = [len(times) for times in by_task.values()]
    assert min(counts) >= 0.5 * fmean(counts)
    assert max(counts) <= 2 * fmean(counts)
