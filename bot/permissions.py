"""Who may read Easel's files: the user who runs it, and nobody else on the machine."""

import os
import stat
from collections.abc import Collection, Generator, Iterable
from pathlib import Path
from typing import Final

import structlog

log = structlog.stdlib.get_logger(__name__)

FOLDERS: Final = frozenset({"spool", "references", "tmp", "backups", "workshop"})
"""Easel's own beside the database; "workshop" is the tmp of earlier versions."""
JOURNAL: Final = "openings.journal"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def tighten(database: Path) -> None:
    """Take away what other users may do with a database and all that Easel keeps beside it; logs what it changed.

    The folder itself is changed only if nothing else is in it: it may be the root, /tmp, or shared with others. What
    belongs to another user and symbolic links are left alone. Raises nothing.
    """
    if os.name != "posix":
        return
    folder = database.parent.resolve()
    try:
        own, shared = _own_entries(database, folder)
        changed = sum(map(_tighten, _with_contents(own)))
    except OSError as error:
        log.warning("permissions of the data folder not checked", folder=str(folder), error=error.strerror)
        return
    if changed:
        log.warning("other users can no longer read the data folder", folder=str(folder), changed=changed)
    if shared and folder.stat().st_mode & _OTHERS:
        log.info("the database's folder holds other files too, so it stays as it is", folder=str(folder))


def open_to_others(database: Path) -> list[Path]:
    """What :func:`tighten` would change, if it belongs to this user; raises OSError."""
    if os.name != "posix":
        return []
    own, _ = _own_entries(database, database.parent.resolve())
    return [path for path in _with_contents(own) if path.lstat().st_mode & _OTHERS and not path.is_symlink()]


def exposed_secrets(file: Path | None, secrets: Collection[str], secret_files: Iterable[str]) -> list[str]:
    """The files that other users can read: the configuration file if it holds one of the secrets, and secrets' own.

    The files of a container engine belong to another user, who protects them in another way.
    """
    if os.name != "posix":
        return []
    exposed = [str(file)] if file is not None and _others_read(file.stat()) and _holds(file, secrets) else []
    for name in filter(None, secret_files):
        status = Path(name).stat()
        if status.st_uid == os.geteuid() and _others_read(status):
            exposed.append(name)
    return exposed


def _others_read(status: os.stat_result) -> bool:
    return bool(status.st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _holds(file: Path, secrets: Collection[str]) -> bool:
    text = file.read_text(encoding="utf-8")
    return any(secret and secret in text for secret in secrets)


def _own_entries(database: Path, folder: Path) -> tuple[list[Path], bool]:
    """What is Easel's in its folder, with the folder itself unless that is shared with others; and whether it is."""
    entries = [*folder.iterdir()]
    own = [entry for entry in entries if _is_own(entry, database)]
    others = [entry for entry in entries if entry not in own and not _is_incidental(entry)]
    shared = bool(others or folder.stat().st_mode & stat.S_ISVTX)
    return (own if shared else [folder, *own]), shared


def _is_own(entry: Path, database: Path) -> bool:
    """Whether an entry is the database, one of its side files or copies (``easel-2025.db``), or of a known name."""
    name = entry.name.removeprefix(".")
    copy = name.startswith(f"{database.stem}-") and name.endswith(database.suffix)
    return copy or name.startswith((database.name, JOURNAL)) or (name in FOLDERS and entry.is_dir())


def _is_incidental(entry: Path) -> bool:
    """Whether an entry says nothing of whose folder it is."""
    return entry.name.startswith(".") or entry.name == "lost+found"


def _with_contents(entries: Iterable[Path]) -> Generator[Path, None, None]:
    """The entries, and what is in Easel's folders among them if others can enter these: else that is protected."""
    for entry in entries:
        open_to_others = entry.lstat().st_mode & _OTHERS
        yield entry
        if entry.name in FOLDERS and open_to_others and not entry.is_symlink():
            for folder, folders, files in os.walk(entry):
                yield from (Path(folder, name) for name in (*folders, *files))


def _tighten(path: Path) -> bool:
    """Whether the permissions were changed; a file that is gone meanwhile needs no change."""
    try:
        status = path.lstat()
        if not status.st_mode & _OTHERS or stat.S_ISLNK(status.st_mode):
            return False
        if status.st_uid != os.geteuid():
            log.warning("belongs to another user, so its permissions stay as they are", path=str(path))
            return False
        path.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("permissions not changed", path=str(path), error=error.strerror)
        return False
    return True
