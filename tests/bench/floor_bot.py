"""The floor: a bot with Easel's `/imagine` that does nothing but acknowledge it."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import Any, Final, cast

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

ASPECT_RATIOS: Final = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3")


@app_commands.command(description="Make a picture")
@app_commands.choices(
    aspect_ratio=[app_commands.Choice(name=ratio, value=ratio) for ratio in ASPECT_RATIOS],
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
    """Acknowledge, and leave it at that."""
    await interaction.response.defer(thinking=True)


class FloorBot(discord.Client):
    """A client whose tree holds the one command, sent to Discord at start."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True))
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(cast("app_commands.Command[Any, ..., None]", imagine))

    async def setup_hook(self) -> None:
        """Register the command."""
        await self.tree.sync()


async def serve() -> None:
    """Run until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with FloorBot() as bot:
        running = asyncio.create_task(bot.start("floor-token"))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if running.done():
            running.result()
        await bot.close()
        await running


def main(arguments: Sequence[str] | None = None) -> None:
    """Point discord.py at the given addresses and run the bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api-url", required=True)
    parser.add_argument("--gateway-url", required=True)
    given = parser.parse_args(arguments)
    Route.BASE = given.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(given.gateway_url)
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve())


if __name__ == "__main__":
    main()
