"""Says hello in a server that the bot has joined."""

from typing import final

import discord
from discord.ext import commands

from bot.client import EaselClient
from bot.ui.greeting import greet


@final
class Greeting(commands.Cog):
    """Listens to joining alone: Discord announces every server at each start and after each outage, too."""

    def __init__(self, client: EaselClient) -> None:
        self._client = client

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Called by discord.py when the bot was added to a server; one that the operator did not list is left."""
        services = self._client.services
        if services.access.allows(guild.id):
            async with services.errors.log_only():
                await greet(services, guild, self._client.tree)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(Greeting(bot))
