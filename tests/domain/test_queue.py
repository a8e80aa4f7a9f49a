"""Fair order among members."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.ids import GenerationId, TaskId, UserId
from bot.domain.queue import FairQueue

ALICE, BOB, CAROL = UserId(1), UserId(2), UserId(3)


@dataclass(frozen=True)
class Wish:
    """A waiting task, as the tests write it down."""

    user: UserId
    generation: GenerationId
    task: TaskId


@dataclass(frozen=True)
class Line:
    """A line in some order of arrival, and who has how many tasks at work already."""

    wishes: tuple[Wish, ...]
    at_work: tuple[UserId, ...]

    def queue(self) -> FairQueue:
        queue = FairQueue()
        for user in self.at_work:
            queue.resume(user)
        for wish in self.wishes:
            queue.add(wish.user, wish.generation, wish.task)
        return queue


@st.composite
def lines(draw: st.DrawFn) -> Line:
    users = st.integers(1, 4).map(UserId)
    tasks = draw(st.lists(st.integers(1, 10_000), unique=True, max_size=24))
    wishes: list[Wish] = []
    for task in tasks:
        user = draw(users)
        # Every member has up to four generations, whose tasks may stand between those of others.
        wishes.append(Wish(user, GenerationId(user * 10 + draw(st.integers(0, 3))), TaskId(task)))
    return Line(tuple(wishes), tuple(draw(st.lists(users, max_size=8))))


def line_of(*users: UserId) -> FairQueue:
    """A line in which the members wish one task after the other; task ids count from 1."""
    queue = FairQueue()
    for task, user in enumerate(users, start=1):
        queue.add(user, GenerationId(task), TaskId(task))
    return queue


def served(queue: FairQueue) -> list[tuple[UserId, TaskId]]:
    order: list[tuple[UserId, TaskId]] = []
    while (found := queue.pop()) is not None:
        order.append(found)
    return order


def members(order: Sequence[tuple[UserId, TaskId]]) -> list[UserId]:
    return [user for user, _ in order]


def test_an_empty_line_serves_nobody() -> None:
    queue = FairQueue()
    assert queue.pop() is None
    assert len(queue) == 0
    assert queue.position(ALICE, GenerationId(1)) is None


def test_members_take_turns() -> None:
    queue = line_of(ALICE, ALICE, ALICE, BOB, BOB, CAROL)
    assert members(served(queue)) == [ALICE, BOB, CAROL, ALICE, BOB, ALICE]


def test_forty_wishes_of_one_member_delay_another_by_one_task() -> None:
    queue = line_of(*[ALICE] * 40, BOB)
    assert queue.position(BOB, GenerationId(41)) == 2
    assert members(served(queue))[:3] == [ALICE, BOB, ALICE]


def test_who_has_nothing_at_work_goes_before_who_has() -> None:
    queue = line_of(ALICE, ALICE, ALICE)
    assert members([found for _ in range(2) if (found := queue.pop())]) == [ALICE, ALICE]
    queue.add(BOB, GenerationId(99), TaskId(99))
    assert queue.position(BOB, GenerationId(99)) == 1
    assert queue.pop() == (BOB, TaskId(99))


@given(lines(), st.integers(1, 40))
def test_a_newcomer_waits_for_at_most_one_task_of_each_member(line: Line, many: int) -> None:
    """Every other member with nothing at work gets one task in before; nobody gets two."""
    queue = line.queue()
    newcomer = UserId(99)
    for number in range(many):
        queue.add(newcomer, GenerationId(99), TaskId(100_000 + number))
    before = members(served(queue)).index(newcomer)
    at_rest = {wish.user for wish in line.wishes} - set(line.at_work)
    assert before == len(at_rest)


@settings(max_examples=300)
@given(lines())
def test_the_place_told_is_the_place_served(line: Line) -> None:
    told = {wish.generation: line.queue().position(wish.user, wish.generation) for wish in line.wishes}
    generation_of = {wish.task: wish.generation for wish in line.wishes}
    first_turn: dict[GenerationId, int] = {}
    for place, (_, task) in enumerate(served(line.queue()), start=1):
        first_turn.setdefault(generation_of[task], place)
    assert told == first_turn


@given(lines())
def test_places_stay_true_while_the_line_moves(line: Line) -> None:
    queue = line.queue()
    generation_of = {wish.task: wish.generation for wish in line.wishes}
    for _ in line.wishes:
        first = [wish for wish in line.wishes if queue.position(wish.user, wish.generation) == 1]
        found = queue.pop()
        assert found is not None
        assert {wish.generation for wish in first} == {generation_of[found[1]]}


@given(lines())
def test_everyone_is_served_once_and_each_member_in_the_order_of_age(line: Line) -> None:
    queue = line.queue()
    assert len(queue) == len(line.wishes)
    order = served(queue)
    assert sorted(task for _, task in order) == sorted(wish.task for wish in line.wishes)
    for user in set(members(order)):
        own = [task for owner, task in order if owner == user]
        assert own == sorted(own)
    assert len(queue) == 0
    assert queue.at_work == len(line.wishes) + len(line.at_work)


@given(lines())
def test_members_with_work_to_do_stay_level(line: Line) -> None:
    """Whoever is served has, at that moment, no more tasks at work than anyone who waits."""
    queue = line.queue()
    at_work = {user: line.at_work.count(user) for user in map(UserId, range(1, 5))}
    waiting = {user: sum(wish.user == user for wish in line.wishes) for user in at_work}
    for user, _ in served(queue):
        assert at_work[user] == min(at_work[one] for one in at_work if waiting[one])
        at_work[user] += 1
        waiting[user] -= 1


@pytest.mark.parametrize("index", range(4))
def test_a_task_that_comes_back_keeps_its_age(index: int) -> None:
    queue = line_of(ALICE, ALICE, ALICE, ALICE)
    returning = TaskId(index + 1)
    queue.discard(ALICE, returning)
    queue.add(ALICE, GenerationId(index + 1), returning)
    assert [task for _, task in served(queue)] == [1, 2, 3, 4]


def test_a_refused_task_does_not_cost_its_member_the_turn() -> None:
    queue = line_of(ALICE, BOB, ALICE)
    assert queue.pop() == (ALICE, TaskId(1))
    queue.take_back(ALICE, GenerationId(1), TaskId(1))
    queue.finish(ALICE)
    assert served(queue) == [(ALICE, TaskId(1)), (BOB, TaskId(2)), (ALICE, TaskId(3))]


def test_what_is_discarded_is_not_served() -> None:
    queue = line_of(ALICE, BOB, ALICE)
    assert queue.discard(ALICE, TaskId(1))
    assert queue.position(ALICE, GenerationId(1)) is None
    assert [task for _, task in served(queue)] == [2, 3]


@pytest.mark.parametrize(("user", "task"), [(BOB, 1), (ALICE, 2), (CAROL, 1)])
def test_only_what_waits_can_be_discarded(user: UserId, task: int) -> None:
    queue = line_of(ALICE)
    assert not queue.discard(user, TaskId(task))
    assert len(queue) == 1


def test_what_is_at_work_cannot_be_discarded() -> None:
    queue = line_of(ALICE)
    queue.pop()
    assert not queue.discard(ALICE, TaskId(1))
    assert queue.at_work == 1


def test_work_of_an_earlier_process_counts_against_its_member() -> None:
    queue = FairQueue()
    queue.resume(ALICE)
    queue.add(ALICE, GenerationId(1), TaskId(1))
    queue.add(BOB, GenerationId(2), TaskId(2))
    assert queue.at_work == 1
    assert members(served(queue)) == [BOB, ALICE]


def test_finished_work_no_longer_counts() -> None:
    queue = line_of(ALICE, ALICE, BOB, BOB)
    queue.pop()
    queue.pop()
    queue.finish(ALICE)
    assert queue.at_work == 1
    assert members(served(queue)) == [ALICE, BOB]


def test_one_after_another_members_take_turns_too() -> None:
    queue = line_of(*[ALICE] * 40, BOB)
    order: list[UserId] = []
    for _ in range(4):
        popped = queue.pop()
        assert popped is not None
        order.append(popped[0])
        queue.finish(popped[0])
    assert order == [ALICE, BOB, ALICE, ALICE]


def test_one_finish_too_many_gives_no_advantage() -> None:
    queue = FairQueue()
    queue.finish(BOB)
    assert queue.at_work == 0
    for task, user in enumerate([ALICE, BOB, BOB], start=1):
        queue.add(user, GenerationId(task), TaskId(task))
    assert members(served(queue)) == [ALICE, BOB, BOB]


def test_a_second_generation_of_one_member_waits_behind_the_first() -> None:
    queue = line_of(ALICE, ALICE, BOB, BOB)
    places = [queue.position(user, GenerationId(n)) for n, user in enumerate([ALICE, ALICE, BOB, BOB], start=1)]
    assert places == [1, 3, 2, 4]
    assert all(earlier != later for earlier, later in pairwise(places))
