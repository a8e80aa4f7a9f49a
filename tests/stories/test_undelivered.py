"""Results that could be posted nowhere are handed over, privately, at their member's next command."""

from decimal import Decimal

import pytest
import simcord

from bot.domain.errors import MayNotPost
from bot.ui.cards import AMBER, GREEN
from bot.ui.texts.refusals import refusal
from demo.kie import Code, Fail, Reply, Succeed, TaskOutcome
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import GOODWILL, PAID, StoryWorld, bot_with, response_of
from tests.waiting import until

HERE_IT_IS = "I couldn't post the result where you asked. Here it is. It cost 5 credits."


async def undelivered(world: StoryWorld, end: TaskOutcome | None = None, *, private: bool = False) -> None:
    """A request of Alice's that ends when the token has expired and neither channel nor member take a message."""
    world.expected_logs.append("generation given up: nowhere to post it")
    with world.unfinished():
        world.kie.script.next_tasks(end or Succeed())
        await world.in_progress(await world.imagine("a red fox in snow", private=private))
        await world.env.advance_time(16 * 60)
        world.env.inject_error("POST", "/channels/*/messages", status=403, code=50001, times=None)
    await until(world.undelivered, what="the request to wait for a command")
    await world.rest()
    world.env.backend.faults.clear()


async def handed_over(world: StoryWorld, command: simcord.InteractionResult | None = None) -> Rendered:
    """What follows the answer to a command of Alice's (/balance by default), for her alone."""
    command = command or await world.alice.slash(world.channel, "balance")
    (message,) = await until(lambda: command.followups, what="the undelivered result")
    result = rendered(message)
    assert result.ephemeral
    assert message.id not in {other.id for other in world.messages()}
    return result


async def test_the_next_command_brings_the_image(world: StoryWorld) -> None:
    await undelivered(world)
    others = await world.bob.slash(world.channel, "balance")
    command = await world.alice.slash(world.channel, "balance")
    result = await handed_over(world, command)
    again = await world.alice.slash(world.channel, "balance")

    assert result.texts == ("**a red fox in snow**", HERE_IT_IS)
    assert result.colour == AMBER
    assert [image.alt_text for image in result.images] == ["a red fox in snow"]
    assert "**45** of 50" in rendered(response_of(command)).text
    assert (others.followups, again.followups) == ([], [])
    assert world.ledger(world.alice) == PAID


async def test_the_next_process_brings_it_too(world: StoryWorld) -> None:
    await undelivered(world, private=True)
    await world.restart()
    await until(lambda: world.app.workers, what="the new process to have recovered")

    assert len((await handed_over(world)).images) == 1
    assert len([call for call in world.kie.requests if call.path.startswith("/results/")]) == 1, "it was kept"
    await world.rest()
    assert world.ledger(world.alice) == PAID


@bot_with(previews=1)
async def test_what_was_handed_over_is_an_image_like_others_and_its_members_alone(world: StoryWorld) -> None:
    await undelivered(world)
    await handed_over(world)
    await world.rest()
    shown = response_of(await world.alice.slash(world.channel, "history", search="fox"))
    listed = rendered(shown)
    assert len(listed.images) == 1, "a preview"
    assert listed.texts[1].startswith("**1** · a red fox in snow\n-# <t:")
    assert "only you" in listed.text
    opened = response_of(await world.alice.click(shown, label="1"))
    made = await world.outcome(await world.alice.click(opened, label="2K · 7"))

    assert made.ephemeral
    assert made.images[0].alt_text == "a red fox in snow"
    await world.alice.click(opened, label="Share")
    (copy,) = [message for message in world.messages() if rendered(message).images]
    assert rendered(copy).headline == "**a red fox in snow**"


async def test_it_never_takes_the_place_of_a_public_answer(world: StoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.ui.undelivered._RETRY_DELAYS", (60, 60))
    await undelivered(world)
    world.kie.script.always("recordInfo", Code(200, "success", {}))
    # While no progress can be shown, the channel sees "thinking…": the next message would take its place.
    world.env.inject_error("PATCH", "/webhooks/*", status=403, code=50001, times=None)
    command = await world.imagine("a blue hare")
    await until(lambda: len(world.kie.tasks) == 2, what="KIE to be asked")
    assert rendered(response_of(command)).thinking
    assert command.followups == []
    world.env.backend.faults.clear()
    world.kie.script.clear()
    card = await world.outcome(command)
    assert command.followups == []
    await world.env.advance_time(61)
    result = await handed_over(world, command)

    assert (card.headline, card.colour, card.ephemeral) == ("**a blue hare**", GREEN, False)
    assert result.texts == ("**a red fox in snow**", HERE_IT_IS)
    assert sorted(world.ledger(world.alice)) == sorted(PAID + PAID)


async def test_a_command_that_is_refused_brings_it_too(world: StoryWorld) -> None:
    await undelivered(world)
    command = await world.imagine("ab ")
    refused, handed = await until(lambda: command.followups[1:] and command.followups, what="the undelivered result")

    assert rendered(refused).text.startswith("A prompt needs 3 to 5,000 characters")
    assert len(rendered(handed).images) == 1
    assert rendered(handed).ephemeral
    assert handed.id not in {message.id for message in world.messages()}


async def test_the_very_channel_that_is_closed_to_the_bot_is_no_obstacle(world: StoryWorld) -> None:
    await undelivered(world)
    world.deny_bot("send_messages")
    command = await world.imagine("once more")

    assert len((await handed_over(world, command)).images) == 1
    assert rendered(response_of(command)).text == refusal(MayNotPost())


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/webhooks/*"), ("GET", "/webhooks/*/messages/@original")], ids=["send", "look"]
)
async def test_what_discord_does_not_take_waits_for_the_command_after(
    world: StoryWorld, method: str, path: str
) -> None:
    await undelivered(world)
    world.env.inject_error(method, path, status=404, code=10015)
    command = await world.alice.slash(world.channel, "balance")
    assert command.followups == []
    assert world.env.backend.faults == []

    assert len((await handed_over(world)).images) == 1


async def test_an_image_that_is_lost_is_still_told_of(world: StoryWorld) -> None:
    await undelivered(world)
    for path in (world.files / "spool").iterdir():
        path.unlink()
    world.kie.script.always("result", Reply(404, b""))
    result = await handed_over(world)

    assert result.images == ()
    assert result.texts[-1] == (
        "I couldn't post the result where you asked, and the image is no longer available. Nothing was charged."
    )
    await world.rest()
    assert world.ledger(world.alice) == GOODWILL


async def test_a_failure_that_could_be_told_nowhere_is_told_as_well(world: StoryWorld) -> None:
    await undelivered(world, Fail("422", "flagged as sensitive"))
    result = await handed_over(world)

    assert result.texts[-1] == (
        "I couldn't post the result where you asked. The safety filter blocked this. Try rewording it. "
        "Nothing was charged."
    )
    assert world.ledger(world.alice) == [("reserve", Decimal(-5)), ("refund", Decimal(5))]
