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
def test_what_is_charged(states: Sequence[TaskState], charged: int) -> None:
    flex = make_request(settings=Settings(Model.FLEX, resolution=Resolution.TWO_K))
    generation = make_generation(states=states, request=flex)
    assert generation.charged == Credits(charged)
    assert generation.price == Credits(24 * len(states))


@pytest.mark.parametrize("state", [READY, DELIVERED])
def test_a_late_image_is_free(state: TaskState) -> None:
    generation = make_generation(states=[DELIVERED, state])
    late = replace(generation, tasks=(generation.tasks[0], replace(generation.tasks[1], free=True)))
    assert (late.charged, late.price) == (5, 10)


@pytest.mark.parametrize(
    ("states", "settled", "cancellable"),
    [
        ([RESERVED], False, True),
        ([RUNNING, RESERVED], False, True),
        ([SUBMITTING], False, False),
        ([RUNNING], False, False),
        ([READY], True, False),
        ([DELIVERED], True, False),
        ([OVERDUE], True, False),
        ([FAILED], True, False),
        ([CANCELLED], True, False),
        ([READY, RUNNING], False, False),
        ([READY, FAILED, OVERDUE, CANCELLED], True, False),
    ],
)
def test_when_it_can_be_posted_or_cancelled(states: Sequence[TaskState], *, settled: bool, cancellable: bool) -> None:
    generation = make_generation(states=states)
    assert (generation.settled, generation.cancellable) == (settled, cancellable)


def test_ready_tasks_keep_their_order() -> None:
    generation = make_generation(states=[READY, FAILED, READY, DELIVERED])
    assert [task.position for task in generation.ready] == [0, 2]


@given(st.lists(st.sampled_from(TaskState), min_size=1, max_size=4))
def test_refunds_reduce_the_charge_and_a_cancellable_generation_is_not_settled(states: list[TaskState]) -> None:
    generation = make_generation(states=states)
    refunded = sum(state in REFUNDED for state in states)
    assert generation.charged == generation.price - refunded * generation.unit_price
    assert not (generation.cancellable and generation.settled)
