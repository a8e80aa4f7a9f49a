"""/imagine from the command to the card: every option, several images, private ones, and odd prompts."""

import io
import re
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from bot.ui.cards import AMBER, BLURPLE, GREEN
from demo.kie import Fail, Succeed
from tests.stories.images import fetched
from tests.stories.kie_calls import task_bodies, task_body
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with, response_of

MARKDOWN = {
    "a **bold** _fox_": r"**a \*\*bold\*\* \_fox\_**",
    "# a heading": r"**\# a heading**",
    "two\n\nlines  and   gaps": "**two lines and gaps**",
    "red || blue `code` ~~gone~~": r"**red \|\| blue \`code\` \~\~gone\~\~**",
    "[here](https://example.com)": r"**\[here\]\(https\://example.com\)**",
    "> a quote": r"**\> a quote**",
    "back\\slash": r"**back\\slash**",
}
"""Prompts, and the headlines that show them."""


async def test_a_prompt_alone_becomes_an_image(world: StoryWorld) -> None:
    card = await world.delivered("a red fox in snow")

    assert card.headline == "**a red fox in snow**"
    assert card.colour == GREEN
    assert card.buttons == ("Again", "Edit", "Remix", "2K · 7", "⋯")
    assert not card.ephemeral
    (image,) = card.images
    assert image.alt_text == "a red fox in snow"
    with Image.open(io.BytesIO(await fetched(image.url))) as file:
        assert file.width == file.height
    *settings, seconds, price = card.small_print
    assert settings == [world.alice.mention, "FLUX.2 Pro", "1:1", "1K"]
    assert seconds.endswith(" s")
    assert price == "5 credits"
    assert task_body(world.kie) == {
        "model": "flux-2/pro-text-to-image",
        "input": {"prompt": "a red fox in snow", "aspect_ratio": "1:1", "resolution": "1K", "nsfw_checker": True},
    }
    assert world.ledger(world.alice) == PAID


async def test_the_card_shows_progress_and_becomes_the_outcome(world: StoryWorld) -> None:
    with world.unfinished():
        command = await world.imagine("a red fox in snow")
        card = rendered(await world.in_progress(command))
    assert card.colour == BLURPLE
    assert card.small_print == [world.alice.mention, "FLUX.2 Pro", "1:1", "1K", "5 credits"]
    assert card.texts[-1].startswith("🎨 being made · ready <t:")

    await world.outcome(command)
    assert [message.id for message in world.messages()] == [response_of(command).id]


@bot_with(flex_controls=True)
async def test_every_option_reaches_kie_and_the_card(world: StoryWorld) -> None:
    card = await world.delivered(
        "a tall ship", model="flex", aspect_ratio="16:9", resolution="2K", count=2, steps=30, guidance=4.5
    )

    assert card.small_print[1:6] == ["2 × FLUX.2 Flex", "16:9", "2K", "30 steps", "guidance 4.5"]
    assert card.small_print[-1] == "48 credits"
    for body in task_bodies(world.kie):
        assert body["model"] == "flux-2/flex-text-to-image"
        assert body["input"] == {
            "prompt": "a tall ship",
            "aspect_ratio": "16:9",
            "resolution": "2K",
            "steps": 30,
            "guidance": 4.5,
            "nsfw_checker": True,
        }
    assert world.ledger(world.alice) == [("reserve", Decimal(-24))] * 2 + [("settle", Decimal(0))] * 2


async def test_four_images_come_on_one_card_in_the_order_of_their_tasks(world: StoryWorld) -> None:
    world.kie.script.next_tasks(*(Succeed(duration=seconds) for seconds in (0.6, 0.4, 0.2, 0.05)))
    card = await world.delivered("four seasons", count=4)

    assert len({await fetched(image.url) for image in card.images}) == 4
    names = [image.url.rpartition("/")[2] for image in card.images]
    assert names == sorted(names)
    assert card.small_print[1] == "4 × FLUX.2 Pro"
    assert card.small_print[-1] == "20 credits"
    assert len(world.messages()) == 1
    assert sorted(world.ledger(world.alice)) == sorted(PAID * 4)


