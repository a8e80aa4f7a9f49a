from decimal import Decimal

import pytest

from bot.ui.cards import GREEN, RED
from demo.kie import CutAfter, Fail, Http429, Succeed, SucceedWithoutUrls
from tests.stories.orders import orders
from tests.stories.stage import Stage, given
from tests.waiting import until

GIVEN_BACK = [("reserve", Decimal(-5)), ("refund", Decimal(5))]


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ("[moderated]", "KIE's safety filter declined this. Try other words or another picture."),
        ("[broken]", "Something broke at KIE. Try again."),
        ("[unreadable]", "KIE could not read one of the pictures. Attach it again, or another one."),
        ("[maintenance]", "KIE is down for maintenance. Try again in a while."),
    ],
)
@given(give_up_submitting=0.2)
async def test_a_failure_is_told_in_plain_words_and_costs_nothing(stage: Stage, marker: str, sentence: str) -> None:
    card = await stage.delivered(f"a lighthouse {marker}")

    assert card.texts[-1] == f"{sentence} Nothing was charged."
    assert card.colour == RED
    assert card.pictures == ()
    assert card.buttons == ("Again", "Edit prompt", "Delete")
    assert not card.ephemeral
    assert stage.ledger(stage.alice) == GIVEN_BACK
    assert stage.kie.billed == 0
    again = await stage.delivered("a lighthouse")
    assert again.small_print[-1] == "5 credits"


async def test_success_without_a_picture_costs_nothing(stage: Stage) -> None:
    stage.kie.script.next_tasks(SucceedWithoutUrls())
    card = await stage.delivered()

    assert card.texts[-1] == "KIE finished but gave no usable picture. Try again. Nothing was charged."
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5)), ("goodwill", Decimal(5))]


async def test_four_equal_failures_are_told_once(stage: Stage) -> None:
    stage.kie.script.next_tasks(*(Fail("500", "Internal Error, Please try again later.") for _ in range(4)))
    card = await stage.delivered("four seasons", count=4)

    assert card.texts[1:] == ("Something broke at KIE. Try again. Nothing was charged.",)
    assert sum(amount for _, amount in stage.ledger(stage.alice)) == 0


async def test_a_busy_kie_is_asked_again(stage: Stage) -> None:
    stage.kie.script.on("createTask", Http429())
    card = await stage.delivered()

    assert card.colour == GREEN
    assert len(orders(stage.kie)) == 2
    assert len(stage.kie.tasks) == 1


async def test_a_lost_answer_is_never_asked_for_again(stage: Stage) -> None:
    stage.expected_logs.append("unknown whether KIE took a task")
    stage.kie.script.on("createTask", CutAfter())
    card = await stage.delivered()

    assert card.texts[-1] == "The connection to KIE broke off while asking. Try again. Nothing was charged."
    assert len(orders(stage.kie)) == 1
    assert stage.ledger(stage.alice) == GIVEN_BACK


@given(deadline=0.3)
async def test_a_picture_that_comes_too_late_is_free(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=1.0))
    card = await stage.delivered("a slow river")

    assert card.texts[-1] == (
        "This took too long. If the picture still comes, you get it for free. Nothing was charged."
    )
    assert stage.ledger(stage.alice) == GIVEN_BACK

    late = await until(stage.second_post, what="the picture after all")
    await stage.rest()
    assert late.texts[1] == "This one took long, so it is free: its credits had been given back."
    assert late.colour == GREEN
    assert len(late.pictures) == 1
    assert late.small_print[-1:] == ["free"]
    assert stage.ledger(stage.alice) == GIVEN_BACK
