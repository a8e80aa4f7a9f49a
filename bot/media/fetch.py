"""Bounded downloads: from allowed hosts only, up to so many bytes, within so many seconds, never redirected."""

from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp
from yarl import URL

from bot.domain.errors import DiskError
from bot.media.addresses import is_literal, is_loopback, may_connect

_CHUNK = 1 << 16
_MAY_PASS = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
"""Stores of files answer so for a moment when a file is new to them."""
_USER_AGENT = "Mozilla/5.0 (compatible; Easel)"


class FetchRefused(Exception):
    """The download is not allowed or will never work: a foreign host, too many bytes, an answer like 410."""


class FetchTooLarge(FetchRefused):
    """The file has more bytes than allowed."""


class FetchFailed(Exception):
    """The download broke off or the host is in trouble; it may work later."""


class AllowedHosts:
    """Which addresses may be fetched: https on these hosts, and plain http on those that are loopback.

    An entry is ``host`` (any port) or ``host:port``. One that is an address counts only if it is public or loopback.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)

    def allows(self, address: str) -> bool:
        """Whether this address may be fetched."""
        try:
            url = URL(address)
            host, port = url.host, url.port
        except ValueError:
            return False
        if host is None or url.user is not None or url.password is not None:
            return False
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
            return False
        if is_literal(host) and not may_connect(host, host):
            return False
        return host in self._hosts or f"{host}:{port}" in self._hosts


@contextmanager
def _on_disk() -> Generator[None, None, None]:
    """Tell trouble with the disk from trouble with the network, which is an OSError as well."""
    try:
        yield
    except OSError as error:
        raise DiskError(error.strerror) from error


class Fetcher:
    """Downloads from one set of hosts. The session is the caller's to close."""

    def __init__(self, session: aiohttp.ClientSession, hosts: AllowedHosts, *, seconds: float) -> None:
        self._session = session
        self._hosts = hosts
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, 10))

    async def to_bytes(self, address: str, limit: int) -> bytes:
        """The file's content, at most ``limit`` bytes; raises FetchRefused or FetchFailed."""
        content = bytearray()
        async with self._open(address, limit) as response:
            async for chunk in response.content.iter_chunked(_CHUNK):
                content += chunk
                if len(content) > limit:
                    raise FetchTooLarge
        return bytes(content)

    async def to_file(self, address: str, path: Path, limit: int) -> None:
        """Write the file to ``path``, which appears only when it is whole.

        Raises FetchRefused, FetchFailed, or DiskError when it is our own disk that does not take it.
        """
        partial = path.with_suffix(".part")
        written = 0
        with _on_disk():
            file = partial.open("wb", buffering=0)
        try:
            async with self._open(address, limit) as response:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    written += len(chunk)
                    if written > limit:
                        raise FetchTooLarge
                    with _on_disk():
                        file.write(chunk)
            with _on_disk():
                partial.replace(path)
        finally:
            file.close()
            partial.unlink(missing_ok=True)

    @asynccontextmanager
    async def _open(self, address: str, limit: int) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        if not self._hosts.allows(address):
            raise FetchRefused("the host is not allowed")
        try:
            async with self._session.get(
                # Signed links must be asked for exactly as they were given.
                URL(address, encoded=True),
                headers={"User-Agent": _USER_AGENT},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in _MAY_PASS:
                    raise FetchFailed(f"HTTP {response.status}")
                if response.status != HTTPStatus.OK:
                    raise FetchRefused(f"HTTP {response.status}")
                if response.content_length is not None and response.content_length > limit:
                    raise FetchTooLarge
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FetchFailed(type(error).__name__) from error
