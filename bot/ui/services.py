"""What buttons, modals and messages may use of the client that they came in by."""

from typing import Protocol

from bot.domain.credits import PriceList
from bot.generation.history import History
from bot.generation.service import GenerationService
from bot.quota.credit_requests import CreditRequests
from bot.quota.service import QuotaService
from bot.ui.acknowledger import Acknowledger
from bot.ui.errors import ErrorReporter


class Services(Protocol):
    """The client, as far as members' wishes go."""

    generations: GenerationService
    history: History
    quotas: QuotaService
    asking: CreditRequests
    reporter: ErrorReporter
    reception: Acknowledger
    prices: PriceList
