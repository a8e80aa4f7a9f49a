"""The answers to /balance and /quota log, and the member names in /quota report."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import discord
from discord import ui

from bot.domain.erasure import ERASED_MEMBER
from bot.domain.errors import GenerationGone
from bot.domain.ids import GuildId, UserId
from bot.domain.ledger import LedgerEntry
from bot.generation.service import Statement
from bot.quota.service import LogPage
from bot.ui.buttons import page_buttons
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import DISCORD_ERRORS, leave_out_words
from bot.ui.interactions import check_manager
from bot.ui.services import Services
from bot.ui.texts import quota
from bot.ui.texts.amounts import ERASED

_NAME_TIMEOUT: Final = 5.0
"""Seconds."""


def statement_view(statement: Statement, *, words: bool = True) -> ui.LayoutView:
    """/balance: what is left, the prices, and recent activity; without ``words`` nothing that admins wrote."""
    member_quota = statement.quota
    activity = [quota.activity(entry) for entry in _shown(statement.entries, words=words)] or [quota.NO_ACTIVITY]
    source = quota.allowance_source(member_quota.rule, own=True)
    return panel(
        BLURPLE,
        [f"### {quota.BALANCE_TITLE}", quota.balance(member_quota.balance), f"-# {source}"],
        [f"**{quota.PRICES_TITLE}**", *quota.price_lines(statement.prices)],
        [f"**{quota.ACTIVITY_TITLE}**", *(f"-# {line}" for line in activity)],
    )


def ledger_view(page: LogPage, member: UserId | None, number: int, *, words: bool = True) -> ui.LayoutView:
    """/quota log: page ``number``, 0 being the newest, of one member or of all; ``words``: as for /balance."""
    lines = [quota.log_line(entry) for entry in _shown(page.entries, words=words)] or [quota.EMPTY_LOG]
    items: list[ui.Item[Any]] = [ui.TextDisplay("\n".join([quota.log_title(member, number), *lines]))]
    if number or page.more:
        buttons = page_buttons(Action.LOG, member or 0, number, (quota.NEWER, quota.OLDER), more=page.more)
        items.append(ui.ActionRow[Any](*buttons))
    return finished_view(BLURPLE, *items)


async def turn_ledger_page(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Checks the right again, which may have been lost since the page was opened; never on a public message."""
    guild_id = await check_manager(services.quotas, interaction)
    if interaction.message is None or not interaction.message.flags.ephemeral:
        raise GenerationGone
    member = UserId(button.number) if button.number else None
    page = await services.quotas.log_page(guild_id, member, button.extra)
    await leave_out_words(
        lambda words: interaction.response.edit_message(
            view=ledger_view(page, member, button.extra, words=words), allowed_mentions=discord.AllowedMentions.none()
        )
    )


async def names_of(client: discord.Client, guild_id: GuildId, members: Sequence[UserId]) -> Mapping[UserId, str]:
    """The display names of those who are still in the server, asked of Discord: no member is cached."""
    guild = client.get_guild(guild_id)
    if guild is None:
        return {}
    asked = [member for member in members if member != ERASED_MEMBER]
    names = await asyncio.gather(*(_name(guild, member) for member in asked))
    known = {member: name for member, name in zip(asked, names, strict=True) if name is not None}
    return {ERASED_MEMBER: ERASED, **known}


def _shown(entries: Sequence[LedgerEntry], *, words: bool) -> Sequence[LedgerEntry]:
    return entries if words else [replace(entry, note=quota.REASON_HIDDEN if entry.note else "") for entry in entries]


async def _name(guild: discord.Guild, member: UserId) -> str | None:
    try:
        async with asyncio.timeout(_NAME_TIMEOUT):
            return (await guild.fetch_member(member)).display_name
    except DISCORD_ERRORS:
        return None


def panel(colour: int, *blocks: Sequence[str], buttons: Sequence[ui.Button[Any]] = ()) -> ui.LayoutView:
    """Blocks of lines with separators between them, and a row of buttons if there are any."""
    first, *others = (ui.TextDisplay[Any]("\n".join(block)) for block in blocks)
    row = [ui.ActionRow[Any](*buttons)] if buttons else []
    return finished_view(colour, first, *(item for block in others for item in (ui.Separator[Any](), block)), *row)
