"""A clock that is set while tasks run or between two processes: it refunds, blocks, gives up and deletes nothing."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.domain.generation import Origin
from bot.domain.ids import ChannelId, GenerationId, KieTaskId, MessageId
from bot.domain.image_api_errors import ImageApiError, TaskRefused, TryLater
from bot.domain.kie_account import Resumed
from bot.domain.kie_limits import KieLimits
from bot.domain.ports import ImageApi, TaskInput
from bot.domain.states import Failure, TaskState
from bot.generation.history import History
from bot.quota.funds_breaker import PROBE_AFTER
from demo.kie import Code, KieStandIn, Never
from tests.generation.backend import BOB, REFUNDED, RESERVED, SETTLED, Backend, Installation
from tests.generation.doubles import FlakyApi
from tests.generation.polls import polls_come
from tests.generation.tuning import running_at_most, submitter_tuned, tracker_tuned, tuned
from tests.kie.schema import created
from tests.waiting import until

HOUR, DAY = 3600.0, 86_400.0
JUMPS = [-DAY, *(pytest.param(hour, marks=pytest.mark.long) for hour in (-HOUR, HOUR)), 30 * DAY]
LATER = TryLater(Failure.UNAVAILABLE, "try later")


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_running_task_keeps_its_deadline(installation: Installation, kie: KieStandIn, jump: float) -> None:
    kie.script.next_tasks(Never())
    async with installation.start() as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        installation.clock.set(jump)
        installation.clock.advance(20)
        await polls_come(kie)
        assert await backend.states(generation_id) == [TaskState.RUNNING]
        installation.clock.advance(11)
        await backend.wait_for_states(generation_id, TaskState.OVERDUE)
        assert backend.ledger() == [RESERVED, REFUNDED]
        installation.clock.set(-jump)
        installation.clock.advance(50)
        await polls_come(kie)
        assert await backend.states(generation_id) == [TaskState.OVERDUE]
        installation.clock.advance(11)
        await backend.wait_for_states(generation_id, TaskState.FAILED)


@pytest.mark.parametrize("jump", JUMPS)
async def test_the_next_process_watches_a_task_for_as_long_as_any_clock_allows(
    installation: Installation, kie: KieStandIn, jump: float
) -> None:
    kie.script.next_tasks(Never())
    tuning = tracker_tuned(task_deadline=200)
    async with installation.start(tuning) as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
    installation.clock.set(jump)
    async with installation.start(tuning) as backend:
        installation.clock.advance(55)
        await polls_come(kie)
        assert await backend.states(generation_id) == [TaskState.RUNNING]
        installation.clock.advance(150)
        await backend.wait_for_states(generation_id, TaskState.OVERDUE)


@pytest.mark.parametrize("jump", JUMPS)
async def test_earlier_submissions_hold_up_new_ones_for_one_window_at_most(
    installation: Installation, jump: float
) -> None:
    tuning = tuned(kie_limits=KieLimits(new_tasks=1, window=0.1, running_tasks=100))
    async with installation.start(tuning) as backend:
        await backend.request_and_wait()
    installation.clock.set(jump)
    async with installation.start(tuning) as backend:
        generation = await backend.request_and_wait("another request")
        assert backend.ledger(generation.id) == [RESERVED, SETTLED]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("jump", JUMPS)
async def test_a_pause_ends_when_it_would_and_gives_up_nobody(
    installation: Installation, kie: KieStandIn, jump: float, restart: bool
) -> None:
    kie.script.always("credit", Code(500, "server error"))
    kie.script.on("createTask", Code(402, "no credits"))
    tuning = submitter_tuned(give_up_after=600)
    async with installation.start(tuning) as backend:
        generation_id = await backend.request()
        await until(lambda: len(backend.alerts.sent) == 1, what="the pause")
        installation.clock.set(jump)
        if not restart:
            with pytest.raises(AssertionError, match="second try"):
                await until(lambda: len(created(kie)) == 2, what="second try", within=0.2)
            assert await backend.states(generation_id) == [TaskState.RESERVED]
            installation.clock.advance(PROBE_AFTER.total_seconds())
            await backend.wait_for_post(generation_id)
    if restart:
        async with installation.start(tuning) as backend:
            await backend.wait_for_post(generation_id)
    assert backend.ledger() == [RESERVED, SETTLED]


@pytest.mark.parametrize("jump", JUMPS)
async def test_since_when_requests_were_paused_is_shown_by_the_clock_as_it_is_now(
    installation: Installation, kie: KieStandIn, jump: float
) -> None:
    kie.script.always("credit", Code(500, "server error"))
    kie.script.on("createTask", Code(402, "no credits"))
    async with installation.start(submitter_tuned(give_up_after=600)) as backend:
        generation_id = await backend.request()
        await until(lambda: len(backend.alerts.sent) == 1, what="the pause")
        installation.clock.set(jump)
        installation.clock.advance(PROBE_AFTER.total_seconds())
        await backend.wait_for_post(generation_id)
        await until(lambda: len(backend.alerts.sent) == 2, what="the end of the pause")
        (resumed,) = [alert for alert in backend.alerts.sent if isinstance(alert, Resumed)]
        shown = installation.clock.now() - resumed.since
        assert abs(shown - PROBE_AFTER) < timedelta(seconds=30)


@pytest.mark.parametrize("jump", [8 * DAY, 365 * DAY])
async def test_the_undelivered_are_not_forgotten(installation: Installation, jump: float) -> None:
    async with installation.start() as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.DELIVERED)
        async with backend.store.write() as tx:
            await tx.undelivered.add(generation_id, BOB, backend.runtime.now)
    installation.clock.set(jump)
    async with installation.start() as backend:
        assert await backend.pipeline.undelivered.claim(BOB) == [generation_id]


async def test_a_form_can_still_be_sent(backend: Backend, installation: Installation) -> None:
    history = History(backend.runtime)
    draft = history.new_draft(BOB, Origin(ChannelId(5), MessageId(6)), ())
    await history.keep(draft)
    installation.clock.set(2 * DAY)
    await history.keep(history.new_draft(BOB, draft.origin, ()))
    assert await history.draft(draft.id, BOB) == draft


# Series of "try later"


@dataclass
class Step:
    """One answer to createTask: what happens before it, and with which error, if any."""

    error: ImageApiError | None
    wait: float = 0.0
    before: Callable[[], Awaitable[object]] | None = None


class Answers(FlakyApi):
    """Answers createTask step by step, then as KIE does."""

    def __init__(self, api: ImageApi, installation: Installation, steps: list[Step]) -> None:
        super().__init__(api)
        self._clock = installation.clock
        self._steps = deque(steps)

    async def create(self, task_input: TaskInput) -> KieTaskId:
        if self._steps:
            step = self._steps.popleft()
            self._clock.advance(step.wait)
            if step.before:
                await step.before()
            if step.error:
                raise step.error
        return await super().create(task_input)


ONE_BY_ONE = running_at_most(1, submitter_tuned(give_up_after=20))


@pytest.mark.parametrize(
    ("steps", "failed"),
    [
        pytest.param([Step(LATER), Step(TaskRefused(Failure.MODERATED, "")), Step(LATER, 30)], 1, id="refused between"),
        pytest.param([Step(LATER), Step(None), Step(LATER, 30)], 0, id="taken between"),
        pytest.param([Step(LATER), Step(LATER, HOUR)], 0, id="an hour without tasks"),
        pytest.param([Step(LATER), Step(LATER, 30)], 2, id="all the time"),
    ],
)
async def test_only_an_unbroken_series_gives_up_who_waits(
    installation: Installation, steps: list[Step], failed: int
) -> None:
    async with installation.start(working=False) as backend:
        generations = [await backend.request(prompt) for prompt in ("first", "second")]
    async with installation.start(ONE_BY_ONE, wrap=lambda api: Answers(api, installation, steps)) as backend:
        for generation_id in generations:
            await backend.wait_for_post(generation_id)
        states = [state for generation_id in generations for state in await backend.states(generation_id)]
        assert sorted(states) == [TaskState.DELIVERED] * (2 - failed) + [TaskState.FAILED] * failed


async def test_who_joined_later_is_not_given_up_with_the_head_of_the_line(installation: Installation) -> None:
    late: list[GenerationId] = []

    async def join() -> None:
        late.append(await backend.request("late", by=BOB))

    steps = [Step(LATER), Step(LATER, 15, before=join), Step(LATER, 10)]
    async with installation.start(ONE_BY_ONE, wrap=lambda api: Answers(api, installation, steps)) as backend:
        installation.clock.set(-DAY)
        first = await backend.wait_for_post(await backend.request("first"))
        assert [task.state for task in first.tasks] == [TaskState.FAILED]
        await backend.wait_for_post(late[0])
        assert await backend.states(late[0]) == [TaskState.DELIVERED]
        assert backend.ledger(late[0]) == [RESERVED, SETTLED]
