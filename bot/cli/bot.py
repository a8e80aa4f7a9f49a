"""``run`` and ``sync``."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from bot import log
from bot.config import Config, require_secrets, secrets_of

_T = TypeVar("_T")


def perform(command: str, config: Config) -> int:
    """Run the bot until it ends, or send its commands to Discord; the exit code. Raises OperatorError."""
    # Before the slow imports, so that a mistake is reported at once.
    require_secrets(config)
    if command == "run" and (dsn := config.sentry.dsn.get_secret_value()):
        from bot import sentry

        sentry.set_up(dsn, log.Redactor(secrets_of(config)))
    # Collecting garbage during the imports takes a fifth of the start-up time; the bot turns it on again.
    gc.disable()
    from bot import process

    if command == "sync":
        gc.enable()
        _run(process.sync(config))
        print("The commands were sent to Discord.")
        return 0
    try:
        return 0 if _run(process.run(config)) else 1
    finally:
        log.release()


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
