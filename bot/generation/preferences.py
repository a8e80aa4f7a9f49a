"""Members' preferences, as commands, messages and the panel of /preferences use them."""

from dataclasses import replace
from typing import Any

from bot.domain.ids import UserId
from bot.domain.ports import Card, Posted
from bot.domain.preferences import PING_AFTER, Preferences
from bot.runtime import Runtime
from bot.store.store import Transaction


class MemberPreferences:
    """Reads and changes them; raises StoreUnavailable."""

    def __init__(self, runtime: Runtime) -> None:
        self._store = runtime.store

    async def of(self, user: UserId) -> Preferences:
        """What a member has chosen."""
        async with self._store.read() as tx:
            return await tx.preferences.get(user)

    async def change(self, user: UserId, **chosen: Any) -> Preferences:
        """Replace these fields, and return all of them."""
        async with self._store.write() as tx:
            preferences = replace(await tx.preferences.get(user), **chosen)
            await tx.preferences.put(user, preferences)
        return preferences


async def wants_ping(tx: Transaction, card: Card, posted: Posted) -> bool:
    """Whether the requester wants to be mentioned below an outcome, which was long in coming and came by an edit.

    A new message mentions its requester anyway. To be asked in the transaction that records the outcome, after which no
    process posts it again: so a ping can be lost in a restart, but not repeated.
    """
    generation = card.generation
    edited = not card.late and posted.message_id == generation.request.destination.message_id
    if not edited or (card.seconds or 0) <= PING_AFTER or generation.withdrawn:
        return False
    return (await tx.preferences.get(generation.request.account.user_id)).ping
