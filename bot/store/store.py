"""The store: one writer that begins IMMEDIATE, a few readers, and a transaction that carries the repositories."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.domain.errors import StoreUnavailable
from bot.store import driver, sqlite
from bot.store.costs import CostRepository
from bot.store.credit_requests import CreditRequestRepository
from bot.store.drafts import DraftRepository
from bot.store.facts import KeyValueRepository
from bot.store.generations import GenerationRepository
from bot.store.images import ImageRepository
from bot.store.ledger import LedgerRepository
from bot.store.migrate import migrate
from bot.store.rules import RuleRepository
from bot.store.spending import SpendingRepository
from bot.store.tasks import TaskRepository
from bot.store.undelivered import UndeliveredRepository
from bot.store.uploads import UploadRepository

_READERS = 4
_CYCLES_ARE_LEFT_AFTER = 0.5


class Transaction:
    """One transaction: everything done through it is kept together or not at all."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.ledger = LedgerRepository(connection)
        self.tasks = TaskRepository(connection, self.ledger)
        self.generations = GenerationRepository(connection)
        self.key_values = KeyValueRepository(connection)
        self.uploads = UploadRepository(connection)
        self.images = ImageRepository(connection)
        self.drafts = DraftRepository(connection)
        self.costs = CostRepository(connection)
        self.rules = RuleRepository(connection)
        self.credit_requests = CreditRequestRepository(connection)
        self.spending = SpendingRepository(connection)
        self.undelivered = UndeliveredRepository(connection)


class Store:
    """The database. Writers take turns in the order they came; readers never wait for them."""

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self._reader = reader
        self._writer = writer
        # Waiting here has no time-out, as waiting for a connection of a pool would: a long line is no fault.
        self._turn = asyncio.Lock()
        self._seats = asyncio.Semaphore(_READERS)
        self._failed_at = float("-inf")

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncGenerator["Store", None]:
        """Migrate the database at a ``sqlite:///path`` URL to the newest schema, and open it."""
        await asyncio.to_thread(migrate, url)
        async with AsyncExitStack() as stack:
            engines: list[AsyncEngine] = []
            for writes, connections in ((False, _READERS), (True, 1)):
                engine = create_async_engine(
                    sqlite.async_url(url),
                    connect_args={"async_creator_fn": driver.connect},
                    pool_size=connections,
                    max_overflow=0,
                    pool_timeout=60,
                    # Errors name what failed, not the prompts and tokens that it failed on.
                    hide_parameters=True,
                )
                sqlite.configure(engine.sync_engine, writes=writes)
                stack.push_async_callback(engine.dispose)
                engines.append(engine)
            yield cls(*engines)

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction, None]:
        """A consistent view; writing through it is an error. Raises StoreUnavailable."""
        try:
            async with self._seats, self._reader.begin() as connection:
                yield Transaction(connection)
        except (OperationalError, NoConnection) as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction, None]:
        """Committed when the block ends, rolled back when it raises. Keep it short: there is one writer.

        Raises StoreUnavailable when the database is locked, full or not to be written; nothing was then kept. Whoever
        was in line meanwhile is told the same: waiting out a lock one after the other would take minutes.
        """
        came = asyncio.get_running_loop().time()
        try:
            async with self._turn:
                if self._failed_at > came:
                    raise StoreUnavailable("another write has just waited in vain")
                async with self._writer.begin() as connection:
                    yield Transaction(connection)
        except (OperationalError, NoConnection) as error:
            self._failed_at = asyncio.get_running_loop().time()
            raise _unavailable(error) from error
        except asyncio.CancelledError:
            # SQLite keeps a closed connection's lock for as long as somebody refers to a cursor of it, and what was
            # cancelled in the midst of a statement leaves one behind in a cycle.
            asyncio.get_running_loop().call_later(_CYCLES_ARE_LEFT_AFTER, gc.collect)
            raise


def _unavailable(error: OperationalError | NoConnection) -> StoreUnavailable:
    return StoreUnavailable(str(error.orig) if isinstance(error, OperationalError) else "no connection is free")
