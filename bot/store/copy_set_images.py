"""Copies the bytes of reference sets' images, which lie in files beside SQLite and in a table of PostgreSQL."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select

from bot.store.style_tables import set_images
from bot.store.tables import reference_images

_c = reference_images.c


def copy_set_images(reading: Connection, writing: Connection, folders: tuple[Path, Path], now: datetime) -> int:
    """Copy every image that a set has, and return how many were not found; ``folders`` are of source and target.

    Raises OSError.
    """
    source, target = folders
    lost = 0
    for digest in _digests(reading):
        found = _from_file(source, digest) if reading.dialect.name == "sqlite" else _from_table(reading, digest)
        if found is None:
            lost += 1
        elif writing.dialect.name == "sqlite":
            _to_file(target, digest, *found)
        else:
            suffix, data = found
            row = {"digest": digest, "suffix": suffix, "data": data, "size": len(data), "used_at": now}
            writing.execute(insert(reference_images).values(row))
    return lost


def _digests(reading: Connection) -> Iterator[str]:
    return iter(reading.scalars(select(set_images.c.digest).distinct()).all())


def _from_file(folder: Path, digest: str) -> tuple[str, bytes] | None:
    file = next((file for file in folder.glob(f"{digest}.*") if file.suffix != ".part"), None)
    return None if file is None else (file.suffix.removeprefix("."), file.read_bytes())


def _from_table(reading: Connection, digest: str) -> tuple[str, bytes] | None:
    row = reading.execute(select(_c.suffix, _c.data).where(_c.digest == digest)).one_or_none()
    return None if row is None else (row[0], row[1])


def _to_file(folder: Path, digest: str, suffix: str, data: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{digest}.{suffix}"
    partial = file.with_suffix(".part")
    partial.touch(mode=0o600)
    partial.write_bytes(data)
    partial.replace(file)
