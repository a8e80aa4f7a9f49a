"""The transitions of a task, and what follows from them."""

from collections.abc import Iterable
from itertools import product

import pytest

from bot.domain.states import MOVES, OPEN, REFUNDED, TaskState

FINAL = {TaskState.DELIVERED, TaskState.FAILED, TaskState.CANCELLED}
CHARGED = set(TaskState) - REFUNDED


def reachable(start: TaskState, without: Iterable[TaskState] = ()) -> set[TaskState]:
    reached, new = {start}, [start]
    while new:
        new = [target for state in new for target in MOVES[state] if target not in {*reached, *without}]
        reached.update(new)
    return reached


def sources(target: TaskState) -> set[TaskState]:
    return {state for state in TaskState if target in MOVES[state]}


def test_every_state_is_reachable_and_leads_to_a_final_one() -> None:
    assert set(MOVES) == set(TaskState) == reachable(TaskState.RESERVED)
    assert {state for state in TaskState if not MOVES[state]} == FINAL
    assert all(reachable(state) & FINAL for state in TaskState)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (TaskState.READY, {TaskState.RUNNING, TaskState.OVERDUE}),
        (TaskState.DELIVERED, {TaskState.READY}),
        (TaskState.CANCELLED, {TaskState.RESERVED}),
    ],
)
def test_where_a_state_comes_from(target: TaskState, expected: set[TaskState]) -> None:
    assert sources(target) == expected


def test_a_refunded_task_is_charged_again_only_as_a_free_late_image() -> None:
    back = {(state, target) for state, target in product(REFUNDED, CHARGED) if target in MOVES[state]}
    assert back == {(TaskState.OVERDUE, TaskState.READY)}


def test_a_task_that_kie_took_is_never_sent_again() -> None:
    assert not reachable(TaskState.RUNNING) & {TaskState.RESERVED, TaskState.SUBMITTING}


def test_kie_is_never_asked_before_the_store_says_so() -> None:
    assert TaskState.RUNNING not in reachable(TaskState.RESERVED, without={TaskState.SUBMITTING})


def test_open_refunded_and_delivered_are_all_states() -> None:
    assert set(TaskState) == OPEN | REFUNDED | {TaskState.DELIVERED}
    assert not OPEN & REFUNDED
