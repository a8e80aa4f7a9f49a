"""A member's data as a ZIP file."""

import asyncio
import csv
import json
import tempfile
import zipfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from bot.domain.credits import Credits
from bot.domain.ids import UserId, message_link
from bot.domain.privacy_errors import ExportTooSoon
from bot.domain.styles import Owner
from bot.domain.text import as_cell
from bot.quota.spending_report import BYTE_ORDER_MARK
from bot.runtime import Runtime
from bot.store.exports import ExportedFavourite, ExportedMovement, ExportedRequest
from bot.store.store import Store, Transaction

_PAUSE = timedelta(minutes=10)
"""Between two exports of a member."""
_ON_DISCORD_MAX = 20_000
"""Requests in an export that is sent by Discord: what is written to the disk for it stays below about 100 MB."""
_AT_ONCE = 200
_NEWEST: Final = (1 << 63) - 1
_T = TypeVar("_T")
_REQUEST_COLUMNS = (
    *("time", "prompt", "style", "model", "shape", "resolution", "images", "delivered", "credits_per_image"),
    *("private", "server", "link", "edited_from"),
)
_MOVEMENT_COLUMNS = ("time", "server", "movement", "credits", "of_which_bonus", "request", "reason")
_FAVOURITE_COLUMNS = ("saved", "server", "link")
_README = """Everything that Easel stores about you.

requests.json, requests.csv  what you asked for, newest first, with links to the messages on Discord
credits.csv                  every movement of your credits, newest first
favourites.csv               images you saved, newest first
saved.json                   your styles, and your reference sets with the names of their images
settings.json                your preferences, limits that servers set for you, your requests for more credits,
                             and the images that you reported

Times are in UTC. "server" is Discord's id of a server, and 0 for direct messages. There are no images in this file: the
finished ones are on Discord, where the links lead, and of those that you attached it has the names.
"""


@dataclass(frozen=True, slots=True)
class Export:
    """A ZIP file, and how many of the member's requests it holds."""

    file: Path
    requests: int
    total: int


class Exporter:
    """Exports for members: one at a time, and for each member one in ten minutes."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        """``folder`` is for files in progress."""
        self._store = runtime.store
        self._clock = runtime.clock
        self._folder = folder
        self._turn = asyncio.Lock()
        self._again_at: dict[UserId, datetime] = {}

    @asynccontextmanager
    async def export(self, user: UserId, max_bytes: int) -> AsyncGenerator[Export, None]:
        """The member's data in a file of at most this size, which is deleted at the end; of too much, the newest part.

        Raises ExportTooSoon.
        """
        now = self._clock.steady()
        self._again_at = {member: moment for member, moment in self._again_at.items() if moment > now}
        if (again_at := self._again_at.get(user)) is not None:
            raise ExportTooSoon(self._clock.now() + (again_at - now))
        self._again_at[user] = now + _PAUSE
        try:
            async with self._turn:
                with tempfile.TemporaryDirectory(prefix="export-", dir=self._folder) as folder:
                    yield await write_export(self._store, user, Path(folder) / "export.zip", max_bytes=max_bytes)
        except BaseException:
            self._again_at.pop(user, None)
            raise


async def write_export(store: Store, user: UserId, file: Path, *, max_bytes: int | None = None) -> Export:
    """Write a member's data to a ZIP file; the newest part if it would be larger than ``max_bytes``.

    Raises StoreUnavailable or OSError.
    """
    async with store.read() as tx:
        total, movements = await tx.exports.sizes(user)
    share = 1.0 if max_bytes is None else min(1.0, _ON_DISCORD_MAX / max(total, movements, 1))
    while True:
        with tempfile.TemporaryDirectory(prefix="export-", dir=file.parent) as folder:
            async with store.read() as tx:
                written = await _write_parts(tx, user, Path(folder), _of(share, total), _of(share, movements))
            size = await asyncio.to_thread(_zip, Path(folder), file)
        if max_bytes is None or size <= max_bytes or share * max(total, movements) < 1:
            return Export(file, written, total)
        share *= 0.9 * max_bytes / size


def _of(share: float, number: int) -> int:
    return number if share >= 1 else int(share * number)


async def _write_parts(tx: Transaction, user: UserId, folder: Path, requests: int, movements: int) -> int:
    """The files of the export; returns how many requests they hold."""
    (folder / "README.txt").write_text(_README, encoding="utf-8")
    written, before = 0, _NEWEST
    with _Table(folder / "requests.csv", _REQUEST_COLUMNS) as table, _List(folder / "requests.json") as objects:
        while part := await tx.exports.requests(user, before, min(_AT_ONCE, requests - written)):
            # In a thread: many long prompts keep it busy for a while.
            await asyncio.to_thread(table.add, part, _request_row)
            await asyncio.to_thread(objects.add, part)
            written, before = written + len(part), part[-1].id
    rows, before = 0, _NEWEST
    with _Table(folder / "credits.csv", _MOVEMENT_COLUMNS) as table:
        while entries := await tx.exports.movements(user, before, min(_AT_ONCE, movements - rows)):
            await asyncio.to_thread(table.add, entries, _movement_row)
            rows, before = rows + len(entries), entries[-1].id
    before = _NEWEST
    with _Table(folder / "favourites.csv", _FAVOURITE_COLUMNS) as table:
        while saved := await tx.exports.favourites(user, before, _AT_ONCE):
            table.add(saved, _favourite_row)
            before = saved[-1].image
    for name, values in (("settings.json", await _settings(tx, user)), ("saved.json", await _saved(tx, user))):
        (folder / name).write_text(json.dumps(values, indent=2, ensure_ascii=False), encoding="utf-8")
    return written


async def _settings(tx: Transaction, user: UserId) -> dict[str, Any]:
    limits, asked = await tx.exports.limits(user), await tx.exports.credit_requests(user)
    chosen = await tx.exports.preferences(user)
    return {
        "preferences": {name: _plain(value) if isinstance(value, Credits) else value for name, value in chosen.items()},
        "limits": [
            {"server": str(guild), "credits": _plain(limit.credits), "per": limit.period.value}
            for guild, limit in limits
        ],
        "credit_requests": [
            {"time": asked_at.isoformat(), "server": str(guild), "state": state.value}
            for asked_at, guild, state in asked
        ],
        "reports": [
            {"time": at.isoformat(), "server": str(guild), "image": str(image), "reason": reason}
            for at, guild, image, reason in await tx.exports.image_reports(user)
        ],
    }


async def _saved(tx: Transaction, user: UserId) -> dict[str, Any]:
    styles, sets = await tx.styles.of(Owner.member(user)), await tx.reference_sets.of(Owner.member(user))
    names = {saved.id: saved.name for saved in sets}
    return {
        "styles": [
            {
                "name": style.name,
                "template": style.template,
                "model": style.model,
                "shape": style.aspect_ratio,
                "reference_set": names[style.reference_set] if style.reference_set else None,
            }
            for style in styles
        ],
        "reference_sets": [
            {"name": saved.name, "images": [image.filename for image in saved.images]} for saved in sets
        ],
    }


def _zip(folder: Path, file: Path) -> int:
    """Make a ZIP file of a folder's files; returns its size."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in sorted(folder.iterdir()):
            archive.write(part, part.name)
    return file.stat().st_size


