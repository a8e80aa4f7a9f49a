"""Waiting in line, and cancelling."""

from decimal import Decimal

import simcord

from bot.ui.cards import AMBER, GREY
from tests.stories.components import NOT_YOURS, private_answer
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import PAID, REFUNDED, StoryWorld, bot_with, response_of
from tests.waiting import until

ONE_AT_A_TIME = bot_with(new_tasks=1, new_tasks_window=600)
"""KIE takes one new task in ten minutes, so that a second one waits in line for the whole story."""


@ONE_AT_A_TIME
async def test_a_waiting_card_shows_the_place_in_line(world: StoryWorld) -> None:
    await world.delivered("first")
    second = await waiting_card(await world.imagine("second"))
    third = await waiting_card(await world.imagine("third", by=world.bob))

    assert second.colour == GREY
    assert second.buttons == ("Cancel",)
    assert second.small_print == [world.alice.mention, "FLUX.2 Pro", "1:1", "1K", "5 credits"]
    assert second.texts[-1].startswith("⏳ next in line · ready <t:")
    assert third.small_print[0] == world.bob.mention
    assert third.texts[-1].startswith("⏳ 2nd in line · ready <t:")


@ONE_AT_A_TIME
async def test_the_requester_cancels_and_pays_nothing(world: StoryWorld) -> None:
    await world.delivered("first", by=world.bob)
    command = await world.imagine("second")
    await waiting_card(command)
    pressed = await world.alice.click(response_of(command), label="Cancel")
    card = await world.outcome(command)

    assert (card.headline, card.notes) == ("**second**", ["Cancelled. Nothing was charged."])
    assert card.small_print[0] == world.alice.mention
    assert card.colour == GREY
    assert card.buttons == ("Again", "Edit prompt", "Delete")
    assert pressed.followups == []
    assert len(world.kie.tasks) == 1
    assert world.ledger(world.alice) == REFUNDED
    assert world.ledger(world.bob) == PAID


@ONE_AT_A_TIME
async def test_nobody_else_may_cancel(world: StoryWorld) -> None:
    await world.delivered("first")
    command = await world.imagine("second")
    waiting = await waiting_card(command)
    for other in (world.bob, world.admin):
        assert private_answer(await other.click(response_of(command), label="Cancel")).text == NOT_YOURS
    assert rendered(response_of(command)) == waiting
    assert world.ledger(world.alice)[2:] == [("reserve", Decimal(-5))]


@bot_with(new_tasks=1, new_tasks_window=10)
async def test_it_is_too_late_once_kie_has_the_task(world: StoryWorld) -> None:
    await world.delivered("first")
    command = await world.imagine("second")
    await waiting_card(command)
    # The edit that removes the button is lost, as on a bad connection: the button stays.
    world.env.inject_error("PATCH", f"/webhooks/*/messages/{response_of(command).id}")
    with world.unfinished():
        await until(lambda: len(world.kie.tasks) == 2, within=30, what="KIE to take the second")
        await until(lambda: not world.env.backend.faults, what="the edit to be lost")
        pressed = await world.alice.click(response_of(command), label="Cancel")

    assert private_answer(pressed).text == "Too late to cancel: it's already being made."
    assert (await world.outcome(command)).images
    assert world.ledger(world.alice) == PAID * 2


@ONE_AT_A_TIME
async def test_cancelling_keeps_what_is_being_made(world: StoryWorld) -> None:
    with world.unfinished():
        command = await world.imagine("three birds", count=3)
        assert (await waiting_card(command)).buttons == ("Cancel",)
        await until(lambda: "🎨" in rendered(response_of(command)).text, what="KIE to take the first")
        status = rendered(response_of(command)).texts[-1]
        assert status.startswith("🎨 0 of 3 done · ⏳ the rest are next in line · ready")
        await world.alice.click(response_of(command), label="Cancel")
    card = await world.outcome(command)

    assert card.colour == AMBER
    assert len(card.images) == 1
    assert card.notes == ["1 of 3 images were made. Nothing was charged for the rest."]
    assert card.small_print[-1] == "5 credits"
    assert world.ledger(world.alice) == [
        *[("reserve", Decimal(-5))] * 3,
        *[("refund", Decimal(5))] * 2,
        ("settle", Decimal(0)),
    ]


async def waiting_card(command: simcord.InteractionResult) -> Rendered:
    """The card as soon as it shows a place in line."""

    def waiting() -> Rendered | None:
        card = rendered(response_of(command))
        return card if "⏳" in card.text else None

    return await until(waiting, what="a place in line")
