"""What a generation says of itself, from the states of its tasks."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.credits import Credits
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.states import REFUNDED, TaskState
from tests.factories import make_generation, make_request

RESERVED, SUBMITTING, RUNNING = TaskState.RESERVED, TaskState.SUBMITTING, TaskState.RUNNING
READY, DELIVERED = TaskState.READY, TaskState.DELIVERED
OVERDUE, FAILED, CANCELLED = TaskState.OVERDUE, TaskState.FAILED, TaskState.CANCELLED

states_of_tasks = st.lists(st.sampled_from(TaskState), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("states", "charged"),
    [
        ([RESERVED], 24),
        ([SUBMITTING, RUNNING, READY, DELIVERED], 96),
        ([FAILED], 0),
        ([CANCELLED, OVERDUE], 0),
        ([DELIVERED, FAILED, DELIVERED, CANCELLED], 48),
    ],
)
def test_what_remains_charged(states: Sequence[TaskState], charged: int) -> None:
    flex = make_request(settings=Settings(Model.FLEX, resolution=Resolution.TWO_K))
    generation = make_generation(states=states, request=flex)
    assert generation.charged == Credits(charged)
    assert generation.price == Credits(24 * len(states))


@pytest.mark.parametrize("state", [READY, DELIVERED])
def test_a_late_image_is_free(state: TaskState) -> None:
    generation = make_generation(states=[DELIVERED, state])
    late = replace(generation, tasks=(generation.tasks[0], replace(generation.tasks[1], free=True)))
    assert late.charged == Credits(5)
    assert late.price == Credits(10)


@pytest.mark.parametrize(
    ("states", "settled"),
    [
        ([RESERVED], False),
        ([SUBMITTING], False),
        ([RUNNING], False),
        ([READY], True),
        ([DELIVERED], True),
        ([OVERDUE], True),
        ([FAILED], True),
        ([CANCELLED], True),
        ([READY, RUNNING], False),
        ([READY, FAILED, OVERDUE, CANCELLED], True),
    ],
)
def test_when_the_outcome_can_be_told(states: Sequence[TaskState], *, settled: bool) -> None:
    assert make_generation(states=states).settled is settled


@pytest.mark.parametrize(
    ("states", "cancellable"),
    [([RESERVED], True), ([RUNNING, RESERVED], True), ([SUBMITTING], False), ([RUNNING], False), ([CANCELLED], False)],
)
def test_when_it_can_be_taken_back(states: Sequence[TaskState], *, cancellable: bool) -> None:
    assert make_generation(states=states).cancellable is cancellable


def test_ready_images_keep_their_order() -> None:
    generation = make_generation(states=[READY, FAILED, READY, DELIVERED])
    assert [task.position for task in generation.ready] == [0, 2]


@given(states_of_tasks)
def test_the_price_is_charged_whole_or_in_part(states: list[TaskState]) -> None:
    generation = make_generation(states=states)
    refunded = sum(state in REFUNDED for state in states)
    assert generation.charged == generation.price - refunded * generation.unit_price


@given(states_of_tasks)
def test_a_generation_that_can_be_taken_back_is_not_settled(states: list[TaskState]) -> None:
    generation = make_generation(states=states)
    assert not (generation.cancellable and generation.settled)
