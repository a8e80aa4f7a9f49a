"""Which errors of a database mean that it can't be used now, and that the same transaction may succeed later."""

from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bot.domain.errors import StoreUnavailable

# psycopg raises InternalError on a server that only reads, and InterfaceError on a closed connection.
UNAVAILABLE: Final = (OperationalError, InternalError, InterfaceError, PoolTimeoutError)


def unavailable(error: DBAPIError | PoolTimeoutError) -> StoreUnavailable:
    """The same in the words of the database, on one line."""
    return StoreUnavailable(one_line(error.orig) if isinstance(error, DBAPIError) else "no connection available")


def one_line(error: BaseException | None) -> str:
    """An error's text without line breaks, as for a log."""
    return " ".join(str(error).split())
