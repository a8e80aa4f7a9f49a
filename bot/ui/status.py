"""What /ops status shows."""

from typing import Any

from discord import ui

from bot import VERSION
from bot.generation.status import Status
from bot.ui.cards import AMBER, BLURPLE, RED, finished_view
from bot.ui.texts import ops as texts


def status_view(status: Status, latency: float | None) -> ui.LayoutView:
    """Process, line, balance and accounts, as one card; ``latency`` to Discord in seconds, None when unknown."""
    balance = texts.NO_BALANCE if status.balance is None else texts.balance(status.balance, status.days_left)
    accounts = [texts.account(one) for one in status.accounts]
    accounts = [*accounts, texts.accounts(status.accounts)] if accounts else [texts.NO_ACCOUNTS]
    blocks = (
        [f"### {texts.title(VERSION)}", texts.running(status.started_at, latency), texts.workers(status)],
        [f"**{texts.LINE_TITLE}**", texts.gate(status.queue), texts.line(status.queue), texts.tasks(status)],
        [f"**{texts.BALANCE_TITLE}**", balance, texts.today(status.spent_today)],
        [f"**{texts.ACCOUNTS_TITLE}**", *(f"-# {line}" for line in accounts)],
    )
    first, *others = (ui.TextDisplay[Any]("\n".join(block)) for block in blocks)
    items = (item for block in others for item in (ui.Separator[Any](), block))
    return finished_view(_colour(status), first, *items)


def _colour(status: Status) -> int:
    if not all(status.workers.values()):
        return RED
    return AMBER if status.queue.pause is not None else BLURPLE
