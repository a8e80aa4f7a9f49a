"""The store: one writer, a few readers, and a transaction that carries the repositories."""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot import metrics
from bot.domain.errors import StoreUnavailable
from bot.domain.store_errors import OutcomeUnknown
from bot.store import postgres
from bot.store.costs import CostRepository
from bot.store.credit_requests import CreditRequestRepository
from bot.store.engines import kind_of
from bot.store.erasures import ErasureRepository
from bot.store.exports import ExportRepository
from bot.store.favourites import FavouriteRepository
from bot.store.generations import GenerationRepository
from bot.store.image_history import ImageHistoryRepository
from bot.store.image_reports import ImageReportRepository
from bot.store.image_words import ImageWordsRepository
from bot.store.images import ImageRepository
from bot.store.leases import LeaseRepository
from bot.store.ledger import LedgerRepository
from bot.store.lookups import (
    DraftRepository,
    GreetingRepository,
    KeyValueRepository,
    UndeliveredRepository,
    UploadRepository,
)
from bot.store.migrate import migrate
from bot.store.notices import NoticeRepository
from bot.store.pending_cards import PendingCardRepository
from bot.store.preferences import PreferencesRepository
from bot.store.previews import PreviewRepository
from bot.store.reference_images import ReferenceImageRepository
from bot.store.retention import RetentionRepository
from bot.store.rules import RuleRepository
from bot.store.server_spending import ServerSpendingRepository
from bot.store.spending import SpendingRepository
from bot.store.styles import ReferenceSetRepository, StyleRepository
from bot.store.tasks import TaskRepository
from bot.store.unavailable import UNAVAILABLE, one_line, unavailable

log = structlog.stdlib.get_logger(__name__)

_READERS = 4
_SIZE = {
    "sqlite": text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
    "postgresql": text("SELECT pg_database_size(current_database())"),
}
_COMMIT_SECONDS = 10
"""How long anybody waits for the answer to a COMMIT, which the server itself does not limit."""
_COLLECT_GARBAGE_AFTER = 0.5
"""Seconds from the cancellation of a write to the garbage collection that releases its connection."""


