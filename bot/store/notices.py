"""Notices to the process that submits, tracks and delivers: sent when a transaction is committed, on PostgreSQL."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ids import GenerationId, TaskId
from bot.store import postgres

_CHANNEL: Final = "easel"
_NOTIFY = select(func.pg_notify(_CHANNEL, bindparam("payload")))


@dataclass(frozen=True, slots=True)
class GenerationChanged:
    """A request was accepted or cancelled."""

    generation: GenerationId


@dataclass(frozen=True, slots=True)
class CallbackReceived:
    """KIE has called back about a task."""

    task: TaskId


Notice = GenerationChanged | CallbackReceived
Notices = Callable[[float], AsyncGenerator[Notice, None]]
"""Waits so many seconds, and yields each notice that arrives meanwhile."""
Listen = Callable[[], AbstractAsyncContextManager[Notices]]


class NoticeRepository:
    """A notice is a hint, and may be lost: what it is about stands in the tables."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def send(self, notice: Notice) -> None:
        """Send it when the transaction is committed. On PostgreSQL only."""
        match notice:
            case GenerationChanged(number):
                payload = f"g {number}"
            case CallbackReceived(number):
                payload = f"t {number}"
        await self._connection.execute(_NOTIFY, {"payload": payload})


def listener(url: str) -> Listen:
    """What :data:`Listen` is for this database; raises StoreUnavailable in its block when the connection ends."""

    @asynccontextmanager
    async def listen() -> AsyncGenerator[Notices, None]:
        async with postgres.listening(url, _CHANNEL) as payloads:

            async def notices(seconds: float) -> AsyncGenerator[Notice, None]:
                async for payload in payloads(seconds):
                    if (notice := _notice(payload)) is not None:
                        yield notice

            yield notices

    return listen


def _notice(payload: str) -> Notice | None:
    """None for what another version has sent."""
    kind, _, number = payload.partition(" ")
    if not number.isdecimal():
        return None
    return {"g": GenerationChanged(GenerationId(int(number))), "t": CallbackReceived(TaskId(int(number)))}.get(kind)
