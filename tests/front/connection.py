"""One websocket connection to a bot."""

import asyncio
import json
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, final

from aiohttp import web


@final
class GatewayConnection:
    """Sends queued messages in order; `compressed` uses Discord's zlib-stream transport."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, *, compressed: bool) -> None:
        self._request = request
        self._socket = socket
        self._deflate = zlib.compressobj() if compressed else None
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()

    def put(self, message: Mapping[str, Any]) -> None:
        """Queue a message that is not an event."""
        self.put_text(json.dumps(message))

    def put_text(self, text: str) -> None:
        """Queue a message that is already JSON."""
        self._outgoing.put_nowait(text)

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[None]:
        """Send the queue for as long as the block runs."""
        writer = asyncio.create_task(self._write())
        try:
            yield
        finally:
            writer.cancel()
            await asyncio.wait([writer])

    async def close(self, code: int | None) -> None:
        """Close with `code`; None cuts the connection without a close frame."""
        if code is not None:
            await self._socket.close(code=code)
        elif self._request.transport is not None:
            self._request.transport.abort()

    async def _write(self) -> None:
        while not self._socket.closed:
            text = await self._outgoing.get()
            try:
                if self._deflate is None:
                    await self._socket.send_str(text)
                else:
                    compressed = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                    await self._socket.send_bytes(compressed)
            except ConnectionError:
                return
