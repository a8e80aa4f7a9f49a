"""What a quota manager without Manage Server may grant: to others alone, and so much per month."""

from datetime import datetime

from bot.domain.credits import ZERO, Account, Credits, Period, period_around
from bot.domain.errors import GrantToOneself, ManagerLimitReached
from bot.domain.ids import UserId
from bot.quota.policy import zone_of
from bot.store.store import Transaction


async def check_manager_limit(
    tx: Transaction, account: Account, manager: UserId, amount: Credits, now: datetime
) -> None:
    """Raise GrantToOneself or ManagerLimitReached; use the transaction that grants. Months by the server's time."""
    if account.user_id == manager:
        raise GrantToOneself
    limit = (await tx.rules.settings(account.guild_id)).manager_limit
    span = period_around(Period.MONTH, now, await zone_of(tx, account.guild_id))
    left = max(limit - await tx.ledger.granted_by(manager, account.guild_id, span), ZERO)
    if amount > left:
        raise ManagerLimitReached(limit, left, span.end)
