"""The answers to /balance, /quota log and /ops status, and the member names in /quota report."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import discord
from discord import ui

from bot import VERSION
from bot.domain.erasure import ERASED_MEMBER
from bot.domain.ids import GuildId, UserId
from bot.domain.ledger import LedgerEntry
from bot.generation.service import Statement
from bot.generation.status import Status
from bot.quota.service import LogPage
from bot.ui.buttons import page_button
from bot.ui.cards import AMBER, BLURPLE, RED, finished_view
from bot.ui.discord_errors import DISCORD_ERRORS
from bot.ui.texts import ops, quota
from bot.ui.texts.amounts import ERASED

_NAME_TIMEOUT: Final = 5.0
"""Seconds."""


def statement_view(statement: Statement, *, words: bool = True) -> ui.LayoutView:
    """/balance: what is left, the prices, and recent activity; without ``words`` nothing that admins wrote."""
    member_quota = statement.quota
    activity = [quota.activity(entry) for entry in _shown(statement.entries, words=words)] or [quota.NO_ACTIVITY]
    source = quota.allowance_source(member_quota.rule, own=True)
    return _panel(
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
        newer = page_button(quota.NEWER, member, number - 1, enabled=number > 0)
        older = page_button(quota.OLDER, member, number + 1, enabled=page.more)
        items.append(ui.ActionRow[Any](newer, older))
    return finished_view(BLURPLE, *items)


def status_view(status: Status, latencies: Mapping[int, float]) -> ui.LayoutView:
    """/ops status; ``latencies`` to Discord in seconds by shard, infinite for one that is not connected."""
    balance = ops.NO_BALANCE if status.balance is None else ops.balance(status.balance, status.days_left)
    costs = [ops.costs(price_class) for price_class in status.accounts]
    costs = [*costs, ops.total_costs(status.accounts)] if costs else [ops.NO_COSTS]
    return _panel(
        _status_colour(status),
        [f"### {ops.title(VERSION)}", ops.uptime(status.started_at, latencies), ops.workers(status)],
        [f"**{ops.QUEUE_TITLE}**", ops.accepting(status.queue), ops.queue(status.queue), ops.tasks(status)],
        [f"**{ops.BALANCE_TITLE}**", balance, ops.today(status.spent_today)],
        [f"**{ops.COSTS_TITLE}**", *(f"-# {line}" for line in costs)],
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


def _status_colour(status: Status) -> int:
    if not all(status.workers.values()):
        return RED
    return AMBER if status.queue.pause is not None else BLURPLE


async def _name(guild: discord.Guild, member: UserId) -> str | None:
    try:
        async with asyncio.timeout(_NAME_TIMEOUT):
            return (await guild.fetch_member(member)).display_name
    except DISCORD_ERRORS:
        return None


def _panel(colour: int, *blocks: Sequence[str]) -> ui.LayoutView:
    """Blocks of lines with separators between them."""
    first, *others = (ui.TextDisplay[Any]("\n".join(block)) for block in blocks)
    return finished_view(colour, first, *(item for block in others for item in (ui.Separator[Any](), block)))
