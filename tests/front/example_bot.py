"""A small bot of Easel's shape, to try the front with: slow pictures, a lasting button, secrets, nonces."""

import asyncio
import io
import logging
import os
import re
import signal
from typing import Any, Self, final

import discord
from discord import app_commands
from discord.ext import commands
from PIL import Image

_TOKEN_VARIABLE = "EXAMPLE_BOT_TOKEN"


@final
class AgainButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.LayoutView]], template=r"again:(?P<round>\d+)"):
    """A button that outlives the process: its round is in its id."""

    def __init__(self, round_number: int) -> None:
        super().__init__(discord.ui.Button(label="Again", custom_id=f"again:{round_number}"))
        self._round = round_number

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["round"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True)
        card = Card(f"round {self._round}", self._round + 1)
        await interaction.edit_original_response(view=card, attachments=[_picture((32, 16))])


class Card(discord.ui.LayoutView):
    """A picture with its caption and a button."""

    def __init__(self, caption: str, next_round: int) -> None:
        super().__init__(timeout=None)
        gallery: discord.ui.MediaGallery[Self] = discord.ui.MediaGallery()
        gallery.add_item(media="attachment://picture.png", description=caption)
        row: discord.ui.ActionRow[Self] = discord.ui.ActionRow()
        row.add_item(AgainButton(next_round))
        self.add_item(discord.ui.Container(discord.ui.TextDisplay(caption), gallery, row))


@final
class Paintings(commands.Cog):
    """The commands."""

    @app_commands.command()
    async def paint(self, interaction: discord.Interaction, picture: discord.Attachment) -> None:
        """Answers late, with a picture of the size of the one given."""
        await interaction.response.defer(thinking=True)
        with Image.open(io.BytesIO(await picture.read())) as image:
            size = image.size
        caption = f"{picture.filename} {picture.width}x{picture.height} limit {interaction.filesize_limit}"
        await interaction.edit_original_response(view=Card(caption, 1), attachments=[_picture(size)])

    @app_commands.command()
    async def secret(self, interaction: discord.Interaction) -> None:
        """Answers to one member, then mends the answer through the message's own id."""
        await interaction.response.send_message("draft", ephemeral=True)
        message = await interaction.original_response()
        await interaction.followup.edit_message(message.id, content="for your eyes")

    @app_commands.command()
    async def post(self, interaction: discord.Interaction, nonce: str) -> None:
        """Sends a message into the channel under a nonce, and tells its id."""
        await interaction.response.defer(ephemeral=True)
        if not isinstance(interaction.channel, discord.TextChannel):
            raise TypeError("post belongs into a text channel")
        message = await interaction.channel.send("posted", nonce=nonce)
        await interaction.edit_original_response(content=str(message.id))

    @app_commands.command()
    async def upload(self, interaction: discord.Interaction, size: int) -> None:
        """Uploads that many bytes, and tells how Discord took it."""
        await interaction.response.defer()
        file = discord.File(io.BytesIO(bytes(size)), "large.bin")
        try:
            await interaction.edit_original_response(content="uploaded", attachments=[file])
        except discord.HTTPException as error:
            await interaction.edit_original_response(content=f"{error.status} {error.code}")


@final
class ExampleBot(commands.Bot):
    """Registers its commands, and answers mentions."""

    def __init__(self) -> None:
        super().__init__(commands.when_mentioned, intents=discord.Intents.default(), help_command=None)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(AgainButton)
        await self.add_cog(Paintings())
        await self.tree.sync()

    async def on_message(self, message: discord.Message, /) -> None:
        if self.user in message.mentions:
            await message.reply(f"you said {message.content}")


def _picture(size: tuple[int, int]) -> discord.File:
    packed = io.BytesIO()
    Image.new("RGB", size, "teal").save(packed, "PNG")
    packed.seek(0)
    return discord.File(packed, "picture.png", description="a teal field")


async def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with ExampleBot() as bot:
        running = asyncio.create_task(bot.start(os.environ[_TOKEN_VARIABLE]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await bot.close()
        await running


if __name__ == "__main__":
    asyncio.run(main())
