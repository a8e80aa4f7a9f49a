"""Backups of the SQLite file that the bot makes at intervals, or when the operator asks for one.

``python -m bot.maintenance.backups DATABASE TARGET`` makes one. It runs in a process of its own, at a lower priority:
it reads the whole file twice, and can be stopped at any time.
"""

import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from glob import escape
from pathlib import Path
from typing import Final

import structlog

from bot.domain.errors import BackupFailed, OperatorError
from bot.domain.ports import Clock
from bot.media.child_process import run_module
from bot.store.backup import AUTOMATIC, DamagedDatabase, automatic_target, back_up, backups_of, default_target

log = structlog.stdlib.get_logger(__name__)

SPARE_BYTES: Final = 1_000_000_000
"""What has to stay free on the disk after a backup."""
_AFTER_START: Final = 300.0
"""Seconds in which a process that has just started serves members first."""
_LOOK_EVERY: Final = 3600.0
"""Seconds until a failed backup is repeated, and between two looks at whether one is due: the clock may be set."""
_SECONDS: Final = 6 * 3600.0
"""How long a backup may take."""

CopyDatabase = Callable[[Path, Path], Awaitable[None]]
"""Makes a checked copy of the first file as the second; raises BackupFailed."""


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """How often, zero for never, and how many automatic backups are kept."""

    every: timedelta
    keep: int


@dataclass(frozen=True, slots=True)
class Backup:
    """One that was made and checked."""

    path: Path
    size: int
    """Bytes."""
    seconds: float


async def copy_in_child(database: Path, target: Path) -> None:
    """Copy in a child process, which ends with the call; its working folder is another, so the paths are absolute."""
    result = await run_module(__spec__.name, str(database), str(target), seconds=_SECONDS)
    if result.timed_out:
        raise BackupFailed(f"it took longer than {_SECONDS / 3600:g} hours")
    if result.exit_code:
        raise BackupFailed(result.stdout.decode().strip() or f"the copying process ended with {result.exit_code}")


class Backups:
    """One at a time. Nobody waits for them, and only automatic ones are ever deleted."""

    def __init__(
        self, clock: Clock, database: Path, options: BackupOptions, copy: CopyDatabase = copy_in_child
    ) -> None:
        self._clock = clock
        self._database = database.absolute()
        self._options = options
        self._copy = copy
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Make backups when they are due, until cancelled."""
        if self._options.every:
            await asyncio.sleep(_AFTER_START)
            while True:
                wait = await self.back_up_if_due()
                await asyncio.sleep(wait)

    async def back_up_if_due(self) -> float:
        """Make an automatic backup if the newest one is old enough; the seconds until the next look.

        A failure is logged.
        """
        try:
            left = await asyncio.to_thread(self._time_left)
            if left <= timedelta():
                made = await self._make(automatic_target)
                await asyncio.to_thread(self._prune, made.path)
                left = self._options.every
        except (BackupFailed, OSError) as error:
            log.error("database not backed up", reason=str(error), retry_in=_LOOK_EVERY)
            return _LOOK_EVERY
        return min(left.total_seconds(), _LOOK_EVERY)

    async def back_up(self) -> Backup:
        """Make a backup that is not deleted by itself; raises BackupFailed."""
        try:
            return await self._make(default_target)
        except OSError as error:
            raise BackupFailed(f"{error.filename} cannot be used: {error.strerror}") from error

    def _time_left(self) -> timedelta:
        """Until the next automatic backup."""
        now = self._clock.now()
        # One from the future was made while the clock was ahead.
        past = [at for at, _ in backups_of(self._database, automatic_only=True) if at <= now]
        return past[-1] + self._options.every - now if past else timedelta()

    async def _make(self, name: Callable[[Path, datetime], Path]) -> Backup:
        async with self._lock:
            target = name(self._database, self._clock.now())
            if await asyncio.to_thread(target.exists):
                # Another one was made in this second, which the names are of.
                await asyncio.sleep(1)
                target = name(self._database, self._clock.now())
            began = time.monotonic()
            await asyncio.to_thread(self._prepare, target.parent)
            try:
                await self._copy(self._database, target)
            finally:
                _delete_parts(target.parent, escape(target.name))
            size = (await asyncio.to_thread(target.stat)).st_size
            made = Backup(target, size, time.monotonic() - began)
        log.info("database backed up", path=str(target), bytes=made.size, seconds=round(made.seconds, 1))
        return made

    def _prepare(self, folder: Path) -> None:
        """Raise BackupFailed unless there is room for a copy of the database."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What a process that was killed has left.
        _delete_parts(folder, f"{escape(self._database.stem)}-*{AUTOMATIC}{escape(self._database.suffix)}")
        free, needed = shutil.disk_usage(folder).free, self._size() + SPARE_BYTES
        if free < needed:
            raise BackupFailed(
                f"{folder} has {free / 1e9:,.1f} GB free, but needs {needed / 1e9:,.1f} GB: the size of the database, "
                "and 1 GB to spare"
            )

    def _size(self) -> int:
        parts = (self._database, self._database.with_name(f"{self._database.name}-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def _prune(self, made: Path) -> None:
        """Delete the oldest automatic backups beyond the number to keep, never the one just made."""
        others = [path for _, path in backups_of(self._database, automatic_only=True) if path != made]
        for path in others[: max(len(others) + 1 - self._options.keep, 0)]:
            path.unlink(missing_ok=True)
            log.info("old backup deleted", path=str(path))


def _delete_parts(folder: Path, pattern: str) -> None:
    """Delete the unfinished files of copies with such a name."""
    for part in folder.glob(f".{pattern}.*.part*"):
        part.unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> int:
    """Exit code 1 if there is no backup; the reason is on standard output."""
    database, target = map(Path, arguments)
    try:
        back_up(database, target)
    except DamagedDatabase as error:
        sys.stdout.write(f"{database} is damaged: {error}")
    except OperatorError as error:
        sys.stdout.write(str(error).removesuffix("."))
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
