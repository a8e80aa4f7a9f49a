"""What has to be written down or read, however long the database is not to be had."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain, repeat
from typing import TypeVar

import structlog

from bot.domain.errors import StoreUnavailable

log = structlog.stdlib.get_logger(__name__)

_PAUSES = (0.5, 1, 2, 5, 10)
_T = TypeVar("_T")


async def insist(step: Callable[[], Awaitable[_T]]) -> _T:
    """Do it again and again until the store is there; a step is one transaction, of which a failure leaves nothing."""
    for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
        try:
            return await step()
        except StoreUnavailable as error:
            log.error("the database is not to be had", error=str(error), pause=pause)
            await asyncio.sleep(pause)
    raise AssertionError("there is always another pause")
