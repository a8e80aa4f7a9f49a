"""Waiting for a condition with a time-out, where a fixed sleep would be a guess."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")

_PAUSE = 0.01


async def until(
    condition: Callable[[], T | Awaitable[T | None] | None],
    *,
    within: float = 10.0,
    what: str,
) -> T:
    """Call `condition` until its answer is truthy, and return that answer.

    `within` is in seconds and bounds an asynchronous condition as well. Raises AssertionError naming `what`.
    """
    limit = asyncio.timeout(within)
    try:
        async with limit:
            while True:
                if answer := await _answer(condition):
                    return answer
                await asyncio.sleep(_PAUSE)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise AssertionError(f"waited {within:g} s in vain for {what}") from error


async def _answer(condition: Callable[[], T | Awaitable[T | None] | None]) -> T | None:
    answer = condition()
    if isinstance(answer, Awaitable):
        return await cast("Awaitable[T | None]", answer)
    return answer
