"""Many members, KIE's limits, and who is next."""

import heapq
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.estimate import Capacity
from bot.domain.states import TaskState
from bot.generation.workload import RateWindow
from demo.kie import Code, KieStandIn, Succeed
from tests.generation.easel import ALICE, BOB, House, tuned
from tests.kie.schema import check_all, created
from tests.waiting import until

LIMIT, SECONDS = 20, 10.0


@given(
    calls=st.lists(
        st.tuples(
            st.floats(0, 15).map(lambda number: round(number, 3)),
            st.floats(0, 1),
            st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0]),
        ),
        min_size=21,
        max_size=90,
    )
)
def test_the_other_side_never_counts_more_than_the_limit(calls: list[tuple[float, float, float]]) -> None:
    """Each call: how long it takes, at which share of that the other side sees it, and a pause before it."""
    window = RateWindow(LIMIT, SECONDS)
    now = 1000.0
    ends: list[float] = []
    seen: list[float] = []
    for seconds, share, pause in calls:
        now += pause
        while True:
            while ends and ends[0] <= now:
                window.end(heapq.heappop(ends))
            wait = window.wait(now)
            if wait == 0:
                break
            # None: only the end of a call under way can tell; a wait may be overtaken by such an end as well.
            now = min([now + wait] if wait is not None else [], default=ends[0] if ends else now)
        window.start()
        seen.append(now + share * seconds)
        heapq.heappush(ends, now + seconds)
    seen.sort()
    for first, too_many in zip(seen, seen[LIMIT:], strict=False):
        assert too_many - first >= SECONDS - 1e-6


def test_calls_without_latency_go_as_fast_as_allowed() -> None:
    window = RateWindow(2, 10.0)
    for _ in range(2):
        assert window.wait(0.0) == 0
        window.start()
        window.end(0.0)
    assert window.wait(4.0) == 6
    assert window.wait(10.0) == 0


def test_only_an_end_can_tell_while_all_are_under_way() -> None:
    window = RateWindow(1, 10.0)
    window.start()
    assert window.wait(500.0) is None
    window.end(501.0)
    assert window.wait(501.0) == 10


def test_calls_of_an_earlier_process_count() -> None:
    window = RateWindow(2, 10.0)
    window.remember(-4.0)
    window.remember(-2.0)
    assert window.wait(0.0) == 6
    assert window.wait(6.0) == 0


async def test_forty_wishes_do_not_hold_up_another_members_one(house: House, kie: KieStandIn) -> None:
    async with house.easel(tuned(capacity=Capacity(new_tasks=1000, window=10, at_work=2))) as easel:
        for number in range(10):
            await easel.ask(f"alice {number}", by=ALICE, count=4)
        await until(lambda: len(created(kie)) >= 4, what="some of them to be submitted")
        wish = await easel.ask("bob", by=BOB)
        before = len(created(kie))
        await easel.told(wish)
        place = easel.prompts().index("bob")
        assert place - before <= 2, "at most what was popped already goes first"
        assert len(created(kie)) < 40


async def test_members_take_turns(house: House, kie: KieStandIn) -> None:
    async with house.easel(working=False) as easel:
        for _ in range(2):
            await easel.ask("alice", by=ALICE, count=4)
        await easel.ask("bob", by=BOB, count=3)
    async with house.easel(tuned(capacity=Capacity(new_tasks=1000, window=10, at_work=1))) as easel:
        await until(lambda: len(created(kie)) == 11, what="all to be submitted")
        # Even with one at work at a time nobody waits behind all of another member's wishes.
        assert easel.prompts() == ["alice", "bob"] * 3 + ["alice"] * 5
    async with house.easel(working=False) as easel:
        await easel.ask("carol", by=ALICE, count=4)
        await easel.ask("dave", by=BOB, count=2)
    kie.script.next_tasks(*[Succeed(duration=0.3)] * 6)
    async with house.easel(tuned(capacity=Capacity(new_tasks=1000, window=10, at_work=4))) as easel:
        await until(lambda: len(created(kie)) == 17, what="the others to be submitted")
        assert sorted(easel.prompts()[11:15]) == ["carol", "carol", "dave", "dave"]


async def test_no_more_than_allowed_are_at_kie_at_once(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(*[Succeed(duration=0.05 * (1 + number % 3)) for number in range(24)])
    async with house.easel(tuned(capacity=Capacity(new_tasks=1000, window=10, at_work=3))) as easel:
        wishes = [await easel.ask(f"wish {number}", count=4) for number in range(6)]
        for wish in wishes:
            await easel.told(wish, within=20)
        spans = [(task.created, task.created + task.duration) for task in kie.tasks.values()]
        assert len(spans) == 24
        most = max(sum(start <= at < end for start, end in spans) for at, _ in spans)
        assert most == 3
        assert len(created(kie)) == 24


async def test_no_more_than_allowed_are_created_per_window(tmp_path_factory: pytest.TempPathFactory) -> None:
    # The stand-in refuses with 429 what comes too fast: there must be none.
    async with KieStandIn(create_limit=5, create_window=0.6, draw=False) as kie:
        house = House(tmp_path_factory.mktemp("house"), kie)
        async with house.easel(tuned(capacity=Capacity(new_tasks=5, window=0.6))) as easel:
            wishes = [await easel.ask(f"wish {number}", count=4) for number in range(4)]
            for wish in wishes:
                await easel.told(wish)
            assert len(created(kie)) == 16 == len(kie.tasks)
            times = [call.at for call in created(kie)]
            assert times[-1] - times[0] < 4, "the window must not be much longer than it has to be"
        check_all(kie)


async def test_a_refused_task_keeps_its_place(house: House, kie: KieStandIn) -> None:
    kie.script.on("createTask", Code(429, "rate"))
    async with house.easel(working=False) as easel:
        first = await easel.ask("first")
        second = await easel.ask("second")
    async with house.easel(tuned(capacity=Capacity(new_tasks=1000, window=10, at_work=1))) as easel:
        await easel.told(first)
        await easel.told(second)
        assert easel.prompts() == ["first", "first", "second"]
        assert await easel.states(second) == [TaskState.DELIVERED]
        assert await easel.spent() == Decimal(10)
