"""Downloads from allowed hosts only, limited in bytes and seconds, without following redirects."""

from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp
from yarl import URL

from bot.domain.errors import DiskError
from bot.media.ssrf import AddressNotPublic, is_literal, may_connect
from bot.network import NETWORK_ERRORS, is_loopback, parse_address

_CHUNK_BYTES = 1 << 16
_TEMPORARY = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
"""Object storage answers these for a moment when a file is new."""
_USER_AGENT = "Mozilla/5.0 (compatible; Easel)"


class FetchRefused(Exception):
    """The download is not allowed or will never work: host not allowed, too many bytes, a response like 410."""


class FetchTooLarge(FetchRefused):
    """The file is larger than the limit."""


class FetchFailed(Exception):
    """The download was interrupted or the host is unavailable; it may work later."""


class AllowedHosts:
    """Which URLs may be fetched: https on these hosts, and plain http on those that are loopback.

    An entry is ``host`` (any port) or ``host:port``. One that is an address counts only if it is public or loopback.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)

    def check(self, address: str) -> URL:
        """The URL to fetch, exactly as it was checked; raises FetchRefused."""
        try:
            url = parse_address(address)
        except ValueError as error:
            raise FetchRefused("not a usable address") from error
        host = url.raw_host or ""
        if url.scheme != "https" and not is_loopback(host):
            raise FetchRefused("not encrypted")
        if is_literal(host) and not may_connect(host, host):
            raise FetchRefused("the address is not public")
        if host not in self._hosts and f"{host}:{url.port}" not in self._hosts:
            raise FetchRefused("the host is not allowed")
        return url

    def allows(self, address: str) -> bool:
        """Whether this URL may be fetched; False if it is not a URL."""
        try:
            self.check(address)
        except FetchRefused:
            return False
        return True


@contextmanager
def _disk_errors() -> Generator[None, None, None]:
    """Raise DiskError for an OSError here, which elsewhere in a download means the network."""
    try:
        yield
    except OSError as error:
        raise DiskError(error.strerror) from error


class Fetcher:
    """Downloads from one set of hosts, each file within so many seconds. The caller closes the session."""

    def __init__(self, session: aiohttp.ClientSession, hosts: AllowedHosts, *, seconds: float) -> None:
        self._session = session
        self._hosts = hosts
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, 10))

    async def to_file(self, url: str, path: Path, limit: int) -> None:
        """Download at most ``limit`` bytes to ``path``, which is created or replaced only once all have arrived.

        Raises FetchRefused (FetchTooLarge beyond the limit), FetchFailed, or DiskError if the file cannot be written.
        """
        partial = path.with_suffix(".part")
        written = 0
        with _disk_errors():
            file = partial.open("wb", buffering=0)
        try:
            async with self._open(url, limit) as response:
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    written += len(chunk)
                    if written > limit:
                        raise FetchTooLarge
                    with _disk_errors():
                        file.write(chunk)
            with _disk_errors():
                partial.replace(path)
        finally:
            file.close()
            partial.unlink(missing_ok=True)

    @asynccontextmanager
    async def _open(self, url: str, limit: int) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        checked = self._hosts.check(url)
        try:
            async with self._session.get(
                checked,
                headers={"User-Agent": _USER_AGENT},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in _TEMPORARY:
                    raise FetchFailed(f"HTTP {response.status}")
                if response.status != HTTPStatus.OK:
                    raise FetchRefused(f"HTTP {response.status}")
                if response.content_length is not None and response.content_length > limit:
                    raise FetchTooLarge
                yield response
        except AddressNotPublic as error:
            raise FetchRefused("the host resolves to an address that is not public") from error
        except ValueError as error:
            # aiohttp's InvalidURL is one too: what it cannot read today it cannot read tomorrow.
            raise FetchRefused("not a usable address") from error
        except NETWORK_ERRORS as error:
            raise FetchFailed(type(error).__name__) from error
