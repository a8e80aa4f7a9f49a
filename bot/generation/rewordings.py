"""What members pay for rewordings of their prompts: with the draft that holds them, and back if they never saw them."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final, final

import structlog

from bot.domain.credits import Credits
from bot.domain.errors import Ignored, StoreUnavailable
from bot.domain.generation import Draft, GenerationRequest
from bot.domain.ids import DraftId
from bot.domain.privacy_errors import BeingErased
from bot.quota.policy import QuotaPolicy
from bot.runtime import Runtime
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

_SHOWN_WITHIN: Final = timedelta(minutes=16)
"""Discord's interactions can be answered for 15."""
_LOOK_EVERY: Final = 60.0


@final
class PaidRewordings:
    """Charges for rewordings, once each, at the operator's price; it may be nothing."""

    def __init__(self, runtime: Runtime, policy: QuotaPolicy, price: Credits) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._policy = policy
        self.price = price
        """In credits."""

    async def check(self, request: GenerationRequest) -> None:
        """Raise a UserError unless its member may pay for rewordings and for what is made of them."""
        async with self._store.read() as tx:
            await self._authorize(tx, request)

    async def charge(self, draft: Draft, request: GenerationRequest) -> None:
        """Store the draft with the rewordings, and take their price, in one transaction.

        Raises as :meth:`check`, and Ignored for a draft that is stored already.
        """
        account, price = request.account, self.price
        async with self._store.write() as tx:
            if await tx.drafts.get(draft.id) is not None:
                raise Ignored
            bonus = await self._authorize(tx, request)
            if price:
                row = await tx.ledger.charge_rewordings(account, price, bonus, self._clock.now())
                draft = replace(draft, charge=row)
            await tx.drafts.add(draft)
        log.info("prompt reworded", user=account.user_id, guild=account.guild_id, price=str(price))

    async def seen(self, draft: DraftId) -> None:
        """Its member has got what they paid for; if this cannot be stored, it is refunded all the same."""
        if not self.price:
            return
        try:
            async with self._store.write() as tx:
                await tx.drafts.clear_charge(draft)
        except StoreUnavailable as error:
            log.warning("rewordings will be refunded: database unavailable", error=str(error))

    async def refund(self, draft: DraftId) -> None:
        """Give the price back, once, unless its member has got what they paid for."""
        async with self._store.write() as tx:
            charge = await tx.drafts.clear_charge(draft)
            if charge is not None:
                await tx.ledger.refund_rewordings(charge, self._clock.now())
        if charge is not None:
            log.warning("rewordings refunded, as they could not be shown", draft=draft)

    async def run(self) -> None:
        """Refund, every minute, what a process that has ended could no longer show; until cancelled."""
        while True:
            try:
                async with self._store.read() as tx:
                    unseen = await tx.drafts.unseen(self._clock.forget_before(_SHOWN_WITHIN))
                for draft in unseen:
                    await self.refund(draft)
            except StoreUnavailable as error:
                log.warning("rewordings not refunded yet: database unavailable", error=str(error))
            await asyncio.sleep(_LOOK_EVERY)

    async def _authorize(self, tx: Transaction, request: GenerationRequest) -> Credits:
        if await tx.erasures.blocks(request.account):
            raise BeingErased
        return await self._policy.authorize_rewordings(tx, request, self.price)
