"""The line of edits: what led to an image, what was made from it, before and after, and going back to any step."""

import io
import re

import discord
import simcord
from PIL import Image
from simcord.backend.models import Overwrite
from simcord.enums import ChannelType, OverwriteType

from bot.domain.ids import to_base36
from bot.store import tables
from bot.ui.custom_ids import Action, CustomId
from bot.ui.texts import edits as texts
from tests.database import execute
from tests.stories.components import (
    EDIT_FORM,
    EXPIRED,
    NOT_YOURS,
    Actor,
    Message,
    custom_id_of,
    delete,
    edit,
    forge,
    menu_of,
    new_card,
    press_forged,
    private_answer,
)
from tests.stories.images import fetched
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import StoryWorld, bot_with, response_of
from tests.stories.test_permissions import thread_in

pytestmark = bot_with(previews=1, credits=1000)


async def edited(world: StoryWorld, by: simcord.MemberActor, card: Message, prompt: str) -> discord.Message:
    """The card of an edit by the Edit button."""
    submitted = await edit(world, by, card, prompt)
    await world.outcome(submitted)
    return response_of(submitted).message


async def panel_of(world: StoryWorld, member: Actor, card: Message, label: str = "⋯") -> simcord.ResponseMessage:
    """The panel of edits, opened by the menu of the card's image."""
    return await menu_of(world, member, await menu_of(world, member, card, label), "Edits")


def lines(panel: simcord.ResponseMessage) -> list[str]:
    """The first line of each step and edit, with its number or letter."""
    return [_plain(text.splitlines()[0]) for text in rendered(panel).texts if text.startswith("**")]


def _plain(line: str) -> str:
    return re.sub(r"^\*\*(\w+)\*\* · ", r"\1 ", line).replace("**", "")


def image_of(world: StoryWorld, card: Message, position: int = 0) -> int:
    rows = execute(world.folder, "SELECT id FROM images WHERE message_id = ? ORDER BY id", (card.id,))
    return int(rows[position][0])


async def test_the_panel_shows_the_line_and_its_branches_and_goes_back_to_any_step(world: StoryWorld) -> None:
    first = await new_card(world, "a red fox")
    assert "Edits" not in rendered(await menu_of(world, world.alice, first)).buttons
    second = await edited(world, world.bob, first, "in snow")
    third = await edited(world, world.alice, second, "at night")
    await edited(world, world.alice, first, "by day")
    panel = await panel_of(world, world.alice, third)
    assert lines(panel) == ["1 a red fox", "2 in snow", "3 at night"]
    shown = rendered(panel)
    assert shown.ephemeral
    assert [image.alt_text for image in shown.images] == ["a red fox", "in snow", "at night"]
    assert shown.buttons == ("1", "2", "3", "Before and after")
    facts = [text.splitlines()[1] for text in shown.texts if text.startswith("**")]
    assert [f"by {world.bob.mention}" in fact for fact in facts] == [False, True, False]
    assert [texts.THIS in fact for fact in facts] == [False, False, True]

    await world.restart()
    middle = await menu_of(world, world.alice, panel, "2")
    assert "in snow" in rendered(middle).text
    await edited(world, world.alice, middle, "with an owl")
    branches = await menu_of(world, world.alice, await menu_of(world, world.alice, panel, "2"), "Edits")
    assert lines(branches) == [
        "1 a red fox",
        "2 in snow",
        texts.made_from_it(0).replace("**", ""),
        "A with an owl",
        "B at night",
    ]
    assert rendered(branches).buttons == ("1", "2", "Before and after", "A", "B")
    root = await panel_of(world, world.bob, first)
    assert lines(root)[2:] == ["A by day", "B in snow"]
    assert rendered(root).buttons == ("1", "A", "B")


async def test_before_and_after_stand_side_by_side_also_when_a_message_is_gone(world: StoryWorld) -> None:
    first = await new_card(world, "a red fox")
    second = await edited(world, world.bob, first, "||in snow||")
    panel = await panel_of(world, world.alice, second)

    async def compared() -> tuple[Rendered, tuple[int, int]]:
        answer = await world.alice.click(panel, label="Before and after")
        await world.rest()
        shown = private_answer(answer)
        assert shown.images, shown.text
        with Image.open(io.BytesIO(await fetched(shown.images[0].url))) as image:
            return shown, image.size

    shown, (width, height) = await compared()
    assert 2 * 1024 < width < 2 * 1024 + 64
    assert 1024 < height < 1200
    assert lines_of(shown) == ["Before a red fox", "After ||in snow||"]
    again = response_of(await world.alice.click(panel, label="Before and after"))
    await world.rest()
    assert _spoilers(again.message) == [True]
    await delete(world, world.alice, first)
    world.clock.advance(15 * 24 * 3600)
    shown, _ = await compared()
    assert shown.text.endswith(texts.PREVIEW_USED.removeprefix("-# "))
    execute(world.folder, "DELETE FROM previews")
    refused = private_answer(await world.alice.click(panel, label="Before and after"))
    assert refused.text.startswith("One of the two images no longer exists")


