"""What can be wrong with the database beside that it cannot be used now."""

from bot.domain.errors import StoreUnavailable


class OutcomeUnknown(StoreUnavailable):
    """The database has not said whether it carried the transaction out; it may still do so."""
