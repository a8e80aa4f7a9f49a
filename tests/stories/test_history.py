"""/history and /favourites: members look through their own images, search them, and save what they like."""

import io
from datetime import timedelta
from typing import Any

import discord
import simcord
from PIL import Image

from bot.domain.ids import to_base36
from bot.ui.custom_ids import Action, CustomId
from bot.ui.texts import history as texts
from tests.database import execute
from tests.stories.components import (
    EXPIRED,
    NOT_YOURS,
    custom_id_of,
    forge,
    new_card,
    press_forged,
    private_answer,
)
from tests.stories.images import fetched
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import StoryWorld, bot_with, response_of


async def history(
    world: StoryWorld, *, by: simcord.MemberActor | None = None, command: str = "history", **options: object
) -> simcord.ResponseMessage:
    """The answer to the command, which only its member sees."""
    shown = response_of(await (by or world.alice).slash(world.channel, command, **options))
    assert rendered(shown).ephemeral
    return shown


def entries(shown: Rendered) -> list[str]:
    """The words of each entry, in their order."""
    lines = [text.splitlines()[0] for text in shown.texts if text.startswith("**")]
    assert [line.split("**")[1] for line in lines] == [str(number) for number in range(1, len(lines) + 1)]
    return [line.split("** · ", 1)[1] for line in lines]


async def listed(world: StoryWorld, **options: Any) -> list[str]:
    return entries(rendered(await history(world, **options)))


async def save(world: StoryWorld, by: simcord.MemberActor, message: discord.Message) -> simcord.InteractionResult:
    return await by.context_menu(world.channel, "Save image", message)


@bot_with(previews=1)
async def test_entries_have_previews_words_time_model_and_place(world: StoryWorld) -> None:
    await world.delivered("a red fox in snow")
    await world.outcome(await world.imagine("a *secret* garden", private=True, model="flex"))
    await world.delivered("of bob's", by=world.bob)
    shown = rendered(await history(world))

    assert entries(shown) == ["a \\*secret\\* garden", "a red fox in snow"]
    assert shown.texts[0] == "### Your images"
    private, public = [text.splitlines()[1] for text in shown.texts if text.startswith("**")]
    assert private.startswith("-# <t:")
    assert private.endswith(":R> · FLUX.2 Flex · only you")
    link = f"https://discord.com/channels/{world.env.guild.id}/{world.channel.id}/"
    assert f":R> · FLUX.2 Pro · [message]({link}" in public
    assert [preview.alt_text for preview in shown.images] == ["a \\*secret\\* garden", "a red fox in snow"]
    for preview in shown.images:
        data = await fetched(preview.url)
        assert len(data) <= 10_000
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, max(image.size)) == ("WEBP", 256)
    assert shown.buttons == ("1", "2")
    assert not list((world.files / "spool").iterdir())


@bot_with(credits=100)
async def test_pages_are_turned_to_the_end_and_back_in_the_next_process(world: StoryWorld) -> None:
    for _ in range(3):
        await world.delivered("four birds", count=4)
    panel = await history(world, search="BIRDS")
    images = execute(world.folder, "SELECT id FROM images ORDER BY id DESC")
    order = [to_base36(image) for (image,) in images]

    def page() -> list[str]:
        return [custom_id_of(panel, number).split(":")[2] for number in rendered(panel).buttons if number.isdecimal()]

    assert page() == order[:5]
    assert rendered(panel).texts[0] == "### Your images\n-# “birds”"
    await world.alice.click(panel, label="Older")
    assert page() == order[5:10]
    await world.restart()
    await world.alice.click(panel, label="Older")
    assert page() == order[10:]
    await world.alice.click(panel, label="Newer")
    assert page() == order[5:10]
    await world.alice.click(panel, label="Newer")
    assert page() == order[:5]
    # What the page began after is gone by now.
    older = custom_id_of(panel, "Older")
    execute(world.folder, "DELETE FROM images WHERE id IN (SELECT id FROM images ORDER BY id DESC LIMIT 5)")
    await press_forged(world, world.alice, panel, older)
    assert page() == order[5:10]


async def test_search_and_filters(world: StoryWorld) -> None:
    await world.delivered("A red fox, sleeping; in the snow-covered garden")
    await world.delivered("a red Lighthouse by Café Fox/Hound", model="flex")
    await world.outcome(await world.alice.user.slash("imagine", prompt="an owl in a red coat"))
    fox, light, owl = (
        "A red fox, sleeping; in the snow\\-covered garden",
        "a red Lighthouse by Café Fox/Hound",
        "an owl in a red coat",
    )
    found = {
        "red": [owl, light, fox],
        "FOX red": [light, fox],
        "snow covered": [fox],
        "café hound": [light],
        "light": [],
        "red AND NOT fox*": [],
        '")(': [owl, light, fox],
        "member": [],
    }
    for search, expected in found.items():
        assert await listed(world, search=search) == expected, search
    assert await listed(world, this_server=True) == [light, fox]
    assert await listed(world, this_server=True, search="red", model="flex") == [light]
    assert await listed(world, by=world.bob, search="red") == []
    assert rendered(await history(world, search="unicorn")).texts[1] == texts.NOTHING_FOUND
    assert rendered(await history(world, by=world.bob)).texts[1] == texts.NO_IMAGES


