"""Many members, KIE's limits, and whose task is next."""

from dataclasses import replace
from pathlib import Path

from bot.domain.kie_limits import KIE_LIMITS
from bot.domain.states import TaskState
from demo.kie import Code, KieStandIn, Succeed
from tests.generation.backend import BOB, Installation
from tests.generation.tuning import running_at_most, tuned
from tests.kie.schema import check_all, created
from tests.waiting import until


async def test_members_take_turns(installation: Installation, kie: KieStandIn) -> None:
    async with installation.start(working=False) as backend:
        for _ in range(2):
            await backend.request("alice", count=4)
        await backend.request("bob", by=BOB, count=3)
    async with installation.start(running_at_most(1)) as backend:
        await until(lambda: len(created(kie)) == 11, what="all to be submitted")
        assert backend.prompts() == ["alice", "bob"] * 3 + ["alice"] * 5
    async with installation.start(working=False) as backend:
        await backend.request("alice again", count=4)
        await backend.request("bob again", by=BOB, count=2)
    kie.script.next_tasks(*[Succeed(duration=0.3)] * 6)
    async with installation.start(running_at_most(4)) as backend:
        await until(lambda: len(created(kie)) == 17, what="the others to be submitted")
        assert sorted(backend.prompts()[11:15]) == ["alice again"] * 2 + ["bob again"] * 2


async def test_the_limit_of_running_tasks(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(*[Succeed(duration=0.05 * (1 + number % 3)) for number in range(24)])
    async with installation.start(running_at_most(3)) as backend:
        generations = [await backend.request(f"number {number}", count=4) for number in range(6)]
        for generation_id in generations:
            await backend.wait_for_post(generation_id, within=30)
        spans = [(task.created, task.created + task.duration) for task in kie.tasks.values()]
        assert len(spans) == 24 == len(created(kie))
        assert max(sum(start <= at < end for start, end in spans) for at, _ in spans) <= 3


async def test_the_limit_of_new_tasks_per_window(tmp_path: Path) -> None:
    # The stand-in answers 429 to what comes too fast, which would make more than 16 calls.
    async with KieStandIn(create_limit=5, create_window=0.6, draw=False) as kie:
        async with Installation(tmp_path, kie).start(
            tuned(kie_limits=replace(KIE_LIMITS, new_tasks=5, window=0.6))
        ) as backend:
            generations = [await backend.request(f"number {number}", count=4) for number in range(4)]
            for generation_id in generations:
                await backend.wait_for_post(generation_id)
            assert len(created(kie)) == 16 == len(kie.tasks)
        check_all(kie)


async def test_a_rejected_task_keeps_its_place(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("createTask", Code(429, "rate"))
    async with installation.start(working=False) as backend:
        generations = [await backend.request("first"), await backend.request("second")]
    async with installation.start(running_at_most(1)) as backend:
        for generation_id in generations:
            await backend.wait_for_post(generation_id)
        assert backend.prompts() == ["first", "first", "second"]
        assert await backend.states(generations[1]) == [TaskState.DELIVERED]
        assert await backend.spent() == 10
