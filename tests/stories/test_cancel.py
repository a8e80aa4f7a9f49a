from decimal import Decimal

import simcord

from bot.ui.cards import AMBER, GREY
from demo.kie import Succeed
from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage, given
from tests.waiting import until

GIVEN_BACK = [("reserve", Decimal(-5)), ("refund", Decimal(5))]
PAID = [("reserve", Decimal(-5)), ("settle", Decimal(0))]
ONE_AT_A_TIME = given(new_tasks=1)
"""KIE takes one new task in ten seconds, so that a second one waits in line."""


@ONE_AT_A_TIME
async def test_who_waits_is_told_the_place_in_line(stage: Stage) -> None:
    await stage.delivered("first")
    second = await waiting_card(await stage.imagine("second"))
    third = await waiting_card(await stage.imagine("third", by=stage.bob))

    assert second.colour == GREY
    assert second.buttons == ("Cancel",)
    assert second.texts[-1].startswith("⏳ next in line · expected <t:")
    assert third.texts[-1].startswith("⏳ 2nd in line · expected <t:")


@ONE_AT_A_TIME
async def test_the_requester_cancels_and_pays_nothing(stage: Stage) -> None:
    await stage.delivered("first", by=stage.bob)
    asked = await stage.imagine("second")
    await waiting_card(asked)
    pressed = await stage.alice.click(card_of(asked), label="Cancel")
    card = await stage.outcome(asked)

    assert card.texts == ("**second**", "Cancelled. Nothing was charged.")
    assert card.colour == GREY
    assert card.buttons == ("Again", "Edit prompt", "Delete")
    assert pressed.followups == []
    assert len(stage.kie.tasks) == 1
    assert stage.ledger(stage.alice) == GIVEN_BACK
    assert stage.ledger(stage.bob) == PAID


@ONE_AT_A_TIME
async def test_nobody_else_may_cancel(stage: Stage) -> None:
    await stage.delivered("first")
    asked = await stage.imagine("second")
    waiting = await waiting_card(asked)
    for stranger in (stage.bob, stage.admin):
        pressed = await stranger.click(card_of(asked), label="Cancel")

        (told,) = pressed.followups
        assert seen(told).text == "Only the one who asked for this picture can do that."
        assert told.ephemeral
    assert seen(card_of(asked)) == waiting
    assert stage.ledger(stage.alice)[2:] == [("reserve", Decimal(-5))]


@given(new_tasks=1, new_tasks_window=3)
async def test_it_is_too_late_once_kie_paints(stage: Stage) -> None:
    await stage.delivered("first")
    asked = await stage.imagine("second")
    await waiting_card(asked)
    # The edit that takes the button away gets lost, as on a bad line: the button stays in sight.
    stage.env.inject_error("PATCH", f"/webhooks/*/messages/{card_of(asked).id}")
    stage.kie.script.next_tasks(Succeed(duration=1.0))
    await until(lambda: len(stage.kie.tasks) == 2, what="KIE to take the second")
    await until(lambda: not stage.env.backend.faults, what="the edit to get lost")
    pressed = await stage.alice.click(card_of(asked), label="Cancel")

    (told,) = pressed.followups
    assert told.ephemeral
    assert seen(told).text == "KIE is already painting, so this cannot be cancelled any more."
    assert (await stage.outcome(asked)).pictures
    assert stage.ledger(stage.alice) == PAID * 2


@ONE_AT_A_TIME
async def test_cancelling_keeps_what_is_being_painted(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.8))
    asked = await stage.imagine("three birds", count=3)
    card = await waiting_card(asked)
    assert card.buttons == ("Cancel",)
    await until(lambda: stage.kie.tasks, what="KIE to take the first")
    await stage.alice.click(card_of(asked), label="Cancel")
    card = await stage.outcome(asked)

    assert card.colour == AMBER
    assert len(card.pictures) == 1
    assert "1 of 3 pictures came; nothing was charged for the rest." in card.texts
    assert card.small_print[-1:] == ["5 credits"]
    movements = stage.ledger(stage.alice)
    assert movements == [("reserve", Decimal(-5))] * 3 + [("refund", Decimal(5))] * 2 + [("settle", Decimal(0))]


def card_of(asked: simcord.InteractionResult) -> simcord.ResponseMessage:
    response = asked.response
    assert response is not None
    return response


async def waiting_card(asked: simcord.InteractionResult) -> Seen:
    """The card as soon as it tells a place in line."""
    return await until(
        lambda: next((card for card in [seen(card_of(asked))] if "⏳" in card.text), None),
        what="a place in line",
    )