class Transaction:
    """The repositories over one transaction: all of its changes are committed, or none."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.ledger = LedgerRepository(connection)
        self.tasks = TaskRepository(connection, self.ledger)
        self.generations = GenerationRepository(connection)
        self.key_values = KeyValueRepository(connection)
        self.uploads = UploadRepository(connection)
        self.images = ImageRepository(connection)
        self.previews = PreviewRepository(connection)
        self.favourites = FavouriteRepository(connection)
        self.image_history = ImageHistoryRepository(connection)
        self.image_words = ImageWordsRepository(connection)
        self.image_reports = ImageReportRepository(connection)
        self.drafts = DraftRepository(connection)
        self.greetings = GreetingRepository(connection)
        self.costs = CostRepository(connection)
        self.rules = RuleRepository(connection)
        self.credit_requests = CreditRequestRepository(connection)
        self.spending = SpendingRepository(connection)
        self.server_spending = ServerSpendingRepository(connection)
        self.undelivered = UndeliveredRepository(connection)
        self.leases = LeaseRepository(connection)
        self.notices = NoticeRepository(connection)
        self.pending_cards = PendingCardRepository(connection)
        self.preferences = PreferencesRepository(connection)
        self.reference_images = ReferenceImageRepository(connection)
        self.erasures = ErasureRepository(connection, self.ledger)
        self.exports = ExportRepository(connection)
        self.styles = StyleRepository(connection)
        self.reference_sets = ReferenceSetRepository(connection)
        self.retention = RetentionRepository(connection)

    async def size(self) -> int:
        """The size of the whole database in bytes."""
        return await self._connection.scalar(_SIZE[self._connection.dialect.name]) or 0


class Store:
    """The database. Writers queue in the order of their calls; readers never wait for them."""

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self._reader = reader
        self._writer = writer
        # Unlike a wait for a connection of the pool these have no timeout: a long queue is not an error.
        self._write_lock = asyncio.Lock()
        self._read_slots = asyncio.Semaphore(_READERS)
        self._failed_at = float("-inf")
        self._committing: asyncio.Task[None] | None = None
        self._unanswered: asyncio.Task[None] | None = None
        self._ended = False

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, migrated: bool = False) -> AsyncGenerator["Store", None]:
        """Migrate the database at this URL to the newest schema, unless that has been done, and open it.

        At the end it waits for the transactions that are open; later ones raise StoreUnavailable.
        """
        if not migrated:
            await asyncio.to_thread(migrate, url)
        async with AsyncExitStack() as stack:
            opened = kind_of(url).opened
            reader = await stack.enter_async_context(opened(url, writes=False, connections=_READERS))
            store = cls(reader, await stack.enter_async_context(opened(url, writes=True, connections=1)))
            stack.push_async_callback(store._end)
            yield store

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction, None]:
        """A consistent view; writing through it is an error. Raises StoreUnavailable."""
        waiting_since = time.perf_counter()
        try:
            async with self._read_slots:
                self._check()
                metrics.DATABASE_WAIT.labels("read").observe(time.perf_counter() - waiting_since)
                with metrics.DATABASE_TRANSACTION.labels("read").time():
                    async with self._reader.begin() as connection:
                        yield Transaction(connection)
        except UNAVAILABLE as error:
            metrics.DATABASE_ERRORS.labels("read").inc()
            raise unavailable(error) from error

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction, None]:
        """Committed when the block ends, rolled back when it raises. Keep it short: there is one writer.

        Raises StoreUnavailable when the database is locked, full or read-only; nothing is written then. Writers that
        were queued meanwhile fail at once: if each waited for the lock in turn, that would take minutes. Raises
        OutcomeUnknown when COMMIT is not answered: it may be carried out, and as long as it can be, nobody else writes.
        """
        queued_at, waiting_since = asyncio.get_running_loop().time(), time.perf_counter()
        try:
            async with self._write_lock:
                self._check()
                if self._failed_at > queued_at:
                    raise StoreUnavailable("the write before this one failed")
                metrics.DATABASE_WAIT.labels("write").observe(time.perf_counter() - waiting_since)
                if self._unanswered is not None and not self._unanswered.done():
                    raise StoreUnavailable("the COMMIT before this has not been answered")
                with metrics.DATABASE_TRANSACTION.labels("write").time():
                    async with AsyncExitStack() as stack:
                        transaction = Transaction(await stack.enter_async_context(self._writer.begin()))
                        yield transaction
                        await self._commit(stack.pop_all(), transaction)
        except (*UNAVAILABLE, OutcomeUnknown) as error:
            metrics.DATABASE_ERRORS.labels("write").inc()
            self._failed_at = asyncio.get_running_loop().time()
            if isinstance(error, OutcomeUnknown):
                raise
            raise unavailable(error) from error
        except asyncio.CancelledError:
            # SQLite keeps the lock of a closed connection while one of its cursors is referenced, and cancelling a
            # statement leaves such a cursor in a reference cycle.
            asyncio.get_running_loop().call_later(_COLLECT_GARBAGE_AFTER, gc.collect)
            raise

    async def _commit(self, begun: AsyncExitStack, transaction: Transaction) -> None:
        """In a task of its own, which nobody cancels: psycopg would have the server give up waiting for a standby."""

        async def commit() -> None:
            await begun.aclose()
            for movement, amount in transaction.ledger.moved.items():
                metrics.credits_moved(movement, amount)

        self._committing = asyncio.create_task(commit(), name="COMMIT")
        # What is saved late another process, or this one's listener, finds: both are there on PostgreSQL alone.
        limit = _COMMIT_SECONDS if self._writer.dialect.name == "postgresql" else None
        answered, _ = await asyncio.wait({self._committing}, timeout=limit)
        if not answered:
            self._unanswered = self._committing
            self._unanswered.add_done_callback(_log_late_answer)
            raise OutcomeUnknown("COMMIT has not been answered")
        try:
            self._committing.result()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise OutcomeUnknown(one_line(error.orig)) from error
            raise

    async def images_in_sets(self) -> frozenset[str]:
        """The digests of the images of all reference sets. Raises StoreUnavailable."""
        async with self.read() as tx:
            return await tx.reference_sets.digests()

    async def drop_old_pages(self) -> None:
        """Empty SQLite's write-ahead log, which holds what pages contained before; raises StoreUnavailable.

        Before that, deleted words leave the full-text index.
        """
        is_first, more = True, True
        while more:
            async with self.write() as tx:
                more = await tx.image_words.merge(first=is_first)
            is_first = False
        try:
            async with self._write_lock, self._writer.connect() as connection:
                driver_connection: Any = (await connection.get_raw_connection()).driver_connection
                if connection.dialect.name == "sqlite":
                    # Past SQLAlchemy, which would begin a transaction.
                    await driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except UNAVAILABLE as error:
            raise unavailable(error) from error

    def _check(self) -> None:
        if self._ended:
            raise StoreUnavailable("the bot is stopping")

    async def _end(self) -> None:
        """Wait for the open transactions: disposing of an engine closes only the connections that nobody uses."""
        self._ended = True
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._write_lock)
            if self._committing is not None:
                await asyncio.wait({self._committing}, timeout=_COMMIT_SECONDS)
            for _ in range(_READERS):
                await stack.enter_async_context(self._read_slots)


def _log_late_answer(committing: asyncio.Task[None]) -> None:
    error = None if committing.cancelled() else committing.exception()
    log.warning("late answer to COMMIT", error=None if error is None else one_line(error))


class AutocommitStore:
    """The same tables of a PostgreSQL database, past the writers' turn: each statement is committed by itself.

    For what need not outlive a power cut of the database's machine: nobody waits for its disk.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._slots = asyncio.Semaphore(postgres.AUTOCOMMIT_CONNECTIONS)
        self._ended = False

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, name: str, seconds: int) -> AsyncGenerator["AutocommitStore", None]:
        """On connections of this name, whose statements take so many seconds at most."""
        engine = postgres.create_autocommit(url, name=name, seconds=seconds, durable=False)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            store = cls(engine)
            stack.push_async_callback(store._end)
            yield store

    @asynccontextmanager
    async def statements(self) -> AsyncGenerator[Transaction, None]:
        """The repositories over one connection; raises StoreUnavailable."""
        try:
            async with self._slots:
                if self._ended:
                    raise StoreUnavailable("the bot is stopping")
                async with self._engine.connect() as connection:
                    yield Transaction(connection)
        except UNAVAILABLE as error:
            raise unavailable(error) from error

    async def _end(self) -> None:
        """Wait for open connections, as the store does."""
        self._ended = True
        async with AsyncExitStack() as stack:
            for _ in range(postgres.AUTOCOMMIT_CONNECTIONS):
                await stack.enter_async_context(self._slots)
