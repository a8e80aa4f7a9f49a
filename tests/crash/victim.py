"""Runs a module as a program that ends itself by SIGKILL at a boundary, or meets trouble on its disk.

The product has no hooks for this: chosen methods are wrapped from outside before it starts. The command line names
the module and its arguments. What to do stands in the environment: VICTIM_GO, a file to wait for when everything is
loaded; VICTIM_BOUNDARY and VICTIM_NTH, where to end; VICTIM_MARK, a file to name the boundary in; VICTIM_TROUBLE, which
trouble there is while the file in VICTIM_TROUBLE_WHILE exists; VICTIM_PAUSES, a JSON object of waits to be shortened,
by module and name.
"""

import functools
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import Any, final

from bot.domain.generation import Delivery
from bot.store.generations import GenerationRepository
from bot.store.lookups import DraftRepository, KeyValueRepository, UploadRepository
from bot.store.store import Store, Transaction
from bot.store.tasks import TaskRepository
from tests.crash.boundaries import CALLS
from tests.crash.trouble import make_trouble

_PAUSE = 0.005
_WRITES = {
    (GenerationRepository, "add"): "accept",
    (TaskRepository, "submitting"): "submitting",
    (TaskRepository, "running"): "running",
    (TaskRepository, "requeue"): "waiting again",
    (TaskRepository, "ready"): "ready",
    (TaskRepository, "fail"): "fail",
    (TaskRepository, "overdue"): "overdue",
    (TaskRepository, "cancel"): "cancel",
    (TaskRepository, "delivered"): "delivered",
    (UploadRepository, "remember"): "upload noted",
    (DraftRepository, "add"): "draft kept",
    (KeyValueRepository, "put"): "key-value kept",
}
_LOADED_BEFOREHAND = ("bot.app", "sqlalchemy.dialects.sqlite.aiosqlite", "alembic.command", "bot.media.spending_chart")


@final
class Fuse:
    """Ends the process at the n-th crossing of one boundary."""

    def __init__(self, boundary: str, nth: int, mark: Path) -> None:
        self._boundary = boundary
        self._left = nth
        self._mark = mark

    def cross(self, boundary: str) -> None:
        """This boundary is being crossed."""
        if boundary != self._boundary:
            return
        self._left -= 1
        if self._left == 0:
            self._mark.write_text(boundary, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)


def wrap_calls(fuse: Fuse) -> None:
    """Let each step that lasts cross its two boundaries, however it ends."""
    for step, (place, name) in CALLS.items():
        module, _, kind = place.partition(":")
        owner: Any = import_module(module)
        owner = getattr(owner, kind) if kind else owner
        setattr(owner, name, _crossing(getattr(owner, name), step, fuse))


def _crossing(original: Callable[..., Awaitable[Any]], step: str, fuse: Fuse) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def crossing(*args: Any, **kwargs: Any) -> Any:
        fuse.cross(f"before {step}")
        try:
            return await original(*args, **kwargs)
        finally:
            fuse.cross(f"after {step}")

    return crossing


def wrap_commits(fuse: Fuse) -> None:
    """Let each write transaction cross its two boundaries, under the name of what it wrote."""
    written: ContextVar[list[str]] = ContextVar("written")

    def note(owner: type, name: str, what: str) -> None:
        original: Callable[..., Awaitable[Any]] = getattr(owner, name)

        @functools.wraps(original)
        async def noting(*args: Any, **kwargs: Any) -> Any:
            if (noted := written.get(None)) is not None:
                noted.append(what or f"delivery {args[2].value}")
            return await original(*args, **kwargs)

        setattr(owner, name, noting)

    for (owner, name), what in _WRITES.items():
        note(owner, name, what)
    note(GenerationRepository, "set_delivery", "")
    original = Store.write

    @asynccontextmanager
    async def write(self: Store) -> AsyncGenerator[Transaction, None]:
        noted: list[str] = []
        token = written.set(noted)
        try:
            async with original(self) as tx:
                yield tx
                step = _step(noted)
                fuse.cross(f"before commit: {step}")
            fuse.cross(f"after commit: {step}")
        finally:
            written.reset(token)

    Store.write = write


def _step(noted: list[str]) -> str:
    done = f"delivery {Delivery.DONE.value}"
    if done in noted and "delivered" not in noted:
        return "undelivered"
    return noted[0] if noted else "nothing"


def main() -> None:
    """Prepare, wait for the word, and hand over."""
    fuse = Fuse(
        os.environ.get("VICTIM_BOUNDARY", ""), int(os.environ.get("VICTIM_NTH", "1")), Path(os.environ["VICTIM_MARK"])
    )
    for module in _LOADED_BEFOREHAND:
        import_module(module)
    wrap_calls(fuse)
    wrap_commits(fuse)
    if trouble := os.environ.get("VICTIM_TROUBLE"):
        make_trouble(trouble, Path(os.environ["VICTIM_TROUBLE_WHILE"]))
    for place, seconds in json.loads(os.environ.get("VICTIM_PAUSES", "{}")).items():
        module, _, name = place.partition(":")
        setattr(import_module(module), name, seconds)
    if go := os.environ.get("VICTIM_GO"):
        while not Path(go).exists():
            time.sleep(_PAUSE)
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(f"{module}.__main__", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
