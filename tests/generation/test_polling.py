"""When the tracker polls KIE: as its pace says, after failures, and by each setting of the [tracker] section."""

import asyncio
import random
from decimal import Decimal
from functools import partial
from statistics import fmean
from typing import Any

import pytest

from bot import options
from bot.config import Config
from bot.config.sections import KieConfig, TrackerConfig
from bot.domain.errors import StoreUnavailable
from bot.domain.ids import KieTaskId, TaskId
from bot.domain.image_api_errors import PollFailed
from bot.domain.ports import ImageApi, TaskReport
from bot.domain.settings import Model, Resolution, TaskClass
from bot.domain.states import Failure, TaskState
from bot.generation.tracker import TrackerOptions
from bot.polling.durations import published
from bot.polling.pace import Pace
from bot.store.tasks import TaskRepository
from demo.kie import Code, Delay, Hang, Http429, KieStandIn, Never
from tests.generation.backend import Installation
from tests.generation.doubles import FlakyApi, ShiftedClock
from tests.generation.polls import polls, polls_come
from tests.generation.tuning import Tuning, tuned
from tests.kie.schema import created
from tests.waiting import until

RESERVED, REFUNDED, SETTLED = ("reserve", Decimal(-5)), ("refund", Decimal(5)), ("settle", Decimal(0))
PRO = TaskClass(Model.PRO, Resolution.ONE_K, has_references=False)


async def test_polls_that_fail_become_rarer(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("recordInfo", *[Code(500, "server error")] * 4)
    async with installation.start() as backend:
        await backend.wait_for_post(await backend.request())
        # Nominally 0.03 + 0.06 + 0.12 + 0.24 s; the rest is for a busy machine.
        assert len(polls(kie)) == 5
        assert polls(kie)[-1].at - polls(kie)[0].at >= 0.3


async def test_a_task_is_polled_at_once_when_asked_for(installation: Installation, kie: KieStandIn) -> None:
    async with installation.start(tuned(pace=partial(Pace, every=3600))) as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        (task,) = await backend.tasks(generation_id)
        assert polls(kie) == []
        await until(lambda: all(task.ended for task in kie.tasks.values()), what="KIE to be done")
        assert backend.tracker.poll_now(TaskId(1)) is False
        assert backend.tracker.poll_now(task.id) is True
        await backend.wait_for_post(generation_id)
        assert len(polls(kie)) == 1
        assert backend.tracker.poll_now(task.id) is False


async def test_asking_for_a_poll_during_one_does_no_harm(installation: Installation, kie: KieStandIn) -> None:
    kie.script.always("recordInfo", Delay(0.2))
    async with installation.start(tuned(pace=partial(Pace, every=0.1))) as backend:
        generation_id = await backend.request()
        other = await backend.request("a second request, still waiting")
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        (task,) = await backend.tasks(generation_id)
        await until(lambda: polls(kie), what="the first poll")
        for _ in range(3):
            assert backend.tracker.poll_now(task.id)
            await asyncio.sleep(0)
        await backend.wait_for_post(generation_id)
        await backend.wait_for_post(other)
        await until(lambda: len(backend.tracker) == 0, what="the tracker to be done")
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]
        assert backend.workload.queue.running == 0


class Telling(Pace):
    """Polls only when told to; the first end tells of all others."""

    def __init__(self) -> None:
        super().__init__(every=3600)
        self._open: set[TaskId] = set()

    def gap(self, task: TaskId, task_class: TaskClass, submitted: float, now: float, stretch: float = 1.0) -> float:
        self._open.add(task)
        return super().gap(task, task_class, submitted, now, stretch)

    def ended(self, task: TaskId, task_class: TaskClass, now: float, seconds: float | None = None) -> list[TaskId]:
        others, self._open = self._open - {task}, set()
        return [*others]


async def test_tasks_that_another_ones_end_tells_of_are_polled_at_once(
    installation: Installation, kie: KieStandIn
) -> None:
    async with installation.start(tuned(pace=Telling)) as backend:
        generation_id = await backend.request(count=4)
        await backend.wait_for_states(generation_id, *[TaskState.RUNNING] * 4)
        await until(lambda: all(task.ended for task in kie.tasks.values()), what="KIE to be done")
        assert polls(kie) == []
        first, *_ = await backend.tasks(generation_id)
        assert backend.tracker.poll_now(first.id) is True
        await backend.wait_for_post(generation_id)
        assert len(polls(kie)) == 4


