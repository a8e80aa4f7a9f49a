"""A database with the newest schema and nothing in it: making one for each test takes long, copying it does not."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from bot.store.migrate import migrate


def put_fresh_database(path: Path) -> None:
    """Put it there, unless something is there already."""
    if not path.exists():
        shutil.copyfile(_template(), path)


@cache
def _template() -> Path:
    """Made once in each process of a test run."""
    path = Path(tempfile.mkdtemp(prefix="easel-tests-")) / "easel.db"
    migrate(f"sqlite:///{path}")
    return path