def lines_of(shown: Rendered) -> list[str]:
    return [_plain(line) for line in shown.text.splitlines() if line.startswith("**")]


def _spoilers(message: discord.Message) -> list[bool]:
    (container,) = message.components
    assert isinstance(container, discord.Container)
    galleries = [part for part in container.children if isinstance(part, discord.MediaGalleryComponent)]
    return [item.spoiler for gallery in galleries for item in gallery.items]


async def test_private_images_of_others_are_neither_shown_nor_named(world: StoryWorld) -> None:
    command = await world.imagine("a secret garden", private=True)
    await world.outcome(command)
    hidden = response_of(command)
    step = await edited(world, world.alice, hidden, "at a secret hour")
    await world.alice.click(await menu_of(world, world.alice, step), label="Share")
    await world.rest()
    (copy,) = world.messages()
    # Made from the private card although a copy was shared: the parent is known all the same.
    await edited(world, world.alice, step, "a secret edit")
    public = await edited(world, world.bob, copy, "in public")

    for_bob = await panel_of(world, world.bob, copy)
    assert lines(for_bob) == [f"1 {texts.PRIVATE}", "2 at a secret hour", "Made from this image", "A in public"]
    assert rendered(for_bob).buttons == ("2", "A")
    assert len(rendered(for_bob).images) == 2
    assert lines(await panel_of(world, world.bob, public)) == [
        f"1 {texts.PRIVATE}",
        "2 at a secret hour",
        "3 in public",
    ]
    for_alice = await panel_of(world, world.alice, copy)
    assert lines(for_alice) == [
        "1 a secret garden",
        "2 at a secret hour",
        "Made from this image",
        "A in public",
        "B a secret edit",
    ]
    for action in (Action.IMAGE, Action.EDITS, Action.COMPARE):
        forged = str(CustomId(action, image_of(world, hidden), world.bob.id))
        forge(world, for_bob.message, "A", forged)
        assert private_answer(await world.bob.click(for_bob, label="A")).text == EXPIRED
    compare = str(CustomId(Action.COMPARE, image_of(world, copy), 0))
    forge(world, copy, "Edit", compare)
    assert "no image before" in private_answer(await world.bob.click(copy, label="Edit")).text


async def test_what_was_posted_where_a_member_may_not_read_is_not_shown(world: StoryWorld) -> None:
    card = await new_card(world, "a red fox")
    staff = world.env.guild.create_text_channel("staff")
    view = discord.Permissions(view_channel=True).value
    world.env.backend.set_overwrite(staff.id, Overwrite(world.env.guild.id, OverwriteType.ROLE, deny=view))
    for reader in (world.alice.id, world.admin.id, world.env.backend.bot_user.id):
        world.env.backend.set_overwrite(staff.id, Overwrite(reader, OverwriteType.MEMBER, allow=view))
    found = response_of(await world.alice.slash(staff, "history"))
    private = await edited(world, world.alice, await menu_of(world, world.alice, found, "1"), "for the staff")
    await world.alice.click(await menu_of(world, world.alice, private), label="Share")
    await world.rest()
    assert [rendered(message).headline for message in staff.history(viewer=world.admin)] == ["**for the staff**"]

    assert "A for the staff" in lines(await panel_of(world, world.admin, card))
    assert "Edits" not in rendered(await menu_of(world, world.bob, card)).buttons
    # Somebody who could read there at the time has saved it.
    execute(
        world.folder,
        "INSERT INTO favourites (user_id, image_id, saved_at) SELECT ?, id, posted_at FROM images WHERE shared",
        (world.bob.id,),
    )
    assert "A for the staff" in lines(await panel_of(world, world.bob, card))


