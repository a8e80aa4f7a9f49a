"""The fair queue: order among members, and the place that is shown to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.ids import GenerationId, TaskId, UserId
from bot.domain.queue import FairQueue, QueuedTask
from tests.factories import NOW

ALICE, BOB, CAROL = UserId(1), UserId(2), UserId(3)


def queued_task(user: UserId, generation: int, task: int, since: datetime = NOW) -> QueuedTask:
    return QueuedTask(user, GenerationId(generation), TaskId(task), since)


@dataclass(frozen=True)
class Arrivals:
    """Waiting tasks in their order of arrival, and a member for each task that runs already."""

    waiting: tuple[QueuedTask, ...]
    running: tuple[UserId, ...]

    def queue(self) -> FairQueue:
        queue = FairQueue()
        for user in self.running:
            queue.resume(user)
        for waiting in self.waiting:
            queue.add(waiting)
        return queue


@st.composite
def arrivals(draw: st.DrawFn) -> Arrivals:
    users = st.integers(1, 4).map(UserId)
    tasks = draw(st.lists(st.integers(1, 10_000), unique=True, max_size=24))
    waiting: list[QueuedTask] = []
    for task in tasks:
        user = draw(users)
        # Every member has up to four generations, whose tasks may arrive between those of others.
        waiting.append(queued_task(user, user * 10 + draw(st.integers(0, 3)), task))
    return Arrivals(tuple(waiting), tuple(draw(st.lists(users, max_size=8))))


def queue_of(*users: UserId) -> FairQueue:
    """One task of each of these members, who may repeat; task and generation ids count from 1."""
    queue = FairQueue()
    for task, user in enumerate(users, start=1):
        queue.add(queued_task(user, task, task))
    return queue


def pop_all(queue: FairQueue) -> list[tuple[UserId, TaskId]]:
    popped: list[tuple[UserId, TaskId]] = []
    while (task := queue.pop()) is not None:
        popped.append((task.user, task.task))
    return popped


def members(popped: Sequence[tuple[UserId, TaskId]]) -> list[UserId]:
    return [user for user, _ in popped]


def test_an_empty_queue() -> None:
    queue = FairQueue()
    assert queue.pop() is None
    assert len(queue) == 0
    assert queue.position(ALICE, GenerationId(1)) is None


def test_members_take_turns() -> None:
    queue = queue_of(ALICE, ALICE, ALICE, BOB, BOB, CAROL)
    places = [queue.position(user, GenerationId(n)) for n, user in enumerate([ALICE] * 3 + [BOB] * 2 + [CAROL], 1)]
    assert places == [1, 4, 6, 2, 5, 3]
    assert members(pop_all(queue)) == [ALICE, BOB, CAROL, ALICE, BOB, ALICE]


def test_with_one_running_task_at_a_time_members_take_turns_too() -> None:
    queue = queue_of(*[ALICE] * 40, BOB)
    order: list[UserId] = []
    for _ in range(4):
        popped = queue.pop()
        assert popped is not None
        order.append(popped.user)
        queue.finish(popped.user)
    assert order == [ALICE, BOB, ALICE, ALICE]


@given(arrivals(), st.integers(1, 40))
def test_a_newcomer_waits_for_at_most_one_task_of_each_member(line: Arrivals, count: int) -> None:
    """Every other member with nothing running gets one task in before; nobody gets two."""
    queue = line.queue()
    newcomer = UserId(99)
    for number in range(count):
        queue.add(queued_task(newcomer, 99, 100_000 + number))
    before = members(pop_all(queue)).index(newcomer)
    assert before == len({waiting.user for waiting in line.waiting} - set(line.running))


@settings(max_examples=300)
@given(arrivals())
def test_the_shown_place_is_the_place_in_which_tasks_are_popped(line: Arrivals) -> None:
    shown = {waiting.generation: line.queue().position(waiting.user, waiting.generation) for waiting in line.waiting}
    generation_of = {waiting.task: waiting.generation for waiting in line.waiting}
    popped: dict[GenerationId, int] = {}
    for place, (_, task) in enumerate(pop_all(line.queue()), start=1):
        popped.setdefault(generation_of[task], place)
    assert shown == popped


@given(arrivals())
def test_places_stay_right_while_tasks_are_popped(line: Arrivals) -> None:
    queue = line.queue()
    for _ in line.waiting:
        first = {task.generation for task in line.waiting if queue.position(task.user, task.generation) == 1}
        popped = queue.pop()
        assert popped is not None
        assert first == {popped.generation}


@given(arrivals())
def test_every_task_is_popped_once_oldest_first_to_whoever_has_fewest_running(line: Arrivals) -> None:
    queue = line.queue()
    assert len(queue) == len(line.waiting)
    running = {user: line.running.count(user) for user in map(UserId, range(1, 5))}
    tasks = {user: sorted(waiting.task for waiting in line.waiting if waiting.user == user) for user in running}
    for user, task in pop_all(queue):
        assert task == tasks[user][0]
        assert running[user] == min(running[member] for member in running if tasks[member])
        tasks[user].pop(0)
        running[user] += 1
    assert not any(tasks.values())
    assert (len(queue), queue.running) == (0, len(line.waiting) + len(line.running))


@pytest.mark.parametrize("index", range(4))
def test_a_task_that_is_added_again_keeps_its_age(index: int) -> None:
    queue = queue_of(ALICE, ALICE, ALICE, ALICE)
    task = TaskId(index + 1)
    queue.discard(ALICE, task)
    queue.add(queued_task(ALICE, index + 1, task))
    assert [task for _, task in pop_all(queue)] == [1, 2, 3, 4]


def test_a_requeued_task_does_not_cost_its_member_the_turn() -> None:
    queue = queue_of(ALICE, BOB, ALICE)
    assert queue.pop() == queued_task(ALICE, 1, 1)
    queue.requeue(queued_task(ALICE, 1, 1))
    queue.finish(ALICE)
    assert pop_all(queue) == [(ALICE, TaskId(1)), (BOB, TaskId(2)), (ALICE, TaskId(3))]


def test_a_discarded_task_is_not_popped() -> None:
    queue = queue_of(ALICE, BOB, ALICE)
    assert queue.discard(ALICE, TaskId(1))
    assert queue.position(ALICE, GenerationId(1)) is None
    assert [task for _, task in pop_all(queue)] == [2, 3]


@pytest.mark.parametrize(("user", "task"), [(BOB, 2), (ALICE, 3), (CAROL, 2), (ALICE, 1)])
def test_only_a_waiting_task_can_be_discarded(user: UserId, task: int) -> None:
    queue = queue_of(ALICE, ALICE)
    queue.pop()
    assert not queue.discard(user, TaskId(task))
    assert (len(queue), queue.running) == (1, 1)


def test_a_finished_task_no_longer_counts_and_finishing_too_often_is_no_advantage() -> None:
    queue = queue_of(ALICE, ALICE, BOB, BOB)
    queue.pop()
    queue.pop()
    queue.finish(ALICE)
    assert queue.running == 1
    assert members(pop_all(queue)) == [ALICE, BOB]

    queue = FairQueue()
    queue.finish(BOB)
    assert queue.running == 0
    for task, user in enumerate([ALICE, BOB, BOB], start=1):
        queue.add(queued_task(user, task, task))
    assert members(pop_all(queue)) == [ALICE, BOB, BOB]
