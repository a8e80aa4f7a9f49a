"""Runs a module as a program with a fault injected: it kills itself at a crash point, or its disk fails.

The product has no hooks for this: chosen methods are wrapped from outside before it starts. The command line names the
module and its arguments. The environment says which fault: CRASH_GO, a file to wait for once everything is imported;
CRASH_AT, a file that says where to send which signal (:class:`Crash`), and that may be written at any time;
CRASH_MARK, what it is renamed to then; DISK_FAULT, which fault there is while the file DISK_FAULT_WHILE exists;
WAITS, a JSON object of constants to shorten, by module and name.
"""

import functools
import json
import os
import runpy
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import Any, final

from bot.domain.generation import Delivery
from bot.store.generations import GenerationRepository
from bot.store.lookups import DraftRepository, KeyValueRepository, UploadRepository
from bot.store.store import Store, Transaction
from bot.store.tasks import TaskRepository
from tests.crash.crash_points import CLUSTER_STEPS, STEPS, Crash
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
    """Sends this process the signal of the crash that a file asks for. Of several that share the file, the first."""

    def __init__(self, file: Path, mark: Path) -> None:
        self._file = file
        self._mark = mark
        self._asked = ""
        self._times = 0

    def reached(self, point: str) -> None:
        """The process is at this crash point."""
        try:
            asked = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        crash = Crash.from_json(asked)
        if point != crash.point:
            return
        self._times = self._times + 1 if asked == self._asked else 1
        self._asked = asked
        if self._times < crash.nth:
            return
        with suppress(FileNotFoundError):
            self._file.rename(self._mark)
            os.kill(os.getpid(), crash.signal)


def wrap_steps(switch: KillSwitch) -> None:
    """Put a crash point before and after each step, however it ends."""
    for step, (place, name) in {**STEPS, **CLUSTER_STEPS}.items():
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
    switch = KillSwitch(Path(environment["CRASH_AT"]), Path(environment["CRASH_MARK"]))
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
