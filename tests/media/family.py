"""Which processes a test has started, as Linux tells."""

import contextlib
import os
from pathlib import Path


def children(of: int | None = None) -> set[int]:
    """The processes that this one, or another, has started and that are still there."""
    found: set[int] = set()
    for thread in Path(f"/proc/{of or os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update(map(int, thread.read_text().split()))
    return found


def grandchildren() -> set[int]:
    """The processes of those processes."""
    return {one for child in children() for one in children(child)}


def is_there(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()