class _File:
    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8", newline="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


class _Table(_File):
    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        super().__init__(path)
        self.file.write(BYTE_ORDER_MARK)
        self._writer = csv.writer(self.file)
        self._writer.writerow(columns)

    def add(self, entries: Sequence[_T], row: Callable[[_T], Sequence[object]]) -> None:
        self._writer.writerows(map(row, entries))


class _List(_File):
    _separator = "[\n"

    def add(self, requests: Sequence[ExportedRequest]) -> None:
        for request in requests:
            self.file.write(self._separator + json.dumps(_request_object(request), ensure_ascii=False))
            self._separator = ",\n"

    def __exit__(self, *_: object) -> None:
        self.file.write("\n]\n" if self._separator[0] == "," else "[]\n")
        super().__exit__()


def _request_object(request: ExportedRequest) -> dict[str, Any]:
    settings = request.settings
    return {
        "time": request.requested_at.isoformat(),
        "server": str(request.guild_id),
        "channel": str(request.channel_id),
        "link": _link(request),
        "private": request.private,
        "prompt": request.prompt,
        "style": request.style,
        "model": settings.model.value,
        "shape": settings.aspect_ratio.value,
        "resolution": settings.resolution.value,
        "steps": settings.steps,
        "guidance": settings.guidance,
        "credits_per_image": _plain(request.price),
        "attached_images": list(request.references),
        "edited_from": _edited_from(request),
        "images": [
            {
                "outcome": image.state.value,
                "reason": image.failure.value if image.failure else None,
                "posted": image.posted_at.isoformat() if image.posted_at else None,
                "file": image.filename,
                "link": message_link(request.guild_id, image.channel_id, image.message_id)
                if image.channel_id and image.message_id and not request.private
                else None,
            }
            for image in request.images
        ],
    }


def _request_row(request: ExportedRequest) -> tuple[object, ...]:
    settings = request.settings
    return (
        request.requested_at.isoformat(),
        as_cell(request.prompt),
        as_cell(request.style or ""),
        settings.model.value,
        settings.aspect_ratio.value,
        settings.resolution.value,
        len(request.images),
        sum(image.posted_at is not None for image in request.images),
        _plain(request.price),
        request.private,
        request.guild_id,
        _link(request) or "",
        _edited_from(request) or "",
    )


def _movement_row(entry: ExportedMovement) -> tuple[object, ...]:
    amounts = (_plain(entry.credits), _plain(entry.bonus))
    return (entry.at.isoformat(), entry.guild_id, entry.movement, *amounts, entry.request or "", as_cell(entry.note))


def _favourite_row(saved: ExportedFavourite) -> tuple[object, ...]:
    link = "" if saved.private else message_link(saved.guild_id, saved.channel_id, saved.message_id)
    return (saved.saved_at.isoformat(), saved.guild_id, link)


def _link(request: ExportedRequest) -> str | None:
    """To the card; nobody can open a private one by its address."""
    if request.message_id is None or request.private:
        return None
    return message_link(request.guild_id, request.channel_id, request.message_id)


def _edited_from(request: ExportedRequest) -> str | None:
    return None if request.edited_from is None else message_link(request.guild_id, *request.edited_from)


def _plain(amount: Credits | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"
