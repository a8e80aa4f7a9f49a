"""/ops: how the bot is doing, which servers use it, and pausing it; in the operator's own server alone."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import Period
from bot.domain.errors import NothingToChange
from bot.domain.ids import UserId
from bot.domain.text import clean
from bot.ui.cards import BLURPLE
from bot.ui.interactions import edit_answer
from bot.ui.ops_panels import discord_status, is_operator, paused_view, servers_answer, status_view
from bot.ui.panels import panel
from bot.ui.services import Services
from bot.ui.texts import commands as texts
from bot.ui.texts import ops_commands as answers

_Reason = app_commands.Range[str, 1, 300]


@final
class Ops(commands.Cog):
    """Discord shows these commands to administrators of that server; the check here does not rely on that."""

    ops = app_commands.Group(
        name="ops",
        description=texts.OPS,
        guild_only=True,
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
        default_permissions=discord.Permissions(administrator=True),
    )

    def __init__(self, services: Services, client: discord.AutoShardedClient) -> None:
        self._services = services
        self._operator = services.operator
        self._client = client

    def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """An administrator, in the operator's server."""
        return is_operator(interaction, self._operator.guild_id)

    @ops.command(description=texts.OPS_STATUS)
    async def status(self, interaction: discord.Interaction[Any]) -> None:
        """Show the bot's status, to the one who asked alone, as every answer here."""
        await _acknowledge(interaction)
        status = await self._operator.status.status()
        await edit_answer(interaction, lambda words: status_view(status, discord_status(self._client), words=words))

    @ops.command(description=texts.OPS_SERVERS)
    @app_commands.describe(period=texts.REPORT_PERIOD)
    @app_commands.choices(
        period=[app_commands.Choice(name=name, value=period.value) for period, name in texts.REPORT_PERIODS.items()]
    )
    async def servers(self, interaction: discord.Interaction[Any], period: str = Period.MONTH.value) -> None:
        """Show the servers by what they spend."""
        await _acknowledge(interaction)
        await edit_answer(interaction, await servers_answer(self._services, interaction, Period(period), 0))

    @ops.command(description=texts.OPS_PAUSE)
    @app_commands.describe(reason=texts.PAUSE_REASON)
    async def pause(self, interaction: discord.Interaction[Any], reason: _Reason) -> None:
        """Refuse new requests."""
        await _acknowledge(interaction)
        words = clean(reason)
        if not words:
            raise NothingToChange
        pause = await self._operator.pauses.pause(words, UserId(interaction.user.id))
        await edit_answer(interaction, lambda words: paused_view(pause, words=words))

    @ops.command(description=texts.OPS_RESUME)
    async def resume(self, interaction: discord.Interaction[Any]) -> None:
        """Accept requests again, unless KIE refuses them."""
        await _acknowledge(interaction)
        pause = await self._operator.pauses.resume(UserId(interaction.user.id))
        still_refused = answers.still_refused(await self._operator.status.queue())
        lines = [answers.NOT_PAUSED if pause is None else answers.resumed(pause), still_refused]
        await _answer(interaction, *filter(None, lines))

    @ops.command(description=texts.OPS_BACKUP)
    async def backup(self, interaction: discord.Interaction[Any]) -> None:
        """Back the database up; the answer may take minutes."""
        await _acknowledge(interaction)
        backups = self._operator.backups
        await _answer(
            interaction, answers.USE_PG_DUMP if backups is None else answers.backed_up(await backups.back_up())
        )


async def _acknowledge(interaction: discord.Interaction[Any]) -> None:
    await interaction.response.defer(ephemeral=True, thinking=True)


async def _answer(interaction: discord.Interaction[Any], *lines: str) -> None:
    await edit_answer(interaction, lambda _: panel(BLURPLE, lines))


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    guild_id = bot.command_options.operator_guild
    if guild_id is not None:
        await bot.add_cog(Ops(bot.services, bot), guild=discord.Object(guild_id))
