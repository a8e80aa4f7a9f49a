"""What a generation's message has to show, put together from the store and the workload."""

from bot.domain.credits import Account, Allowance, Balance, period_around
from bot.domain.generation import Generation
from bot.domain.ports import Card, Clock
from bot.generation.workload import Workload
from bot.store.store import Store, Transaction


class Cards:
    """Makes cards, and the balances on them."""

    def __init__(self, store: Store, clock: Clock, workload: Workload, allowance: Allowance) -> None:
        self._store = store
        self._clock = clock
        self._workload = workload
        self._allowance = allowance

    def progress(self, generation: Generation) -> Card:
        """The card of a generation that is waiting or at work."""
        place, ready_at = self._workload.outlook(generation, self._clock.now())
        return Card(generation, place, ready_at, balance=None)

    async def outcome(self, generation: Generation, *, late: bool) -> Card:
        """The card of a generation that has come to its end."""
        async with self._store.read() as tx:
            balance = await self.balance(tx, generation.request.account)
        seconds = (self._clock.now() - generation.created_at).total_seconds()
        return Card(generation, None, None, balance, seconds, late)

    async def balance(self, tx: Transaction, account: Account) -> Balance:
        """What the account may still spend now."""
        span = period_around(self._allowance.period, self._clock.now())
        return Balance(self._allowance, await tx.ledger.spent(account, span), span.end)
