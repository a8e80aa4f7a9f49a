"""An empty database with the newest schema; copying one is much faster than migrating a new one for each test."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from bot.store.migrate import migrate


def put_fresh_database(path: Path) -> None:
    """Copy it there, unless the file already exists."""
    if not path.exists():
        shutil.copyfile(_template(), path)


@cache
def _template() -> Path:
    """Migrated once in each process of a test run."""
    path = Path(tempfile.mkdtemp(prefix="easel-tests-")) / "easel.db"
    migrate(f"sqlite:///{path}")
    return path
