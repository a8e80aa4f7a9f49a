"""The floor bot: it has Easel's `/imagine`, and does nothing but acknowledge it."""

import argparse
import logging
from typing import Any, Final, cast

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

_ASPECT_RATIOS: Final = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3")


@app_commands.command(description="Make an image")
@app_commands.choices(
    aspect_ratio=[app_commands.Choice(name=ratio, value=ratio) for ratio in _ASPECT_RATIOS],
    resolution=[app_commands.Choice(name=size, value=size) for size in ("1K", "2K")],
)
async def imagine(
    interaction: discord.Interaction,
    prompt: str,
    model: str | None = None,
    aspect_ratio: str | None = None,
    resolution: str | None = None,
    count: app_commands.Range[int, 1, 4] = 1,
    private: bool = False,
    image: discord.Attachment | None = None,
) -> None:
    """Acknowledge."""
    await interaction.response.defer(thinking=True)


class FloorBot(discord.Client):
    """Registers the one command at its start."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True))
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(cast("app_commands.Command[Any, ..., None]", imagine))

    async def setup_hook(self) -> None:
        await self.tree.sync()


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api-url", required=True)
    parser.add_argument("--gateway-url", required=True)
    options = parser.parse_args()
    Route.BASE = options.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(options.gateway_url)
    logging.basicConfig(level=logging.WARNING)
    FloorBot().run("floor-token", log_handler=None)


if __name__ == "__main__":
    main()
