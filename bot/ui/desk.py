"""What buttons, modals and messages may use of the client that they came in by."""

from typing import Protocol

from bot.domain.credits import PriceList
from bot.generation.asking import Asking
from bot.generation.history import History
from bot.generation.quotas import Quotas
from bot.generation.service import Generations
from bot.ui.errors import Reporter
from bot.ui.reception import Reception


class Desk(Protocol):
    """The client, as far as members' wishes go."""

    generations: Generations
    history: History
    quotas: Quotas
    asking: Asking
    reporter: Reporter
    reception: Reception
    prices: PriceList
