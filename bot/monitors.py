"""The workers that look after the disk and the gateway, and alert the operator."""

import asyncio
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from bot.domain.errors import StoreUnavailable
from bot.domain.kie_account import Alert, DiskLow, GatewayAway, GatewayReturned
from bot.domain.ports import OperatorAlerts
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

_DISK_SECONDS, _GATEWAY_SECONDS = 60.0, 5.0
"""Between two looks."""
LOW_DISK, _ENOUGH_AGAIN = 1_000_000_000, 1_100_000_000
"""Bytes: the disk is low below the first, and until the second is free again, so that alerts do not repeat."""
_LOW_KEY = "disk.low"
AWAY_AFTER: Final = timedelta(minutes=5)


def free_bytes(folder: Path) -> int:
    """What is free on a folder's disk; raises OSError."""
    return shutil.disk_usage(folder).free


class DiskMonitor:
    """Alerts the operator when less than 1 GB is free. Stores that it did, so that a new process does not repeat it."""

    def __init__(self, runtime: Runtime, folders: Collection[Path], free: Callable[[Path], int] = free_bytes) -> None:
        self._runtime = runtime
        self._folders = folders
        self._free = free
        self._is_low = False

    async def run(self, alerts: OperatorAlerts) -> None:
        """Look every minute until cancelled."""
        await retry_until_available(self.restore)
        while True:
            await self.check(alerts)
            await asyncio.sleep(_DISK_SECONDS)

    async def restore(self) -> None:
        """Take over the state of an earlier process."""
        async with self._runtime.store.read() as tx:
            self._is_low = bool(await tx.key_values.get(_LOW_KEY))

    async def check(self, alerts: OperatorAlerts) -> None:
        """Look now."""
        try:
            free, folder = min([(await asyncio.to_thread(self._free, each), str(each)) for each in self._folders])
        except OSError as error:
            log.warning("free disk space cannot be read", folder=error.filename, error=error.strerror)
            return
        is_low = free < (_ENOUGH_AGAIN if self._is_low else LOW_DISK)
        if is_low is self._is_low:
            return
        self._is_low = is_low
        if is_low:
            log.error("disk nearly full", folder=folder, free_megabytes=free // 1_000_000)
            self._runtime.background.start(alerts.send(DiskLow(folder, free)))
        else:
            log.info("disk no longer nearly full", folder=folder, free_megabytes=free // 1_000_000)
        try:
            async with self._runtime.store.write() as tx:
                await tx.key_values.put(_LOW_KEY, "yes" if is_low else "")
        except StoreUnavailable as error:
            # The disk may be why: the alert matters more than that a new process knows of it.
            log.warning("state of the disk not stored: database unavailable", error=str(error))


class GatewayMonitor:
    """Alerts the operator when shards of this process are away for five minutes, and when all are back after that.

    Of several processes the first one does.
    """

    def __init__(self, runtime: Runtime, live: Callable[[], Mapping[int, bool]], shards: Callable[[], int]) -> None:
        """``live`` tells of each shard whether it has a session; none while the process stands by.

        ``shards``: how many all processes have together.
        """
        self._runtime = runtime
        self._live = live
        self._shards = shards
        self._lost: dict[int, datetime] = {}
        """Since when a shard is away, by the steady clock."""
        self._known: set[int] = set()
        """Shards that had a session."""
        self._alerted_since: datetime | None = None

    async def run(self, alerts: OperatorAlerts) -> None:
        """Look every few seconds until cancelled."""
        while True:
            if (alert := self.check()) is not None and await self.is_news(alert):
                self._runtime.background.start(alerts.send(alert))
            await asyncio.sleep(_GATEWAY_SECONDS)

    async def is_news(self, alert: Alert) -> bool:
        """Whether no other process has just said so: when Discord is away, it is so for all.

        A process of its own takes longer than that from one alert to the next of its kind.
        """
        key, now = f"gateway.{type(alert).__name__}", self._runtime.now
        with suppress(StoreUnavailable):
            async with self._runtime.store.write() as tx:
                said = await tx.key_values.get(key)
                if said and abs(now - datetime.fromisoformat(said)) < AWAY_AFTER:
                    return False
                await tx.key_values.put(key, now.isoformat())
        return True

    def check(self) -> Alert | None:
        """Look now; what the operator has to be told."""
        live, now, wall = self._live(), self._runtime.clock.steady(), self._runtime.wall_time
        away = [number for number, is_live in live.items() if not is_live]
        if new := live.keys() - set(away) - self._known:
            self._known |= new
            # At the start shards connect one after the other: while some do, none of the others is late.
            self._lost = {number: since for number, since in self._lost.items() if number in self._known}
        self._lost = {number: self._lost.get(number, now) for number in away}
        long = [number for number, since in self._lost.items() if now - since >= AWAY_AFTER]
        if long and self._alerted_since is None:
            self._alerted_since = since = min(self._lost.values())
            log.error("away from Discord's gateway", shards=long, seconds=round((now - since).total_seconds()))
            return GatewayAway(wall(since), tuple(long), max(self._shards(), len(live)))
        if away or self._alerted_since is None:
            return None
        since, self._alerted_since = self._alerted_since, None
        log.warning("back at Discord's gateway", away_seconds=round((now - since).total_seconds()))
        return GatewayReturned(wall(since), wall(now))
