"""Message commands and their forms, through the panel."""

from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands

from tests.demo.panel.visitor import Told, Visitor, dot, open_visitor


class Wishes(discord.ui.Modal, title="Wishes"):
    """A form with one field of each kind that the panel shows."""

    note: discord.ui.TextDisplay[Any] = discord.ui.TextDisplay("Say what you want.")
    words: discord.ui.Label[Any] = discord.ui.Label(
        text="What should change?", component=discord.ui.TextInput(custom_id="words", min_length=3, max_length=20)
    )
    size: discord.ui.Label[Any] = discord.ui.Label(
        text="Size",
        description="Large takes longer",
        component=discord.ui.Select(
            custom_id="size",
            options=[discord.SelectOption(label="Small", value="1", default=True), discord.SelectOption(label="Large")],
        ),
    )
    files: discord.ui.Label[Any] = discord.ui.Label(
        text="Pictures", component=discord.ui.FileUpload(custom_id="pictures", required=False, max_values=2)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        words, size, files = (label.component for label in (self.words, self.size, self.files))
        assert isinstance(words, discord.ui.TextInput)
        assert isinstance(size, discord.ui.Select)
        assert isinstance(files, discord.ui.FileUpload)
        names = [file.filename for file in files.values]
        await interaction.response.send_message(f"**{words.value}** {size.values} {names}", ephemeral=True)


async def open_form(visitor: Visitor) -> dict[str, Any]:
    """The form that a command of the bot opens on bob's picture."""

    @app_commands.context_menu(name="Wish")
    async def wish(interaction: discord.Interaction, message: discord.Message) -> None:
        if message.attachments:
            await interaction.response.send_modal(Wishes())
        else:
            await interaction.response.send_message("There is **no picture** here.", ephemeral=True)

    tree = visitor.demo.app.client.tree
    tree.add_command(wish)
    await tree.sync()
    assert "Wish" in (await visitor.get("state")).content["apps"]
    told = await use(visitor, "Wish", visitor.demo.world.picture.id)
    opened: dict[str, Any] = told.content["form"]
    return opened


async def use(visitor: Visitor, app: str, message: int) -> Told:
    return await visitor.post("apps", {"member": str(visitor.demo.world.alice.id), "app": app, "message": str(message)})


async def test_a_form_is_told_field_by_field(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        form = await open_form(visitor)
    assert form["title"] == "Wishes"
    note, words, size, files = form["questions"]
    assert note["content"] == "Say what you want."
    assert (words["label"], words["required"], words["max_length"]) == ("What should change?", True, 20)
    assert (size["label"], size["description"]) == ("Size", "Large takes longer")
    assert [(one["label"], one["default"]) for one in size["options"]] == [("Small", True), ("Large", False)]
    assert (files["required"], files["max_values"]) == (False, 2)


async def test_a_form_is_sent_and_its_private_answer_shown(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        form = await open_form(visitor)
        path = f"forms/{form['handle']}"
        told = await visitor.post(path, {"words": "snow", "size": "Large"}, [("a.png", dot()), ("b.png", dot("red"))])
        assert told.content == {
            "note": "Only alice sees this:",
            "private": ["snow ['Large'] ['a.png', 'b.png']"],
            "form": None,
        }
        assert (await visitor.post(path, {"words": "snow", "size": "1"})).error == "This form is closed. Open it again."


@pytest.mark.parametrize(
    ("fields", "files", "sentence"),
    [
        ({"words": " "}, 0, "“What should change?” needs an answer."),
        ({"words": "no"}, 0, "“What should change?” needs at least 3 characters."),
        ({"words": "x" * 21}, 0, "“What should change?” holds at most 20 characters."),
        ({"size": "Huge"}, 0, "“Size” takes only what is on its list."),
        ({"size": ""}, 0, "“Size” needs at least one choice."),
        ({}, 3, "At most 2 files fit here, and you attached 3. Remove some."),
    ],
)
async def test_a_form_stays_open_until_its_answers_fit(
    tmp_path: Path, fields: dict[str, str], files: int, sentence: str
) -> None:
    async with open_visitor(tmp_path) as visitor:
        form = await open_form(visitor)
        path = f"forms/{form['handle']}"
        good = {"words": "snow", "size": "1"}
        refused = await visitor.post(path, good | fields, [("dot.png", dot())] * files)
        assert (refused.status, refused.error) == (400, sentence)
        assert (await visitor.post(path, good)).status == 200


async def test_a_private_refusal_of_the_bot_is_shown(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        await open_form(visitor)
        world = visitor.demo.world
        greeting = world.studio.history(viewer=world.alice)[0]
        told = await use(visitor, "Wish", greeting.id)
        assert told.content["private"] == ["There is no picture here."]


async def test_a_command_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        told = await use(visitor, "Unheard of", visitor.demo.world.picture.id)
        assert told.status == 400
        assert "Unheard of" in told.error
