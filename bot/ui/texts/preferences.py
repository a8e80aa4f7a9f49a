"""The words of /preferences."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from bot.domain.credits import Credits, PriceList
from bot.domain.preferences import PING_AFTER, Preferences
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.ui.texts import cards
from bot.ui.texts.amounts import in_credits, number
from bot.ui.texts.commands import aspect_ratio_choice, model_choice, resolution_choice

TITLE = """### Your preferences
I use these everywhere, unless you say otherwise. Each choice is saved at once."""
SWITCHES = f"""\
-# **Ask first**: I check with you before a request costs more than you set here, unless its price is on what you press.
-# **Private**: only you see what a command makes. Messages to me are always answered in public.
-# **Ping**: I mention you when a request ends that took more than {PING_AFTER:.0f} seconds."""
DEFAULT: Final = "default"
"""The value of the choice that leaves it to the bot."""
_BOTS = Settings()


def models(prices: PriceList) -> list[tuple[str, str]]:
    """Values and labels of a select; so are the next ones."""
    return [
        (DEFAULT, f"Model: default ({_BOTS.model.value})"),
        *((model.value, f"Model: {model_choice(model, prices)}") for model in Model),
    ]


def shapes() -> list[tuple[str, str]]:
    """Without the shape that takes an image to work from."""
    ratios = [ratio for ratio in AspectRatio if ratio is not AspectRatio.AUTO]
    return [
        (DEFAULT, f"Shape: default ({_BOTS.aspect_ratio.value})"),
        *((ratio.value, f"Shape: {aspect_ratio_choice(ratio)}") for ratio in ratios),
    ]


def sizes() -> list[tuple[str, str]]:
    """The resolutions."""
    return [
        (DEFAULT, f"Size: default ({_BOTS.resolution.value})"),
        *((resolution.value, f"Size: {resolution_choice(resolution)}") for resolution in Resolution),
    ]


def counts(most: int) -> list[tuple[str, str]]:
    """How many images."""
    return [
        (DEFAULT, "Images: default (1)"),
        *((str(count), f"Images: {count}") for count in range(1, most + 1)),
    ]


def confirmations(amounts: Sequence[Credits]) -> list[tuple[str, str]]:
    """From which price a request is asked about first."""
    return [
        (DEFAULT, "Ask first: default (never)"),
        *((number(amount), f"Ask first: {_above(amount)}") for amount in amounts),
    ]


def switch(name: str, *, on: bool) -> str:
    """A button that says whether something is on, and turns it."""
    return f"{name}: {'on' if on else 'off'}"


def result(chosen: Preferences, price: Decimal) -> str:
    """What a request is like with these preferences."""
    settings = " · ".join(cards.settings(chosen.settings(has_images=False), chosen.images, 0))
    shape = "-# With images to work from, the shape is that of the first."
    return f"A prompt alone now makes **{settings}** for **{in_credits(price)}**.\n{shape}"


def _above(amount: Credits) -> str:
    return f"over {in_credits(amount)}" if amount else "always"
