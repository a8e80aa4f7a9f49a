"""The words of /balance."""

from bot.domain.credits import Allowance, Balance, LedgerEntry, Movement, Period, PriceList
from bot.domain.settings import Model
from bot.ui.texts.amounts import in_credits, number, relative
from bot.ui.texts.cards import PERIODS
from bot.ui.texts.commands import model_choice

_PER_PERIOD = {Period.DAY: "a day", Period.WEEK: "a week", Period.MONTH: "a month"}

BALANCE_TITLE = "Your credits"
PRICES_TITLE = "What a picture costs"
MOVEMENTS_TITLE = "Last movements"
NO_MOVEMENTS = "None yet. Make a picture with /imagine."


def price_lines(prices: PriceList) -> list[str]:
    """What each model costs, a line each."""
    return [model_choice(model, prices) for model in Model]


def allowance(balance: Balance) -> str:
    """What is left, of how much, and when it renews."""
    granted: Allowance = balance.allowance
    return (
        f"**{number(balance.left)}** of {number(granted.credits)} left {PERIODS[granted.period]}"
        f" · {in_credits(granted.credits)} {_PER_PERIOD[granted.period]} · renews {relative(balance.renews_at)}"
    )


def movement(entry: LedgerEntry) -> str:
    """One line of the ledger."""
    sign = "+" if entry.credits > 0 else "−"
    what = "given back" if entry.movement is Movement.REFUND else "spent"
    made = f"flux-2 {entry.settings.model.value} {entry.settings.resolution.value}"
    return f"{sign}{number(abs(entry.credits))} {what} · {made} · {relative(entry.at)}"
