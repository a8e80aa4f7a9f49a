"""Durations are told in the order of submission, as soon as nothing that was submitted before is missing."""

import random
from math import log

import pytest

from bot.domain.changes import unchanged
from bot.domain.cohorts import Cohorts
from bot.domain.polling import FairShare, Schedules
from bot.domain.turns import Turns
from tests.bench.policies import FLEX

LONG_AGO = float("-inf")


def test_a_duration_waits_for_what_was_submitted_before() -> None:
    cohorts = Cohorts[str]()
    cohorts.opened("slow", 1.0)
    cohorts.opened("quick", 2.0)
    cohorts.closed("quick")
    cohorts.ended(2.0, 5.0)
    assert cohorts.told(LONG_AGO) == []
    cohorts.opened("later", 3.0)
    cohorts.closed("slow")
    cohorts.ended(1.0, 9.0)
    assert cohorts.told(LONG_AGO) == [(1.0, 9.0), (2.0, 5.0)]
    assert cohorts.told(LONG_AGO) == []


def test_nobody_waits_for_who_is_late() -> None:
    cohorts = Cohorts[str]()
    cohorts.opened("stuck", 1.0)
    cohorts.opened("other", 5.0)
    cohorts.closed("other")
    cohorts.ended(5.0, 4.0)
    assert cohorts.told(0.9) == []
    assert cohorts.told(1.0) == [(5.0, 4.0)]
    cohorts.opened("stuck", 1.0)
    cohorts.ended(6.0, 4.0)
    assert cohorts.told(LONG_AGO) == [(6.0, 4.0)]


def test_one_that_failed_holds_up_nothing() -> None:
    cohorts = Cohorts[str]()
    cohorts.opened("failed", 1.0)
    cohorts.ended(2.0, 4.0)
    cohorts.closed("failed")
    assert cohorts.told(LONG_AGO) == [(2.0, 4.0)]


@pytest.mark.parametrize("seed", range(3))
def test_a_burst_looks_like_no_change(seed: int) -> None:
    """In the order of their ends tasks that were submitted together seem to become slower and slower."""
    dice = random.Random(seed)
    durations = [dice.lognormvariate(2.76, 0.33) for _ in range(100)]
    ends = sorted(range(100), key=lambda task: task * 0.01 + durations[task])
    schedules = Schedules()
    turns = Turns[int](schedules, FairShare(100))
    for task in range(100):
        turns.gap(task, FLEX, task * 0.01, task * 0.01)
    told: list[tuple[float, float]] = []
    for task in ends:
        submitted, seconds = task * 0.01, durations[task]
        now = submitted + seconds
        turns.ended(task, FLEX, now, now)
        told += turns.learnable(FLEX, submitted, seconds, now)
    for submitted, seconds in told:
        schedules.learn(FLEX, seconds, submitted)
    assert [seconds for _, seconds in sorted(told)] == durations
    assert unchanged([log(seconds) for seconds in durations]) == 100
    assert unchanged([log(durations[task]) for task in ends]) < 100
    usual = Schedules(recent=[(FLEX, seconds) for seconds in durations]).of(FLEX)
    assert schedules.of(FLEX).then[0] == pytest.approx(usual.then[0], rel=0.1)


def test_what_an_earlier_process_submitted_tells_at_once_and_holds_up_nobody() -> None:
    """The quick ones of its time have ended before: by submission only slow ones would be left."""
    turns = Turns[int](Schedules(), FairShare(100), began=100.0)
    for task, submitted in enumerate((90.0, 95.0, 101.0)):
        turns.gap(task, FLEX, submitted, 102.0)
    turns.ended(1, FLEX, 105.0, 105.0)
    assert turns.learnable(FLEX, 95.0, 10.0, 105.0) == [(LONG_AGO, 10.0)]
    turns.ended(2, FLEX, 106.0, 106.0)
    assert turns.learnable(FLEX, 101.0, 5.0, 106.0) == [(101.0, 5.0)]
