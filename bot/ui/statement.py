"""What /balance shows."""

from typing import Any

from discord import ui

from bot.generation.service import Statement
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.texts import statement as texts
from bot.ui.texts.quota import because


def statement_view(statement: Statement) -> ui.LayoutView:
    """Allowance, prices and last movements, as one card."""
    movements = [texts.movement(entry) for entry in statement.entries] or [texts.NO_MOVEMENTS]
    standing = statement.quota
    blocks = (
        f"### {texts.BALANCE_TITLE}\n{texts.allowance(standing.balance)}\n-# {because(standing.rule)}",
        "\n".join([f"**{texts.PRICES_TITLE}**", *texts.price_lines(statement.prices)]),
        "\n".join([f"**{texts.MOVEMENTS_TITLE}**", *(f"-# {line}" for line in movements)]),
    )
    first, *others = (ui.TextDisplay[Any](block) for block in blocks)
    return finished_view(BLURPLE, first, *(item for block in others for item in (ui.Separator[Any](), block)))
