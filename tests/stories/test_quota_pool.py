"""The pool: what all members together may spend, and what the operator sets above it."""

from decimal import Decimal

from demo.kie import Fail, Succeed
from tests.stories.managing import elsewhere, quota
from tests.stories.pressing import told
from tests.stories.stage import Stage, given
from tests.waiting import until


@given(credits=500)
async def test_the_pool_is_shared_by_all_members(stage: Stage) -> None:
    answer = await quota(stage, "pool", credits=22, period="week")
    assert answer.text.splitlines()[0] == "the whole server: 22 credits a week"
    await stage.delivered()
    await stage.delivered(by=stage.bob, count=2)
    answer = told(await stage.imagine(by=stage.admin, resolution="2K", count=2))

    sentence, _, renewal = answer.text.partition(" It renews ")
    assert sentence.startswith("The server's pool has 7 left and this costs 14 credits. Still within reach: ")
    assert renewal.startswith("<t:")
    assert renewal.endswith(". Nothing was charged.")
    assert answer.buttons == ()
    assert stage.ledger(stage.admin) == []
    shown = (await quota(stage, "show")).text
    assert "Server pool: **7** of 22 credits a week left · renews <t:" in shown
    await stage.delivered(by=stage.admin)


@given(credits=500)
async def test_bonus_credits_count_against_the_pool_too(stage: Stage) -> None:
    await quota(stage, "pool", credits=6, period="day")
    await quota(stage, "set-default", period="none")
    await quota(stage, "grant", member=stage.alice, credits=100, reason="a gift")
    await stage.delivered()

    assert (await stage.refusal(await stage.imagine())).text.startswith("The server's pool has 1 left")


@given(credits=500)
async def test_unlimited_members_are_held_by_the_pool(stage: Stage) -> None:
    await quota(stage, "set-member", member=stage.alice, period="unlimited")
    await quota(stage, "pool", credits=4, period="day")

    assert (await stage.refusal(await stage.imagine())).text.startswith("The server's pool has 4 left")


async def test_a_reset_does_not_refill_the_pool(stage: Stage) -> None:
    await quota(stage, "pool", credits=5, period="day")
    await stage.delivered()
    await quota(stage, "reset", member=stage.alice)

    assert (await stage.refusal(await stage.imagine())).text.startswith("The server's pool has 0 left")


async def test_what_fails_goes_back_into_the_pool(stage: Stage) -> None:
    await quota(stage, "pool", credits=5, period="day")
    stage.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
    await stage.delivered()

    assert (await stage.delivered(by=stage.bob)).pictures


async def test_a_pool_lowered_below_what_is_spent_is_empty_and_breaks_nothing(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.6))
    asked = await stage.imagine()
    await until(lambda: stage.kie.tasks, what="the task to be at KIE")
    await quota(stage, "pool", credits=1, period="day")
    assert "Server pool: **0** of 1 credit a day left" in (await quota(stage, "show")).text

    assert (await stage.outcome(asked)).pictures
    assert sum(amount for _, amount in stage.ledger(stage.alice)) == Decimal(-5)


async def test_an_unlimited_pool_is_none(stage: Stage) -> None:
    await quota(stage, "pool", credits=1, period="day")
    await stage.refusal(await stage.imagine())
    assert (await quota(stage, "pool", period="unlimited")).text.splitlines()[0] == "the whole server: unlimited"
    await stage.delivered()

    assert "pool" not in (await quota(stage, "show")).text


async def test_a_pool_of_nothing_stops_everybody(stage: Stage) -> None:
    await quota(stage, "pool", period="none")

    assert (await stage.refusal(await stage.imagine())).text.startswith("The server's pool has 0 left")


async def test_another_servers_pool_is_another(stage: Stage) -> None:
    eve = elsewhere(stage)
    await quota(stage, "pool", by=eve, period="none")
    assert (await stage.delivered()).pictures
    asked = await eve.slash(eve.guild.channels["lobby"], "imagine", prompt="a castle")

    assert asked.response is None
    assert "The server's pool has 0 left" in asked.followups[0].content
