"""Message commands and their modals, through the panel."""

from pathlib import Path
from typing import Any

import discord
from discord import app_commands

from tests.demo.panel.visitor import PanelAnswer, Visitor, dot, open_visitor


class ChangeModal(discord.ui.Modal, title="Changes"):
    """A modal with one field of each kind that the panel shows."""

    note: discord.ui.TextDisplay[Any] = discord.ui.TextDisplay("Say what you want.")
    words: discord.ui.Label[Any] = discord.ui.Label(
        text="What should change?", component=discord.ui.TextInput(custom_id="words", min_length=3, max_length=20)
    )
    size: discord.ui.Label[Any] = discord.ui.Label(
        text="Size",
        component=discord.ui.Select(
            custom_id="size", options=[discord.SelectOption(label="Small"), discord.SelectOption(label="Large")]
        ),
    )
    files: discord.ui.Label[Any] = discord.ui.Label(
        text="Images", component=discord.ui.FileUpload(custom_id="images", required=False, max_values=2)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        words, size, files = (label.component for label in (self.words, self.size, self.files))
        assert isinstance(words, discord.ui.TextInput)
        assert isinstance(size, discord.ui.Select)
        assert isinstance(files, discord.ui.FileUpload)
        names = [file.filename for file in files.values]
        await interaction.response.send_message(f"**{words.value}** {size.values} {names}", ephemeral=True)


async def open_modal(visitor: Visitor) -> dict[str, Any]:
    """What the panel answers when a command of the bot opens a modal on bob's image."""

    @app_commands.context_menu(name="Change")
    async def change(interaction: discord.Interaction, message: discord.Message) -> None:
        if message.attachments:
            await interaction.response.send_modal(ChangeModal())
        else:
            await interaction.response.send_message("There is **no image** here.", ephemeral=True)

    tree = visitor.demo.app.client.tree
    tree.add_command(change)
    await tree.sync()
    assert "Change" in (await visitor.get("state")).content["apps"]
    return (await use(visitor, "Change", visitor.guild.image.id)).content


async def use(visitor: Visitor, app: str, message: int) -> PanelAnswer:
    return await visitor.post("apps", {"member": str(visitor.guild.alice.id), "app": app, "message": str(message)})


async def test_a_modal_is_shown_submitted_once_and_answered_privately(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        opened = await open_modal(visitor)
        assert opened["modal"]["title"] == "Changes"
        note, words, *_ = opened["modal"]["components"]
        assert note["content"] == "Say what you want."
        assert (words["label"], words["component"]["max_length"]) == ("What should change?", 20)
        path = f"modals/{opened['handle']}"
        images = [("a.png", dot()), ("b.png", dot("red"))]
        answer = await visitor.post(path, {"words": "snow", "size": "Large"}, images)
        assert answer.content["note"] == "Only alice can see this:"
        assert answer.content["private"] == ["snow ['Large'] ['a.png', 'b.png']"]
        again = await visitor.post(path, {"words": "snow", "size": "Small"})
        assert again.error == "This form is closed. Open it again."


async def test_a_modal_stays_open_until_its_answers_fit(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        path = f"modals/{(await open_modal(visitor))['handle']}"
        fitting = {"words": "snow", "size": "Small"}
        for fields, files, words in (
            ({"words": ""}, 0, "cannot be empty"),
            ({"words": "no"}, 0, "min_length=3"),
            ({"words": "x" * 21}, 0, "max_length=20"),
            ({"size": "Huge"}, 0, "does not exist"),
            ({"size": ""}, 0, "was not supplied"),
            ({}, 3, "between 1 and 2 files"),
        ):
            refused = await visitor.post(path, fitting | fields, [("dot.png", dot())] * files)
            assert refused.status == 400
            assert refused.error.startswith("Discord wouldn't allow this: ")
            assert words in refused.error
        assert (await visitor.post(path, fitting)).status == 200


async def test_refusals_of_the_bot_and_of_discord_are_shown(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        await open_modal(visitor)
        welcome = visitor.guild.channel.history(viewer=visitor.guild.alice)[0]
        assert (await use(visitor, "Change", welcome.id)).content["private"] == ["There is no image here."]
        refused = await use(visitor, "Unheard of", visitor.guild.image.id)
        assert (refused.status, "Unheard of" in refused.error) == (400, True)
