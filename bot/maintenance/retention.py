"""Deletes what is older than the settings allow, every night and a little at a time, so that no member waits for it.

Where it has come to is seen from the rows: it can be stopped at any point, and goes on from there.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from bot.domain.errors import StoreUnavailable
from bot.domain.ids import GenerationId
from bot.runtime import Runtime
from bot.store import sqlite_space
from bot.store.retention import RetentionRepository

log = structlog.stdlib.get_logger(__name__)

_AFTER_START: Final = 300.0
"""Seconds in which a process that has just started serves members first."""
_LOOK_EVERY: Final = 60.0
_SPREAD: Final = 3600
"""Seconds after midnight, UTC, at most, so that not all bots begin in the same second."""
_AGAIN_AFTER: Final = 3600.0
"""Seconds from an error to the next attempt."""
_ROWS: Final = 25
"""Rows, or generations with all that belongs to them, in a transaction: some milliseconds."""
_SHARE: Final = 4
"""The pause after a transaction is so many times as long as that took."""
_ACCEPTING: Final = timedelta(hours=1)
"""Longer than a request takes to be accepted."""
_DONE, _WORDS = "maintenance.done", "maintenance.words"
"""Keys of the last night that was finished, and of the first generation whose words may not have been deleted."""

_WITH_WORDS: Final = {"prompts", "images", "generations"}
"""Steps that delete what can be searched for."""

_Step = Callable[[RetentionRepository, datetime, int], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class RetentionOptions:
    """For how long what is kept; None for ever."""

    prompts: timedelta | None
    """What members wrote and attached for requests that have ended."""
    images: timedelta | None
    """Which message shows an image, and what it was edited from."""
    ledger: timedelta | None
    """Requests with everything about them, and single movements of credits, of which sums by year stay."""
    credit_requests: timedelta | None
    """Those that were decided."""
    reports: timedelta | None
    """Who reported an image, and why."""
    drafts: timedelta | None
    uploads: timedelta | None


class NightlyMaintenance:
    """Runs in the process that leads; an error in it never stops the bot."""

    def __init__(
        self,
        runtime: Runtime,
        options: RetentionOptions,
        file: Path | None,
        *,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``file``: the SQLite database. ``rest`` waits so many seconds between two transactions."""
        self._store = runtime.store
        self._clock = runtime.clock
        self._options = options
        self._file = file
        self._rest = rest
        self._after_midnight = timedelta(seconds=secrets.randbelow(_SPREAD))

    async def run(self) -> None:
        """Look every minute whether there is something to do, until cancelled."""
        pause = _AFTER_START
        while True:
            await asyncio.sleep(pause)
            pause = _LOOK_EVERY
            try:
                await self._limit_wal()
                if (night := self._night()) is not None and await self._last_night() < night:
                    await self.perform(night)
            except StoreUnavailable as error:
                log.error("nightly maintenance interrupted: database unavailable", error=str(error))
            except Exception:
                log.exception("nightly maintenance failed", retry_in=_AGAIN_AFTER)
                pause = _AGAIN_AFTER

    async def perform(self, night: date) -> None:
        """Delete and fold all that is too old now, and note that this night is done."""
        began = time.monotonic()
        done = {name: count async for name, count in self._steps() if count}
        if done.keys() & _WITH_WORDS:
            await self._drop_words()
        async with self._store.write() as tx:
            await tx.key_values.put(_DONE, night.isoformat())
        pages = await self._give_back()
        log.info("nightly maintenance done", **done, free_pages=pages, seconds=round(time.monotonic() - began, 1))

    async def _steps(self) -> AsyncGenerator[tuple[str, int], None]:
        options, retention = self._options, RetentionRepository
        yield "drafts", await self._all(retention.delete_old_drafts, self._before(options.drafts))
        yield "uploads", await self._all(retention.delete_old_uploads, self._before(options.uploads))
        yield "credit_requests", await self._all(retention.delete_old_requests, self._before(options.credit_requests))
        yield "reports", await self._all(retention.delete_old_reports, self._before(options.reports))
        yield "prompts", await self._forget_words(self._before(options.prompts))
        yield "images", await self._all(retention.delete_old_images, self._before(options.images))
        # In this order and up to the same moment: see there. A request's id is older than its reservation.
        before = self._before(options.ledger)
        yield "movements", await self._all(retention.fold_old_movements, before and before + _ACCEPTING)
        yield "generations", await self._all(retention.fold_old_generations, before)
        yield "rewordings", await self._all(retention.fold_old_rewordings, before)

    async def _forget_words(self, before: datetime | None) -> int:
        if before is None:
            return 0
        async with self._store.read() as tx:
            first = GenerationId(int(await tx.key_values.get(_WORDS) or 0))
        count = await self._all(lambda of, before, limit: of.forget_old_words(first, before, limit), before)
        async with self._store.read() as tx:
            first = await tx.retention.first_with_words(first, before)
        async with self._store.write() as tx:
            await tx.key_values.put(_WORDS, str(first))
        return count

    def _before(self, kept_for: timedelta | None) -> datetime | None:
        return None if kept_for is None else self._clock.forget_before(kept_for)

    async def _drop_words(self) -> None:
        """Deleted words leave the full-text index of SQLite."""
        is_first, more = True, True
        while more:
            async with self._store.write() as tx:
                began = time.monotonic()
                more = await tx.image_words.merge(first=is_first)
            is_first = False
            await self._rest((time.monotonic() - began) * _SHARE)

    async def _all(self, step: _Step, before: datetime | None) -> int:
        """Repeat a step until nothing is left for it; how many rows it has handled."""
        if before is None:
            return 0
        handled = 0
        while True:
            async with self._store.write() as tx:
                began = time.monotonic()
                count = await step(tx.retention, before, _ROWS)
            if not count:
                return handled
            handled += count
            await self._rest((time.monotonic() - began) * _SHARE)

    def _night(self) -> date | None:
        """The night that is to be done by now; None while the clock may be wrong."""
        return (self._clock.now() - self._after_midnight).date() if self._clock.is_settled() else None

    async def _last_night(self) -> date:
        async with self._store.read() as tx:
            done = await tx.key_values.get(_DONE)
        return date.fromisoformat(done) if done else date.min

    async def _limit_wal(self) -> None:
        if self._file is not None and not await asyncio.to_thread(sqlite_space.empty_wal, self._file):
            log.warning("the write-ahead log was not emptied: something reads the database for long")

    async def _give_back(self) -> int:
        """Make the file smaller, by what the next days do not need; the number of pages."""
        if self._file is None:
            return 0
        first = pages = await asyncio.to_thread(sqlite_space.pages, self._file)
        while pages.can_shrink and pages.spare:
            began = time.monotonic()
            await asyncio.to_thread(sqlite_space.give_back, self._file)
            await self._rest((time.monotonic() - began) * _SHARE)
            pages = await asyncio.to_thread(sqlite_space.pages, self._file)
        if pages.spare > pages.all // 4:
            log.info("the database file has free space: `python -m bot db compact` makes it smaller", pages=pages.spare)
        return first.free - pages.free