class Hanging(FlakyApi):
    """Each of the first polls takes so long that it times out."""

    def __init__(self, api: ImageApi, clock: ShiftedClock, seconds: float, times: int) -> None:
        super().__init__(api)
        self._clock = clock
        self._seconds = seconds
        self._times = times

    async def report(self, task: KieTaskId) -> TaskReport:
        if self._times:
            self._times -= 1
            self._clock.advance(self._seconds)
            raise PollFailed("TimeoutError")
        return await super().report(task)


async def test_a_poll_that_timed_out_is_followed_by_the_next_at_once(installation: Installation) -> None:
    """Were it to wait for what is due after a failure, the test would time out."""
    tuning = tuned(tracker=TrackerOptions(retry_after=14))
    async with installation.start(tuning, wrap=lambda api: Hanging(api, installation.clock, 14, times=1)) as backend:
        await backend.wait_for_post(await backend.request())


async def test_a_poll_has_a_time_limit_of_its_own(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("recordInfo", Hang())
    async with installation.start(tuned(poll_seconds=0.2, request_seconds=600)) as backend:
        await backend.wait_for_post(await backend.request())
        assert len(polls(kie)) >= 2


async def test_an_end_that_cannot_be_stored_is_polled_for_more_and_more_rarely(
    installation: Installation, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise StoreUnavailable("database or disk is full")

    async with installation.start(tuned(tracker=TrackerOptions(retry_after=0.1))) as backend:
        with monkeypatch.context() as trouble:
            trouble.setattr(TaskRepository, "ready", refused)
            generation_id = await backend.request()
            await until(lambda: [task.ended for task in kie.tasks.values()] == [True], what="KIE to be done")
            before = len(polls(kie))
            await until(lambda: len(polls(kie)) >= before + 5, within=30, what="five more polls")
        before_last, last = polls(kie)[-2:]
        # Nominally 0.8 s; the rest is for a busy machine.
        assert last.at - before_last.at >= 0.3
        await backend.wait_for_post(generation_id)
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]


# Each setting of the [tracker] section


def configured(**tracker: Any) -> Tuning:
    """What the bot makes of these settings."""
    config = Config(tracker=TrackerConfig(**tracker))
    return tuned(
        pace=partial(options.pace, config),
        tracker=options.tracker_options(config),
        submitter=options.submitter_options(config),
    )


async def test_poll_every_deadline_late_every_and_late_for(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Never())
    tuning = configured(poll_every=0.02, deadline=40, late_every=0.03, late_for=100)
    async with installation.start(tuning) as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        installation.clock.advance(30)
        await polls_come(kie)
        assert await backend.states(generation_id) == [TaskState.RUNNING]
        installation.clock.advance(11)
        await backend.wait_for_states(generation_id, TaskState.OVERDUE)
        installation.clock.advance(90)
        await polls_come(kie)
        assert await backend.states(generation_id) == [TaskState.OVERDUE]
        installation.clock.advance(11)
        await backend.wait_for_states(generation_id, TaskState.FAILED)


async def test_polls_per_second(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Never())
    async with installation.start(configured(poll_every=0.01, polls_per_second=4)) as backend:
        await backend.request()
        await until(lambda: len(polls(kie)) >= 9, what="nine polls")
        assert polls(kie)[8].at - polls(kie)[0].at >= 1.5


async def test_no_other_setting_delays_the_poll_after_one_that_failed(
    installation: Installation, kie: KieStandIn
) -> None:
    kie.script.on("recordInfo", Code(500, "server error"))
    async with installation.start(configured(poll_every=0.02, polls_per_second=100)) as backend:
        await backend.wait_for_post(await backend.request())


async def test_give_up_submitting(installation: Installation, kie: KieStandIn) -> None:
    kie.script.always("createTask", Http429())
    async with installation.start(configured(give_up_submitting=0.3)) as backend:
        generation = await backend.wait_for_post(await backend.request())
        assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.FAILED, Failure.UNAVAILABLE)]
        assert len(created(kie)) > 1
        assert backend.ledger() == [RESERVED, REFUNDED]


@pytest.mark.parametrize(
    ("calls", "callback_url", "expected"), [(5, "", 5), (24, "", 24), (12, "https://example.com", 1.2)]
)
def test_polls_per_task(calls: float, callback_url: str, expected: float) -> None:
    config = Config(tracker=TrackerConfig(polls_per_task=calls), kie=KieConfig(callback_url=callback_url))
    dice, usual = random.Random(1), published(PRO)
    made: list[int] = []
    for number in range(400):
        pace, age, seconds = options.pace(config), 0.0, dice.lognormvariate(usual.mean, usual.stdev)
        made.append(0)
        while age < seconds:
            age += pace.gap(TaskId(number), PRO, 0.0, age)
            made[-1] += 1
    assert fmean(made) == pytest.approx(expected, rel=0.1)
