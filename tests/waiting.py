"""Waits for a condition with a timeout, instead of sleeping for a guessed time; and for a task that is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")

_PAUSE = 0.01


async def until(
    condition: Callable[[], T | Awaitable[T | None] | None],
    *,
    within: float = 10.0,
    what: str,
) -> T:
    """Call `condition` until its result is truthy, and return the result.

    `within` is in seconds and also limits an asynchronous condition. Raises AssertionError naming `what`.
    """
    limit = asyncio.timeout(within)
    try:
        async with limit:
            while True:
                if result := await _call(condition):
                    return result
                await asyncio.sleep(_PAUSE)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise AssertionError(f"waited {within:g} s for {what}") from error


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it has given back what it holds, such as a connection."""
    task.cancel()
    await asyncio.wait({task})


async def _call(condition: Callable[[], T | Awaitable[T | None] | None]) -> T | None:
    result = condition()
    if isinstance(result, Awaitable):
        return await cast("Awaitable[T | None]", result)
    return result
