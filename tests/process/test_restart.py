"""What one process leaves undone, the next one does, once."""

import signal

import pytest

from demo.kie import Succeed
from tests.front import Fault
from tests.process.studio import Studio
from tests.waiting import until

SIGNALS = pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.long), pytest.param(signal.SIGKILL, id="SIGKILL")],
)


@SIGNALS
async def test_what_kie_paints_is_delivered_by_the_next_process(studio: Studio, number: signal.Signals) -> None:
    studio.kie.script.next_tasks(Succeed(duration=2.0))
    async with studio.bot() as bot:
        asked = await studio.imagine("a bridge")
        await studio.painting(asked)
        bot.send(number)
        assert await bot.ended() == (0 if number is signal.SIGTERM else -number)
    assert studio.ledger() == [("reserve", -5)]

    async with studio.bot():
        await studio.delivered(asked)
        await studio.settled()
    assert len(studio.posts()) == 1
    assert studio.orders() == ["a bridge"]


@SIGNALS
async def test_what_waits_in_line_is_submitted_by_the_next_process(studio: Studio, number: signal.Signals) -> None:
    one_at_a_time = {"EASEL__KIE__NEW_TASKS": "1", "EASEL__KIE__NEW_TASKS_WINDOW": "3"}
    async with studio.bot(**one_at_a_time) as bot:
        first = await studio.imagine("first")
        await until(lambda: studio.kie.tasks, what="KIE to take the first")
        second = await studio.imagine("second")
        await studio.waiting(second)
        bot.send(number)
        await bot.ended()

    async with studio.bot(**one_at_a_time):
        for asked in (first, second):
            await studio.delivered(asked)
        await studio.settled(generations=2)
    assert len(studio.posts()) == 2
    assert studio.orders() == ["first", "second"]


async def test_what_was_posted_just_before_the_end_is_not_posted_again(studio: Studio) -> None:
    studio.kie.script.next_tasks(Succeed(duration=1.5))
    async with studio.bot() as bot:
        await studio.painting(await studio.imagine("a bridge"))
        await studio.front.env.advance_time(16 * 60)
        # The post is made, but its answer does not come before the process dies.
        posting = studio.front.faults.on("POST", "/channels/*/messages", Fault(hang=True, performed=True))
        await until(lambda: posting.hits, what="the post")
        bot.send(signal.SIGKILL)
        await bot.ended()

    async with studio.bot():
        await studio.settled()
    (post,) = studio.posts()
    assert len(post.images) == 1