async def test_members_save_images_of_others_and_take_them_out(world: StoryWorld) -> None:
    card = await new_card(world, "four otters", count=4)
    answer = await save(world, world.bob, card)
    assert private_answer(answer).buttons == ("⭐ 1", "⭐ 2", "⭐ 3", "⭐ 4")
    assert "4 of 4 images saved" in private_answer(answer).text
    await save(world, world.bob, card)
    panel = response_of(answer)
    await world.bob.click(panel, label="⭐ 2")
    assert rendered(panel).buttons == ("⭐ 1", "2", "⭐ 3", "⭐ 4")
    await world.restart()
    await world.bob.click(panel, label="⭐ 3")

    saved = rendered(await history(world, by=world.bob, command="favourites", search="otters"))
    assert entries(saved) == ["four otters"] * 2
    assert f"⭐ · by <@{world.alice.id}>" in saved.text
    assert await listed(world, command="favourites") == []
    assert await listed(world, by=world.bob) == []
    await save(world, world.alice, card)
    assert await listed(world, favourites=True) == ["four otters"] * 4
    # The image stays known when its message is deleted.
    await world.admin.delete(card)
    assert await listed(world, by=world.bob, command="favourites") == ["four otters"] * 2


async def test_what_is_no_image_of_ours_or_private_cannot_be_saved(world: StoryWorld) -> None:
    message = await world.bob.send(world.channel, "hello")
    refusal = private_answer(await save(world, world.alice, message))
    assert refusal.text == "There's no image of mine in this message. Use this on a message with an image I made."
    private = await world.imagine("in private", private=True)
    await world.outcome(private)
    (image,) = execute(world.folder, "SELECT id FROM images")[0]
    card = await new_card(world, "a public hill", by=world.bob)
    forge(world, card, "Again", str(CustomId(Action.FAVOURITE, image)))
    assert private_answer(await world.bob.click(card, label="Again")).text == EXPIRED
    assert execute(world.folder, "SELECT 1 FROM favourites") == []


async def test_a_button_that_names_an_image_of_others_counts_only_where_that_is_shown(world: StoryWorld) -> None:
    hidden = await new_card(world, "of alice's")
    card = await new_card(world, "of bob's", by=world.bob)
    ids = [image for (image,) in execute(world.folder, "SELECT id FROM images ORDER BY id")]
    forge(world, card, "Again", str(CustomId(Action.FAVOURITE, ids[0])))
    assert private_answer(await world.bob.click(card, label="Again")).text == EXPIRED
    # Alice's own image may be saved by her from anywhere, and by Bob from its card; the second press takes it out.
    assert "Saved" in private_answer(await world.alice.click(card, label="Again")).text
    forge(world, hidden, "Again", str(CustomId(Action.FAVOURITE, ids[0])))
    assert "Saved" in private_answer(await world.bob.click(hidden, label="Again")).text
    assert private_answer(await world.bob.click(hidden, label="Again")).text == texts.UNSAVED
    execute(world.folder, "DELETE FROM images WHERE id = ?", [ids[0]])
    assert private_answer(await world.alice.click(hidden, label="Again")).text == EXPIRED


async def test_a_page_is_turned_by_its_member_alone_and_never_on_a_public_message(world: StoryWorld) -> None:
    await world.delivered("six birds", count=4)
    await world.delivered("six birds", count=4)
    panel = await history(world)
    older = custom_id_of(panel, "Older")
    before = rendered(panel)
    assert private_answer(await press_forged(world, world.bob, panel, older)).text == NOT_YOURS
    assert rendered(panel) == before
    card = world.messages()[0]
    forge(world, card, "Again", older)
    assert private_answer(await world.alice.click(card, label="Again")).text == EXPIRED
    for text in ("", "zz.x", "1", "nonsense", "1.a:b"):
        forged = f"easel:history:{to_base36(world.alice.id)}:5:{text}"
        message = world.env.backend.get_message(world.channel.id, panel.id)
        assert message is not None
        await press_forged(world, world.alice, panel, forged)


async def test_each_entry_opens_its_images_menu_from_which_it_is_saved_and_taken_out(world: StoryWorld) -> None:
    await world.delivered("a fox")
    await world.delivered("an owl")
    panel = await history(world)
    menu = response_of(await world.alice.click(panel, label="2"))
    assert rendered(menu).ephemeral
    assert "a fox" in rendered(menu).text
    assert "Saved" in private_answer(await world.alice.click(menu, label="⭐ Favourite")).text
    assert await listed(world, command="favourites") == ["a fox"]
    assert "Remove favourite" in private_answer(await world.alice.click(panel, label="2")).buttons
    await world.restart()
    assert private_answer(await world.alice.click(menu, label="⭐ Favourite")).text == texts.UNSAVED
    assert await listed(world, command="favourites") == []
    for label in ("1", "2"):
        assert private_answer(await press_forged(world, world.bob, panel, custom_id_of(panel, label))).text == NOT_YOURS


@bot_with(previews=1)
async def test_words_previews_and_favourites_go_with_what_they_belong_to(world: StoryWorld) -> None:
    await world.delivered("a heron named Ottoline")
    card = await new_card(world, "a heron at night", by=world.bob)
    for member in (world.alice, world.bob):
        await save(world, member, card)
    assert len(execute(world.folder, "SELECT 1 FROM previews")) == 2
    assert await listed(world, search="ottoline") == ["a heron named Ottoline"]
    execute(world.folder, "UPDATE generations SET prompt = '' WHERE user_id = ?", [world.alice.id])
    assert await listed(world, search="ottoline") == []
    assert await listed(world) == [texts.WORDS_DELETED]

    panel = response_of(await world.bob.slash(world.channel, "privacy"))
    await world.bob.click(panel, label="Erase my data…")
    await world.bob.click(panel, label="Erase everything")
    await world.rest()
    await world.app.eraser.work()
    assert execute(world.folder, "SELECT 1 FROM favourites") == []
    assert len(execute(world.folder, "SELECT 1 FROM previews")) == 1
    assert await listed(world, by=world.bob) == []
    world.clock.advance(timedelta(days=1).total_seconds())
