"""A page of the ledger, with buttons to turn it."""

from typing import Any

import discord
from discord import ui

from bot.domain.ids import UserId
from bot.quota.service import LogPage
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.texts import quota


def ledger_view(page: LogPage, member: UserId | None, number: int) -> ui.LayoutView:
    """Page ``number`` of the ledger, 0 being the newest, of one member or of all."""
    lines = [quota.log_line(entry) for entry in page.entries] or [quota.EMPTY_LOG]
    items: list[ui.Item[Any]] = [ui.TextDisplay("\n".join([quota.log_title(member, number), *lines]))]
    if number or page.more:
        items.append(
            ui.ActionRow[Any](
                _turn(quota.NEWER, member, number - 1, possible=number > 0),
                _turn(quota.OLDER, member, number + 1, possible=page.more),
            )
        )
    return finished_view(BLURPLE, *items)


def _turn(label: str, member: UserId | None, page: int, *, possible: bool) -> ui.Button[Any]:
    # The page of an impossible turn is not a number, but its id must differ from the other button's.
    custom_id = CustomId(Action.LOG, member or 0, page if possible else 0)
    return ui.Button(
        label=label,
        style=discord.ButtonStyle.secondary,
        custom_id=str(custom_id) if possible else f"{custom_id}:off",
        disabled=not possible,
    )
