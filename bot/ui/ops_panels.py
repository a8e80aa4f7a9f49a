"""The answers to /ops, and the pages of its list of servers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import discord
from discord import app_commands, ui

from bot import VERSION
from bot.domain.credits import Period
from bot.domain.errors import GenerationGone
from bot.domain.ids import DIRECT_MESSAGES, GuildId
from bot.generation.operator_pause import OperatorPause
from bot.generation.status import Status
from bot.quota.servers import PAGE, ServerPage
from bot.ui.buttons import page_buttons
from bot.ui.cards import AMBER, BLURPLE, RED, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import DISCORD_ERRORS, NOT_A_MEMBER
from bot.ui.interactions import edit_answer
from bot.ui.panels import panel
from bot.ui.services import Services
from bot.ui.texts import ops_commands as texts

_PERIODS: Final = tuple(Period)
_FETCH_TIMEOUT: Final = 5.0
"""Seconds."""


def is_operator(interaction: discord.Interaction[Any], guild_id: GuildId | None) -> bool:
    """Whether an administrator asks, in the operator's server; both come with the interaction, from Discord."""
    return guild_id is not None and interaction.guild_id == guild_id and interaction.permissions.administrator


def discord_status(client: discord.AutoShardedClient) -> texts.DiscordStatus:
    """What this process has of Discord right now."""
    latencies = dict(client.latencies)
    return texts.DiscordStatus(
        latencies=latencies,
        shards=max(client.shard_count or 1, len(latencies)),
        servers=len(client.guilds),
        members=sum(guild.member_count or 0 for guild in client.guilds),
    )


def status_view(status: Status, discord_: texts.DiscordStatus, *, words: bool = True) -> ui.LayoutView:
    """/ops status; without ``words`` it leaves the operator's reason for a pause out."""
    blocks = [
        texts.operator_pause(status.operator_pause, words=words),
        ["**Discord**", *texts.connection(discord_)],
        ["**KIE**", *texts.kie(status)],
        ["**Work**", *texts.work(status)],
        ["**Money**", *texts.money(status)],
        ["**Database**", *texts.database(status.database)],
        ["**Process**", *texts.process(status, VERSION)],
    ]
    return panel(_status_colour(status), *filter(None, blocks))


def paused_view(pause: OperatorPause, *, words: bool) -> ui.LayoutView:
    """/ops pause: what members read from now on, unless Discord refuses these ``words``."""
    read = [texts.MEMBERS_READ, texts.members_read(pause)] if words else [texts.REASON_REFUSED]
    return panel(AMBER, [texts.PAUSED], read, [f"-# {texts.HOW_TO_RESUME}"])


async def servers_answer(
    services: Services, interaction: discord.Interaction[Any], period: Period, number: int
) -> Callable[[bool], ui.LayoutView]:
    """A page of /ops servers, with the names that Discord gives; without words servers have their ids alone."""
    client = interaction.client
    page = await services.operator.servers.page(period, number, [GuildId(guild.id) for guild in client.guilds])
    known = await _known_servers(client, [server.guild_id for server, _ in page.servers])
    return lambda words: servers_view(page, known, words=words)


def servers_view(page: ServerPage, known: Mapping[GuildId, texts.KnownServer], *, words: bool = True) -> ui.LayoutView:
    """Servers with what Discord says of them; those that are not ``known`` have removed the bot."""
    lines = [
        texts.server(rank, server, images, known.get(server.guild_id), words=words)
        for rank, (server, images) in enumerate(page.servers, start=page.number * PAGE + 1)
    ]
    title, servers = (
        ui.TextDisplay[Any](texts.servers_title(page)),
        ui.TextDisplay[Any]("\n".join(lines) or texts.NO_SERVERS),
    )
    items: list[ui.Item[Any]] = [title, ui.Separator(), servers]
    if page.pages > 1:
        labels, more = (texts.PREVIOUS, texts.NEXT), page.number + 1 < page.pages
        subject = _PERIODS.index(page.period)
        items.append(ui.ActionRow[Any](*page_buttons(Action.SERVERS, subject, page.number, labels, more=more)))
    return finished_view(BLURPLE, *items)


async def turn_servers_page(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Show another page, to the operator alone; who sees the buttons is not relied upon."""
    if not is_operator(interaction, services.operator.guild_id):
        raise app_commands.CheckFailure
    message = interaction.message
    if message is None or not message.flags.ephemeral or button.number >= len(_PERIODS):
        raise GenerationGone
    await interaction.response.defer()
    await edit_answer(interaction, await servers_answer(services, interaction, _PERIODS[button.number], button.extra))


async def _known_servers(client: discord.Client, guilds: Sequence[GuildId]) -> Mapping[GuildId, texts.KnownServer]:
    """The servers among these that the bot is in; Discord is asked about those that this process does not serve."""
    known = await asyncio.gather(*(_known_server(client, guild) for guild in guilds if guild != DIRECT_MESSAGES))
    return {guild: server for guild, server in known if server is not None}


async def _known_server(client: discord.Client, guild_id: GuildId) -> tuple[GuildId, texts.KnownServer | None]:
    guild = client.get_guild(guild_id)
    if guild is None or guild.unavailable:
        try:
            async with asyncio.timeout(_FETCH_TIMEOUT):
                guild = await client.fetch_guild(guild_id, with_counts=True)
        except DISCORD_ERRORS as error:
            removed = isinstance(error, discord.HTTPException) and error.code in NOT_A_MEMBER
            return guild_id, None if removed else texts.KnownServer("", None)
        return guild_id, texts.KnownServer(guild.name, guild.approximate_member_count)
    return guild_id, texts.KnownServer(guild.name, guild.member_count)


def _status_colour(status: Status) -> int:
    if not all(status.workers.values()):
        return RED
    return BLURPLE if status.queue.pause is None and status.operator_pause is None else AMBER
