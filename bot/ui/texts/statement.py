"""The words of /balance."""

from bot.domain.credits import Allowance, Balance, LedgerEntry, Movement, Period, PriceList
from bot.domain.settings import Model
from bot.ui.texts.amounts import in_credits, number, plain, relative
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
    """What is left, of how much, when it renews, and what was granted besides."""
    granted: Allowance = balance.allowance
    bonus = f" · **{in_credits(balance.bonus)}** granted, used after that" if balance.bonus else ""
    if granted.credits is None or balance.left_of_allowance is None:
        return f"**Unlimited** · {in_credits(balance.spent)} spent {PERIODS[granted.period]}{bonus}"
    return (
        f"**{number(balance.left_of_allowance)}** of {number(granted.credits)} left {PERIODS[granted.period]}"
        f" · {per_period(granted)} · renews {relative(balance.renews_at)}{bonus}"
    )


def per_period(granted: Allowance) -> str:
    """An allowance in words."""
    if granted.credits is None:
        return "unlimited"
    if not granted.credits:
        return "nothing at all"
    return f"{in_credits(granted.credits)} {_PER_PERIOD[granted.period]}"


def movement(entry: LedgerEntry) -> str:
    """One line of a member's own movements."""
    match entry.movement:
        case Movement.GRANT:
            return f"+{number(entry.credits)} granted · {plain(entry.note, 80)} · {relative(entry.at)}"
        case Movement.RESET:
            return f"allowance renewed by an admin · {relative(entry.at)}"
        case _:
            sign = "+" if entry.credits > 0 else "−"
            what = "given back" if entry.movement in {Movement.REFUND, Movement.GOODWILL} else "spent"
            return f"{sign}{number(abs(entry.credits))} {what}{_made(entry)} · {relative(entry.at)}"


def _made(entry: LedgerEntry) -> str:
    made = entry.settings
    return f" · flux-2 {made.model.value} {made.resolution.value}" if made else ""