async def test_images_of_archived_threads_are_shown_to_those_who_may_read_there(world: StoryWorld) -> None:
    thread = thread_in(world, world.channel)
    first = await world.alice.slash(thread, "imagine", prompt="a red fox")
    await world.outcome(first)
    forward = await world.alice.forward(response_of(first), world.channel)
    opened = await world.bob.context_menu(world.channel, "Edit image", forward)
    second = await world.bob.submit_modal(opened, {"prompt": "in snow", **EDIT_FORM})
    await world.outcome(second)
    world.env.backend.edit_channel(thread.id, {}, thread_metadata={"archived": True})
    await world.env.settle()

    async def seen(by: simcord.MemberActor) -> list[str]:
        return lines(await panel_of(world, by, response_of(second)))

    assert await seen(world.admin) == ["1 a red fox", "2 in snow"]
    view = discord.Permissions(read_message_history=True).value
    world.env.backend.set_overwrite(world.channel.id, Overwrite(world.bob.id, OverwriteType.MEMBER, deny=view))
    assert await seen(world.bob) == [f"1 {texts.PRIVATE}", "2 in snow"]
    stored = world.env.backend.get_thread(thread.id)
    stored.type = ChannelType.PRIVATE_THREAD
    assert await seen(world.admin) == [f"1 {texts.PRIVATE}", "2 in snow"]
    stored.type = ChannelType.PUBLIC_THREAD
    world.env.inject_error("GET", f"/channels/{thread.id}", status=403, code=50001, times=None)
    assert await seen(world.admin) == [f"1 {texts.PRIVATE}", "2 in snow"]


async def test_a_panel_is_for_the_one_who_opened_it_and_turns_only_in_private(world: StoryWorld) -> None:
    card = await new_card(world, "a red fox")
    for number in range(1, 8):
        await edited(world, world.bob, card, f"change {number}")
    panel = await panel_of(world, world.alice, card)
    assert lines(panel)[1:] == ["Made from this image", "A change 7", "B change 6", "C change 5"]
    older = custom_id_of(panel, "Older")
    assert private_answer(await press_forged(world, world.bob, panel, older)).text == NOT_YOURS
    await world.restart()
    await world.alice.click(panel, label="Older")
    await world.alice.click(panel, label="Older")
    assert lines(panel)[1:] == ["Made from this image · page 3", "A change 1"]
    await world.alice.click(panel, label="Newer")
    assert lines(panel)[2:] == ["A change 4", "B change 3", "C change 2"]
    for text in ("zzzzzzz", "!", "-1"):
        forge(world, panel.message, "Older", f"{older.rpartition(':')[0]}:{text}")
        assert private_answer(await world.alice.click(panel, label="Older")).text == EXPIRED
    forge(world, card, "Edit", f"easel:edits:{to_base36(image_of(world, card))}:{to_base36(world.alice.id)}:1")
    assert private_answer(await world.alice.click(card, label="Edit")).text == EXPIRED


async def test_of_a_long_line_the_first_and_the_last_steps_are_shown(world: StoryWorld) -> None:
    card = await new_card(world, "a red fox")
    last = await edited(world, world.alice, card, "the newest")
    _lengthen(world, image_of(world, last), 1_000)
    panel = await panel_of(world, world.alice, last)
    assert [line.split(" ")[0] for line in lines(panel)] == ["1", "1000", "1001", "1002"]
    assert "… 998 more steps …" in rendered(panel).text
    # Rows that name each other end the line instead of the process.
    first = execute(world.folder, "SELECT min(id) FROM images")[0][0]
    execute(world.folder, "UPDATE images SET parent_id = ? WHERE id = ?", (image_of(world, last), first))
    assert lines(await panel_of(world, world.alice, last))[0] == "1 a red fox"


def _lengthen(world: StoryWorld, newest: int, steps: int) -> None:
    """Put so many edits between the newest image and its parent."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {steps})"
    ((parent,),) = execute(world.folder, "SELECT parent_id FROM images WHERE id = ?", (newest,))
    new = {"id": f"{parent} + i", "kie_task_id": "NULL", "parent_id": f"{parent} + i - 1", "message_id": "i"}
    for table in (tables.tasks, tables.images):
        columns = [column.name for column in table.columns]
        values = ", ".join(new.get(column, column) for column in columns)
        insert = f"{numbers} INSERT INTO {table.name} ({', '.join(columns)}) SELECT {values} FROM {table.name}, n"
        execute(world.folder, f"{insert} WHERE id = ?", (newest,))
    execute(world.folder, f"UPDATE images SET parent_id = {parent + steps} WHERE id = ?", (newest,))
