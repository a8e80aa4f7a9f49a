"""Runs a module as a program with a fault injected: it kills itself at a crash point, or its disk fails.

The product has no hooks for this: chosen methods are wrapped from outside before it starts. The command line names the
module and its arguments. The environment says which fault: CRASH_GO, a file to wait for once everything is imported;
CRASH_POINT and CRASH_NTH, where to send SIGKILL; CRASH_MARK, a file to write that point's name to; DISK_FAULT, which
fault there is while the file DISK_FAULT_WHILE exists; WAITS, a JSON object of constants to shorten, by module and name.
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
from tests.crash.crash_points import STEPS
from tests.crash.disk_faults import inject_disk_fault

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
    (UploadRepository, "remember"): "upload stored",
    (DraftRepository, "add"): "draft stored",
    (KeyValueRepository, "put"): "key-value stored",
}
_IMPORTED_BEFOREHAND = (
    "bot.process",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "alembic.command",
    "bot.media.spending_chart",
)


@final
class KillSwitch:
    """Kills the process when it reaches a crash point for the n-th time."""

    def __init__(self, point: str, nth: int, mark: Path) -> None:
        self._point = point
        self._left = nth
        self._mark = mark

    def reached(self, point: str) -> None:
        """The process is at this crash point."""
        if point != self._point:
            return
        self._left -= 1
        if self._left == 0:
            self._mark.write_text(point, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)


def wrap_steps(switch: KillSwitch) -> None:
    """Put a crash point before and after each step, however it ends."""
    for step, (place, name) in STEPS.items():
        module, _, class_name = place.partition(":")
        owner: Any = import_module(module)
        owner = getattr(owner, class_name) if class_name else owner
        setattr(owner, name, _wrapped(getattr(owner, name), step, switch))


def _wrapped(original: Callable[..., Awaitable[Any]], step: str, switch: KillSwitch) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        switch.reached(f"before {step}")
        try:
            return await original(*args, **kwargs)
        finally:
            switch.reached(f"after {step}")

    return wrapped


def wrap_commits(switch: KillSwitch) -> None:
    """Put a crash point before and after the commit of each write transaction, named after what it wrote."""
    written: ContextVar[list[str]] = ContextVar("written")

    def record(owner: type, name: str, what: str) -> None:
        original: Callable[..., Awaitable[Any]] = getattr(owner, name)

        @functools.wraps(original)
        async def recording(*args: Any, **kwargs: Any) -> Any:
            if (writes := written.get(None)) is not None:
                writes.append(what or f"delivery {args[2].value}")
            return await original(*args, **kwargs)

        setattr(owner, name, recording)

    for (owner, name), what in _WRITES.items():
        record(owner, name, what)
    record(GenerationRepository, "set_delivery", "")
    original = Store.write

    @asynccontextmanager
    async def write(self: Store) -> AsyncGenerator[Transaction, None]:
        writes: list[str] = []
        token = written.set(writes)
        try:
            async with original(self) as tx:
                yield tx
                commit = _commit_name(writes)
                switch.reached(f"before commit: {commit}")
            switch.reached(f"after commit: {commit}")
        finally:
            written.reset(token)

    Store.write = write


def _commit_name(writes: list[str]) -> str:
    if f"delivery {Delivery.DONE.value}" in writes and "delivered" not in writes:
        return "undelivered"
    return writes[0] if writes else "nothing"


def main() -> None:
    """Inject the fault, wait for the file CRASH_GO, and run the module."""
    environment = os.environ
    switch = KillSwitch(
        environment.get("CRASH_POINT", ""), int(environment.get("CRASH_NTH", "1")), Path(environment["CRASH_MARK"])
    )
    for module in _IMPORTED_BEFOREHAND:
        import_module(module)
    wrap_steps(switch)
    wrap_commits(switch)
    if fault := environment.get("DISK_FAULT"):
        inject_disk_fault(fault, Path(environment["DISK_FAULT_WHILE"]))
    for place, seconds in json.loads(environment.get("WAITS", "{}")).items():
        module, _, name = place.partition(":")
        if not hasattr(owner := import_module(module), name):
            raise AttributeError(f"no constant {place} to shorten")
        setattr(owner, name, seconds)
    if go := environment.get("CRASH_GO"):
        while not Path(go).exists():
            time.sleep(_PAUSE)
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(f"{module}.__main__", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
