"""What goes wrong at KIE, at Discord or on our side: in plain words, and at no charge."""

import re

import discord
import pytest

from bot.ui.cards import GREEN, RED
from demo.kie import SucceedWithoutUrls
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import GOODWILL, REFUNDED, StoryWorld, bot_with
from tests.waiting import until

BROKEN = re.compile(r"Something went wrong on my side \(ref [0-9a-z]+\)\. Nothing was charged\. Try again, or .*\.")


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ("[moderated]", "The safety filter blocked this. Try rewording it."),
        ("[broken]", "Something went wrong at the image service. Try again."),
        ("[unreadable]", "The image service couldn't read one of your images. Attach it again or try another."),
        ("[maintenance]", "The image service is down for maintenance. Try again in a while."),
    ],
)
@bot_with(give_up_submitting=0.2)
async def test_a_failure_is_told_in_plain_words_and_costs_nothing(
    world: StoryWorld, marker: str, sentence: str
) -> None:
    card = await world.delivered(f"a lighthouse {marker}")

    assert card.notes == [f"{sentence} Nothing was charged."]
    assert card.small_print == [world.alice.mention, "FLUX.2 Pro", "1:1", "1K"]
    assert card.colour == RED
    assert card.images == ()
    first = ("Edit prompt", "Again") if marker == "[moderated]" else ("Again", "Edit prompt")
    assert card.buttons == (*first, "Delete")
    assert ("a lighthouse" in card.text) is (marker != "[moderated]"), "what was blocked is not shown to all"
    assert not card.ephemeral
    assert world.ledger(world.alice) == REFUNDED
    assert world.kie.billed == 0
    assert (await world.delivered("a lighthouse")).images


async def test_success_without_an_image_costs_nothing(world: StoryWorld) -> None:
    world.kie.script.next_tasks(SucceedWithoutUrls())
    card = await world.delivered()

    assert card.notes == ["The image service finished without a usable image. Try again. Nothing was charged."]
    assert world.ledger(world.alice) == GOODWILL


@bot_with(deadline=0.3)
async def test_an_image_that_comes_too_late_is_free(world: StoryWorld) -> None:
    with world.unfinished():
        card = await world.delivered("a slow river")

    assert card.notes == ["This took too long. If the image still arrives, it's free. Nothing was charged."]

    def second_message() -> Rendered | None:
        messages = world.messages()
        return rendered(messages[1]) if len(messages) > 1 else None

    late = await until(second_message, what="the image after all")
    await world.rest()
    assert late.notes == ["This took too long, so it's free."]
    assert late.colour == GREEN
    assert len(late.images) == 1
    assert late.small_print[-1] == "free"
    assert world.ledger(world.alice) == REFUNDED


async def test_what_nobody_expected_is_told_with_a_reference(world: StoryWorld) -> None:
    world.expected_errors.append(discord.HTTPException)
    world.expected_logs.append("unexpected error")
    world.env.inject_error("PATCH", "/webhooks/*/messages/@original", times=4)

    assert BROKEN.fullmatch(world.refusal(await world.alice.slash(world.channel, "balance")).text)


async def test_an_acknowledgement_that_fails_costs_nothing(world: StoryWorld) -> None:
    world.expected_errors.append(discord.HTTPException)
    world.expected_logs.append("unexpected error")
    world.env.inject_error("POST", "/interactions/*/callback")

    assert BROKEN.fullmatch(world.refusal(await world.imagine()).text)
    world.check_nothing_started()


async def test_an_interaction_that_is_gone_costs_nothing(world: StoryWorld) -> None:
    world.expected_errors.append(discord.NotFound)
    world.env.inject_error("POST", "/interactions/*/callback", status=404, code=10062, times=None)

    assert (await world.imagine()).response is None
    world.check_nothing_started()
