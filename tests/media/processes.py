"""Which processes a test has started, as Linux lists them in /proc."""

import contextlib
import os
from pathlib import Path


def children(of: int | None = None) -> set[int]:
    """The ids of the living child processes of this process or another."""
    pids: set[int] = set()
    for thread in Path(f"/proc/{of or os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pids.update(map(int, thread.read_text().split()))
    return pids


def grandchildren() -> set[int]:
    """The ids of the living children of this process's children."""
    return {grandchild for child in children() for grandchild in children(child)}


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    return Path(f"/proc/{pid}").exists()
