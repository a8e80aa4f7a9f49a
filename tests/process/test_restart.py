"""What one process leaves unfinished, the next one finishes, once."""

import signal

import pytest

from demo.kie import Succeed
from tests.front import Fault
from tests.process.deployment import Deployment
from tests.waiting import until

SIGNALS = pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.long), pytest.param(signal.SIGKILL, id="SIGKILL")],
)


@SIGNALS
async def test_a_running_task_is_delivered_by_the_next_process(deployment: Deployment, number: signal.Signals) -> None:
    deployment.kie.script.next_tasks(Succeed(duration=2.0))
    async with deployment.bot() as bot:
        interaction = await deployment.imagine("a bridge")
        await deployment.wait_until_running(interaction)
        bot.send(number)
        assert await bot.ended(within=20) == (0 if number is signal.SIGTERM else -number)
    assert deployment.ledger() == [("reserve", -5)]

    async with deployment.bot():
        await deployment.wait_for_image(interaction)
        await deployment.wait_until_settled()
    assert len(deployment.posts()) == 1
    assert deployment.prompts() == ["a bridge"]


@SIGNALS
async def test_a_waiting_task_is_submitted_by_the_next_process(deployment: Deployment, number: signal.Signals) -> None:
    one_at_a_time = {"EASEL__KIE__NEW_TASKS": "1", "EASEL__KIE__NEW_TASKS_WINDOW": "3"}
    async with deployment.bot(**one_at_a_time) as bot:
        first = await deployment.imagine("first")
        await until(lambda: deployment.kie.tasks, what="KIE to take the first")
        second = await deployment.imagine("second")
        await deployment.wait_for_text(second, "⏳")
        bot.send(number)
        await bot.ended(within=20)

    async with deployment.bot(**one_at_a_time):
        for interaction in (first, second):
            await deployment.wait_for_image(interaction)
        await deployment.wait_until_settled(generations=2)
    assert len(deployment.posts()) == 2
    assert deployment.prompts() == ["first", "second"]


async def test_a_post_made_just_before_the_kill_is_not_repeated(deployment: Deployment) -> None:
    deployment.kie.script.next_tasks(Succeed(duration=1.5))
    async with deployment.bot() as bot:
        await deployment.wait_until_running(await deployment.imagine("a bridge"))
        await deployment.front.env.advance_time(16 * 60)
        # The post is made, but its answer does not come before the process is killed.
        posting = deployment.front.faults.on("POST", "/channels/*/messages", Fault(hang=True, performed=True))
        await until(lambda: posting.hits, what="the post")
        bot.send(signal.SIGKILL)
        await bot.ended()

    async with deployment.bot():
        await deployment.wait_until_settled()
    (post,) = deployment.posts()
    assert len(post.images) == 1
