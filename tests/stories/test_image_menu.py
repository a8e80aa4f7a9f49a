"""The private menu of an image: from its number on a grid, from a card's last button, and what it does."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import discord
import pytest
import simcord
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot.domain.generation import Task
from bot.domain.ids import to_base36
from bot.domain.image_errors import ImageBeingPosted
from bot.store.tasks import TaskRepository
from bot.ui.custom_ids import Action
from bot.ui.texts.refusals import refusal
from tests.database import execute
from tests.kie.schema import caused
from tests.stories.components import (
    EDIT_FORM,
    EXPIRED,
    NOT_YOURS,
    REMIX_FORM,
    custom_id_of,
    delete,
    edit,
    fields_of,
    forge,
    menu_of,
    new_card,
    press,
    press_at_once,
    press_forged,
    private_answer,
    selected,
    submit_forged,
)
from tests.stories.images import fetched, pixels, png
from tests.stories.kie_calls import references_used, task_bodies
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with, response_of
from tests.waiting import until

PHOTO = ("photo.png", png((200, 30, 60)))
SAVE = "Save as references"


async def private_card(world: StoryWorld, **options: Any) -> simcord.ResponseMessage:
    """A card that Alice alone sees."""
    command = await world.imagine("a secret garden", private=True, **options)
    await world.outcome(command)
    return response_of(command)


async def answer_of(world: StoryWorld, pressed: simcord.InteractionResult) -> Rendered:
    await world.rest()
    return private_answer(pressed)


async def test_a_grid_has_a_menu_for_each_image_that_shows_and_edits_it(world: StoryWorld) -> None:
    card = await new_card(world, count=3)
    assert rendered(card).buttons == ("1", "2", "3", "Again", "Remix", "⋯")
    menu = await menu_of(world, world.bob, card, "3")
    shown = rendered(menu)
    assert shown.buttons == ("Again", "Edit", "Remix", "2K · 7", "⭐ Favourite", "Full prompt", "Original file", SAVE)
    assert "image 3 of 3" in shown.text
    third = rendered(card).images[2].url
    edited = await world.outcome(await edit(world, world.bob, menu))
    larger = await press(world, world.bob, menu.message, "2K · 7")

    assert not edited.ephemeral
    assert edited.small_print[-1] == larger.small_print[-1] == f"edit of [this image]({card.jump_url})"
    assert [body["input"].get("input_urls", [])[:1] for body in task_bodies(world.kie)[3:]]
    assert references_used(world.kie) == [pixels(await fetched(third))]
    assert edited.small_print[0] == world.bob.mention
    parents = execute(world.folder, "SELECT parent_id FROM images WHERE parent_id IS NOT NULL")
    assert len(set(parents)) == 1
    assert world.ledger(world.alice) == PAID[:1] * 3 + PAID[1:] * 3


async def test_the_last_button_of_a_card_offers_what_applies_to_whoever_presses(world: StoryWorld) -> None:
    card, grid = await new_card(world), await new_card(world, count=2)
    offered = {
        (who, what): rendered(await menu_of(world, member, shown)).buttons
        for who, member in (("alice", world.alice), ("bob", world.bob), ("admin", world.admin))
        for what, shown in (("card", card), ("grid", grid))
    }
    assert offered == {
        ("alice", "card"): ("⭐ Favourite", "Full prompt", "Original file", SAVE, "Delete"),
        ("alice", "grid"): ("Full prompt", "Delete"),
        ("bob", "card"): ("⭐ Favourite", "Full prompt", "Original file", SAVE),
        ("bob", "grid"): ("Full prompt",),
        ("admin", "card"): ("⭐ Favourite", "Full prompt", "Original file", SAVE, "Delete"),
        ("admin", "grid"): ("Full prompt", "Delete"),
    }
    assert (await delete(world, world.admin, grid)).text == "Deleted."
    assert [message.id for message in world.messages() if not message.flags.ephemeral] == [card.id]


async def test_delete_asks_first_and_keep_puts_the_question_away(world: StoryWorld) -> None:
    card = await new_card(world, count=2)
    menu = await menu_of(world, world.alice, card)
    asked = response_of(await world.alice.click(menu, label="Delete"))
    assert rendered(asked).text == "Delete all 2 images of this card? Their credits aren't refunded."
    await world.alice.click(asked, label="Keep")
    assert asked.id not in {message.id for message in world.channel.history(viewer=world.alice)}
    assert [message.id for message in world.messages()] == [card.id]
    both = [response_of(await world.alice.click(menu, label="Delete")) for _ in range(2)]
    for asked in both:
        await world.alice.click(asked, label="Delete")
    assert [rendered(asked).text for asked in both] == ["Deleted."] * 2, "also of what is deleted already"


async def test_the_full_prompt_of_an_edit_is_the_line_of_prompts(world: StoryWorld) -> None:
    card = await new_card(world, "a red fox " * 60)
    submitted = await edit(world, world.bob, card, "at night")
    await world.outcome(submitted)
    edited = response_of(submitted).message
    shown = await answer_of(world, await world.bob.click(await menu_of(world, world.bob, edited), label="Full prompt"))
    assert shown.text == f"```\n1. {('a red fox ' * 60).strip()}\n\n2. at night\n```"
    long = await new_card(world, "a grey heron " * 300)
    shown = await answer_of(world, await world.bob.click(await menu_of(world, world.bob, long), label="Full prompt"))
    (file,) = shown.files
    assert (await fetched(file)).decode() == ("a grey heron " * 300).strip()


async def test_the_original_file_is_what_was_posted_also_when_the_message_is_gone(world: StoryWorld) -> None:
    card = await new_card(world, count=2)
    menu = await menu_of(world, world.bob, card, "2")
    for _ in range(2):
        shown = await answer_of(world, await world.bob.click(menu, label="Original file"))
        (file,) = shown.files
        assert await fetched(file) == await fetched(rendered(card).images[1].url)
        if card.id in {message.id for message in world.messages()}:
            await delete(world, world.alice, card)
    world.clock.advance(15 * 24 * 3600)
    gone = await answer_of(world, await world.bob.click(menu, label="Original file"))
    assert gone.text.startswith("This image no longer exists on Discord.")
    for label in ("2K · 7", "Edit"):
        pressed = await (edit(world, world.bob, menu) if label == "Edit" else world.bob.click(menu, label=label))
        assert world.refusal(pressed).text.startswith("This image no longer exists on Discord.")
    assert world.ledger(world.bob) == []


async def test_remix_starts_anew_from_words_and_settings(world: StoryWorld) -> None:
    card = await new_card(world, model="flex", resolution="2K", aspect_ratio="2:3", count=2)
    opened = await world.bob.click(card, label="Remix")
    fields = fields_of(opened)
    assert fields["prompt"]["value"] == "a red fox in snow"
    chosen = [selected(fields[name]) for name in ("model", "ratio", "resolution", "count")]
    assert chosen == [["flex"], ["2:3"], ["2K"], ["2"]]
    answers = {"prompt": "a blue fox", "model": ["pro"], "ratio": ["2:3"], "resolution": ["1K"], "count": ["1"]}
    remixed = await world.outcome(await world.bob.submit_modal(opened, answers))

    assert remixed.headline == "**a blue fox**"
    assert remixed.small_print[:4] == [world.bob.mention, "FLUX.2 Pro", "2:3", "1K"]
    assert task_bodies(world.kie)[-1]["model"] == "flux-2/pro-text-to-image"
    assert world.ledger(world.bob) == PAID


@bot_with(flex_controls=True)
async def test_remix_keeps_steps_guidance_and_references(world: StoryWorld) -> None:
    card = await new_card(world, model="flex", steps=20, guidance=3.5, image=PHOTO)
    opened = await world.alice.click(card, label="Remix")
    await world.outcome(
        await world.alice.submit_modal(opened, {"prompt": "a blue fox", **REMIX_FORM, "model": ["flex"]})
    )
    first, second = task_bodies(world.kie)
    assert second["input"] == first["input"] | {"prompt": "a blue fox"}


async def test_somebody_elses_private_images_are_left_out_of_a_remix(world: StoryWorld) -> None:
    card = await new_card(world, image=PHOTO)
    opened = await world.bob.click(card, label="Remix")
    assert opened.modal is not None
    assert "Made without the 1 image of the original" in str(opened.modal["components"])
    remixed = await world.outcome(await world.bob.submit_modal(opened, {"prompt": "a blue fox", **REMIX_FORM}))

    assert "1:1" in remixed.small_print
    assert task_bodies(world.kie)[-1]["model"] == "flux-2/pro-text-to-image"


async def test_a_private_image_is_shared_once_as_a_copy_for_everybody(world: StoryWorld) -> None:
    card = await private_card(world)
    menu = await menu_of(world, world.alice, card)
    assert rendered(menu).buttons == ("⭐ Favourite", "Full prompt", "Original file", SAVE, "Share")
    await world.alice.click(menu, label="Share")
    await world.restart()
    (copy,) = world.messages()
    shown = rendered(copy)
    assert shown.headline == "**a secret garden**"
    assert shown.small_print == [world.alice.mention, "FLUX.2 Pro", "1:1", "1K", "shared"]
    assert shown.buttons == ("Edit", "Remix", "2K · 7", "⋯")
    assert await fetched(shown.images[0].url) == await fetched(rendered(card).images[0].url)
    again = await answer_of(world, await world.alice.click(menu, label="Share"))
    assert again.text.startswith("You've already shared this image")
    assert rendered(await menu_of(world, world.alice, card)).buttons == (
        *("⭐ Favourite", "Full prompt", "Original file", SAVE, "Delete"),
    )

    edited = await world.outcome(await edit(world, world.bob, copy))
    assert not edited.ephemeral
    prompt = await answer_of(world, await world.bob.click(await menu_of(world, world.bob, copy), label="Full prompt"))
    assert "a secret garden" in prompt.text
    assert rendered(await menu_of(world, world.alice, copy)).buttons[-1] == "Delete"


async def test_a_private_grid_counts_its_images_also_when_one_was_shared(world: StoryWorld) -> None:
    card = await private_card(world, count=3)
    await world.alice.click(await menu_of(world, world.alice, card, "2"), label="Share")
    (copy,) = world.messages()
    shown = {number: rendered(await menu_of(world, world.alice, card, number)) for number in ("1", "2", "3")}

    for number, menu in shown.items():
        assert f"image {number} of 3" in menu.text
        assert ("Share" in menu.buttons, "Delete" in menu.buttons) == (number != "2", number == "2")
    assert rendered(await menu_of(world, world.alice, card)).buttons == ("Full prompt",)
    # Only Alice asks for the same again; others start from the copy.
    ((number,),) = execute(world.folder, "SELECT id FROM images WHERE shared")
    forge(world, copy, "⋯", f"easel:{Action.IMAGE}:{to_base36(number)}")
    for member, again in ((world.alice, True), (world.bob, False)):
        opened = await press_forged(world, member, copy, f"easel:{Action.IMAGE}:{to_base36(number)}")
        assert ("Again" in private_answer(opened).buttons) is again


async def test_again_from_an_images_menu_makes_all_of_its_request_again(world: StoryWorld) -> None:
    card = await new_card(world, count=2)
    made = await press(world, world.bob, (await menu_of(world, world.bob, card, "2")).message, "Again")

    assert (made.headline, len(made.images)) == ("**a red fox in snow**", 2)
    assert world.ledger(world.bob) == PAID[:1] * 2 + PAID[1:] * 2


async def test_sharing_twice_in_one_moment_posts_one_copy(world: StoryWorld) -> None:
    menu = await menu_of(world, world.alice, await private_card(world, count=2), "2")
    await press_at_once(world, menu.message, "Share", world.alice, world.alice)
    await world.rest()
    assert len(world.messages()) == 1


async def test_a_shared_edit_does_not_give_away_what_led_to_it_in_private(world: StoryWorld) -> None:
    card = await private_card(world)
    submitted = await edit(world, world.alice, card, "at night")
    await world.outcome(submitted)
    edited = response_of(submitted)
    await world.alice.click(await menu_of(world, world.alice, edited), label="Share")
    (copy,) = world.messages()

    assert rendered(copy).images[0].alt_text == "at night"
    prompt = await answer_of(world, await world.bob.click(await menu_of(world, world.bob, copy), label="Full prompt"))
    assert prompt.text == "```\nat night\n```"


async def test_words_of_direct_messages_stay_there_also_when_what_was_made_from_them_is_shared(
    world: StoryWorld,
) -> None:
    alice = world.alice.user
    await world.outcome(await alice.slash("imagine", prompt="between us"))
    listed = response_of(await world.alice.slash(world.channel, "history"))
    opened = response_of(await world.alice.click(listed, label="1"))
    larger = await world.alice.click(opened, label="2K · 7")
    assert (await world.outcome(larger)).images[0].alt_text == "between us", "for her own eyes"
    await world.alice.click(await menu_of(world, world.alice, response_of(larger)), label="Share")
    (copy,) = world.messages()

    assert "between us" not in str(rendered(copy))
    for label in ("Full prompt", "Edits"):
        shown = await answer_of(world, await world.bob.click(await menu_of(world, world.bob, copy), label=label))
        assert "between us" not in str(shown)
    assert "value" not in fields_of(await world.bob.click(copy, label="Remix"))["prompt"]
    assert fields_of(await world.alice.click(copy, label="Remix"))["prompt"]["value"] == "between us"


@pytest.mark.parametrize("why", ["the bot may not post", "the member may not post", "the channel is not allowed"])
async def test_sharing_is_refused_where_nobody_may_post(world: StoryWorld, why: str) -> None:
    menu = await menu_of(world, world.alice, await private_card(world))
    match why:
        case "the bot may not post":
            world.deny_bot("attach_files")
        case "the member may not post":
            denied = discord.Permissions(attach_files=True).value
            overwrite = Overwrite(world.env.guild.id, OverwriteType.ROLE, deny=denied)
            world.env.backend.set_overwrite(world.channel.id, overwrite)
        case _:
            other = world.env.guild.create_text_channel("elsewhere")
            await world.admin.slash(world.channel, "quota settings", **{"allow-channel": other})
    before = len(world.messages())
    refused = await answer_of(world, await world.alice.click(menu, label="Share"))
    assert refused.ephemeral
    assert refused.text
    assert refused.images == ()
    assert len(world.messages()) == before


async def test_in_direct_messages_discord_forwards(world: StoryWorld) -> None:
    alice = world.alice.user
    command = await alice.slash("imagine", prompt="between us")
    await world.outcome(command)
    menu = rendered(response_of(await alice.click(command.response, label="⋯")))
    assert menu.buttons == ("⭐ Favourite", "Full prompt", "Original file", SAVE, "Delete")
    assert "choose Forward" in menu.text


async def test_a_menu_is_for_the_one_who_opened_it(world: StoryWorld) -> None:
    card = await new_card(world, "a plain hill")
    menu = await menu_of(world, world.alice, card)
    calls = len(caused(world.kie))
    for label in rendered(menu).buttons:
        custom_id = custom_id_of(menu, label)
        assert private_answer(await press_forged(world, world.bob, menu, custom_id)).text == NOT_YOURS, label
        own = custom_id.rpartition(":")[0] + f":{to_base36(world.bob.id)}"
        if label != "Full prompt":
            await submit_forged(world, world.bob, card, own.replace("file", "edit"), {"prompt": "x", **EDIT_FORM})
    assert [message.id for message in world.messages()] == [card.id]
    assert len(caused(world.kie)) == calls


async def test_somebody_elses_image_is_not_reached_by_its_id_alone(world: StoryWorld) -> None:
    await new_card(world, "a plain hill")
    own = await new_card(world, by=world.bob)
    ((number,),) = execute(world.folder, "SELECT id FROM images ORDER BY id LIMIT 1")
    for action in (Action.EDIT, Action.REMIX):
        forged = await submit_forged(
            world, world.bob, own, f"easel:{action}:{to_base36(number)}", {"prompt": "x y z", **REMIX_FORM}
        )
        assert private_answer(forged).text == EXPIRED
    assert len(world.messages()) == 2


@bot_with(credits=12)
async def test_what_a_button_starts_names_its_requester_from_the_first_moment_and_vanishes_when_refused(
    world: StoryWorld,
) -> None:
    card = await new_card(world)
    menu = await menu_of(world, world.bob, card)
    remix = await world.bob.click(card, label="Remix")
    ways = [
        lambda: world.bob.click(card, label="Again"),
        lambda: edit(world, world.bob, card),
        lambda: world.bob.submit_modal(remix, {"prompt": "a blue fox", **REMIX_FORM, "ratio": ["1:1"]}),
        lambda: world.bob.click(card, label="2K · 7"),
    ]
    assert rendered(menu).ephemeral
    for refused, way in ((False, ways[0]), (False, ways[1]), (True, ways[2]), (True, ways[3])):
        with world.unfinished():
            pressed = await way()
            if refused:
                assert world.refusal(pressed).text.startswith("This costs")
            else:
                working = rendered(await world.in_progress(pressed))
                assert world.bob.mention in working.text
        if not refused:
            assert (await world.outcome(pressed)).small_print[0] == world.bob.mention
        first: Any = world.calls("POST", "/callback")[-1].json
        assert (first["type"], f"<@{world.bob.id}>" in str(first)) == (4, True)
    assert len(world.messages()) == 3


async def test_a_card_that_was_posted_and_is_not_known_yet_says_to_press_again(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    committing, delivered = asyncio.Event(), TaskRepository.delivered

    async def later(repository: TaskRepository, ready: Iterable[Task], at: datetime) -> None:
        await committing.wait()
        await delivered(repository, ready, at)

    monkeypatch.setattr(TaskRepository, "delivered", later)
    command = await world.imagine(count=2)
    card = response_of(command)
    await until(lambda: rendered(card).images, what="the images")
    for label in ("⋯", "2"):
        assert private_answer(await world.bob.click(card, label=label)).text == refusal(ImageBeingPosted())
    committing.set()
    await world.rest()
    for label in ("⋯", "2"):
        assert rendered(await menu_of(world, world.bob, card, label)).buttons
