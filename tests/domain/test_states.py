"""The table of moves, and what may be said of it."""

from collections.abc import Iterable
from itertools import product

import pytest

from bot.domain.states import MOVES, OPEN, REFUNDED, TaskState

ENDS = {TaskState.DELIVERED, TaskState.FAILED, TaskState.CANCELLED}
CHARGED = set(TaskState) - REFUNDED


def reachable(start: TaskState, without: Iterable[TaskState] = ()) -> set[TaskState]:
    found, fresh = {start}, [start]
    while fresh:
        fresh = [to for state in fresh for to in MOVES[state] if to not in found and to not in without]
        found.update(fresh)
    return found


def test_every_state_has_a_row() -> None:
    assert set(MOVES) == set(TaskState)


@pytest.mark.parametrize("state", sorted(ENDS))
def test_there_is_no_way_out_of_an_end(state: TaskState) -> None:
    assert MOVES[state] == frozenset()


@pytest.mark.parametrize("state", sorted(set(TaskState) - ENDS))
def test_every_other_state_leads_to_an_end(state: TaskState) -> None:
    assert reachable(state) & ENDS


def test_every_state_can_be_reached() -> None:
    assert reachable(TaskState.RESERVED) == set(TaskState)


def test_what_was_refunded_is_charged_again_only_as_a_free_late_image() -> None:
    back = {(state, to) for state, to in product(REFUNDED, CHARGED) if to in MOVES[state]}
    assert back == {(TaskState.OVERDUE, TaskState.READY)}


def test_only_kie_can_make_a_task_ready() -> None:
    assert {state for state in TaskState if TaskState.READY in MOVES[state]} == {TaskState.RUNNING, TaskState.OVERDUE}


def test_nothing_is_delivered_that_was_not_ready() -> None:
    assert {state for state in TaskState if TaskState.DELIVERED in MOVES[state]} == {TaskState.READY}


def test_a_task_that_kie_took_never_waits_to_be_sent_again() -> None:
    assert TaskState.RESERVED not in reachable(TaskState.RUNNING)
    assert TaskState.SUBMITTING not in reachable(TaskState.RUNNING)


def test_kie_is_never_asked_without_a_word_in_the_store_before() -> None:
    assert TaskState.RUNNING not in reachable(TaskState.RESERVED, without={TaskState.SUBMITTING})


def test_only_what_kie_was_not_asked_for_can_be_cancelled() -> None:
    assert {state for state in TaskState if TaskState.CANCELLED in MOVES[state]} == {TaskState.RESERVED}


def test_nobody_waits_for_what_was_refunded_or_delivered() -> None:
    assert set(TaskState) == OPEN | REFUNDED | {TaskState.DELIVERED}
    assert not OPEN & REFUNDED