async def test_of_four_images_two_fail(world: StoryWorld) -> None:
    broken = Fail("500", "Internal Error, Please try again later.")
    world.kie.script.next_tasks(Succeed(), broken, Succeed(), broken)
    card = await world.delivered("four seasons", count=4)

    assert card.colour == AMBER
    assert len(card.images) == 2
    assert card.notes == [
        "2 of 4 images were made. Nothing was charged for the rest.",
        "Something went wrong at the image service. Try again.",
    ]
    assert card.small_print[-1] == "10 credits"
    movements = world.ledger(world.alice)
    assert movements[:4] == [("reserve", Decimal(-5))] * 4
    assert sorted(movements[4:]) == [("refund", Decimal(5))] * 2 + [("settle", Decimal(0))] * 2


async def test_a_private_image_is_seen_by_its_requester_alone(world: StoryWorld) -> None:
    card = await world.delivered("a secret garden", private=True)

    assert card.ephemeral
    assert len(card.images) == 1
    assert world.messages() == []
    assert len(world.channel.history(viewer=world.alice)) == 1
    assert world.ledger(world.alice) == PAID


async def test_markdown_is_shown_as_it_was_typed(world: StoryWorld) -> None:
    commands = {prompt: await world.imagine(prompt) for prompt in MARKDOWN}
    headlines = {prompt: (await world.outcome(command)).headline for prompt, command in commands.items()}

    assert headlines == MARKDOWN
    sent = {re.sub(" +", " ", prompt) for prompt in MARKDOWN}
    assert {body["input"]["prompt"] for body in task_bodies(world.kie)} == sent


async def test_a_long_prompt_is_cut_on_the_card_alone(world: StoryWorld) -> None:
    prompt = " ".join(["heron"] * 800)
    card = await world.delivered(prompt)

    assert card.headline.endswith("heron…**")
    assert len(card.headline) <= 300 + len("****")
    (image,) = card.images
    assert image.alt_text is not None
    assert 900 < len(image.alt_text) <= 1024
    assert task_body(world.kie)["input"]["prompt"] == prompt


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"prompt": "  a  "}, "A prompt needs 3 to 5,000 characters, but yours has 1."),
        ({"aspect_ratio": "auto"}, "The shape “auto” is that of your first image."),
        ({"model": "pro", "steps": 30}, "Steps and guidance only work with flex."),
        ({"aspect_ratio": "auto", "private": True}, "The shape “auto” is that of your first image."),
    ],
    ids=["blanks", "no image", "pro", "private"],
)
@bot_with(flex_controls=True)
async def test_what_cannot_be_made_is_refused_privately(
    world: StoryWorld, options: dict[str, Any], refusal: str
) -> None:
    answer = world.refusal(await world.imagine(**options))

    assert answer.text.startswith(refusal)
    assert answer.text.endswith("Nothing was charged.")
    world.check_nothing_started()


async def test_direct_messages_have_an_allowance_of_their_own(world: StoryWorld) -> None:
    await world.delivered("in the server", model="flex", count=2)
    card = await world.outcome(await world.alice.user.slash("imagine", prompt="between us", model="flex", count=3))

    assert len(card.images) == 3
    assert card.small_print[-1] == "42 credits"
    assert len(world.alice.user.dm_channel.history()) == 1
    assert len(world.ledger(world.alice.user, server=False)) == 6
    here = await world.alice.user.slash("balance")
    assert "**8** of 50 credits left" in rendered(here.response).text


async def test_a_waiting_card_names_the_one_who_pressed_the_button(world: StoryWorld) -> None:
    command = await world.imagine()
    await world.outcome(command)
    with world.unfinished():
        again = await world.bob.click(response_of(command), label="Again")
        card = rendered(await world.in_progress(again))

    assert card.small_print[0] == world.bob.mention
    await world.outcome(again)
