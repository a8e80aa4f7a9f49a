"""What a generation's message has to show, put together from the store and the workload."""

from bot.domain.generation import Generation
from bot.domain.ports import Card, Clock
from bot.generation.workload import Workload
from bot.quota.policy import QuotaPolicy
from bot.store.store import Store


class Cards:
    """Makes cards, with the balance that their requester has by then."""

    def __init__(self, store: Store, clock: Clock, workload: Workload, means: QuotaPolicy) -> None:
        self._store = store
        self._clock = clock
        self._workload = workload
        self._means = means

    def progress(self, generation: Generation) -> Card:
        """The card of a generation that is waiting or at work."""
        place, ready_at = self._workload.estimate_completion(generation, self._clock.now())
        return Card(generation, place, ready_at, balance=None)

    async def outcome(self, generation: Generation, *, late: bool) -> Card:
        """The card of a generation that has come to its end."""
        async with self._store.read() as tx:
            balance = (await self._means.standing(tx, generation.request.requester)).balance
        return Card(generation, None, None, balance, late=late)
