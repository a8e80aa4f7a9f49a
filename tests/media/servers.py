"""A server that sends whatever bytes a test wants."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager


class RawServer:
    """Answers every request with this head, below a status of 200, and then piece after piece of a body."""

    def __init__(self, *head: str, body: Iterable[bytes] = (), pause: float = 0.0, hangs: bool = False) -> None:
        self._head = "\r\n".join(["HTTP/1.1 200 OK", *head, "\r\n"])
        self._body = body
        self._pause = pause
        self._hangs = hangs
        self.port = 0
        self.connections = 0
        self.request = b""
        self.sent = 0

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[str, None]:
        """Serve on this machine; yields the base URL."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.request = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._head.encode())
            for piece in self._body:
                writer.write(piece)
                self.sent += len(piece)
                await writer.drain()
                await asyncio.sleep(self._pause)
            if self._hangs:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
