"""Downloads from allowed hosts only, limited in bytes and seconds; redirects are followed only there, too."""

from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from bot.domain.errors import DiskError
from bot.domain.generation import Source
from bot.media.ssrf import AddressNotPublic, is_literal, may_connect
from bot.network import NETWORK_ERRORS, is_loopback, parse_address

_CHUNK_BYTES = 1 << 16
_REDIRECTS = 3
"""How many in a row are followed."""
_REDIRECTING = {301, 302, 303, 307, 308}
_USER_AGENT = "Mozilla/5.0 (compatible; Easel)"


class FetchRefused(Exception):
    """The download is against the rules: no usable address, a host that is not allowed, too many bytes."""


class FetchTooLarge(FetchRefused):
    """The file is larger than the limit."""


class HostNotAllowed(FetchRefused):
    """A usable address, on a host that is not among the allowed ones."""

    def __init__(self, host: str) -> None:
        super().__init__("the host is not allowed")
        self.host = host


class FetchFailed(Exception):
    """The download was interrupted, or the host is unavailable or answered with another status than 200."""


class FetchGone(FetchFailed):
    """404 or 410. Object storage answers so for a moment when a file is new, too."""


class AllowedHosts:
    """Which URLs may be fetched: https on these hosts, and plain http on those that are loopback.

    An entry is ``host`` (any port) or ``host:port``; with a leading dot it is a domain, with every host below it. One
    that is an address counts only if it is public or loopback.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        entries = [host.lower() for host in hosts]
        self._hosts = frozenset(entry.removeprefix(".") for entry in entries)
        self._domains = tuple(entry for entry in entries if entry.startswith("."))

    def check(self, address: str) -> URL:
        """The URL to fetch, exactly as it was checked; raises FetchRefused (HostNotAllowed for another host)."""
        try:
            url = parse_address(address)
        except ValueError as error:
            raise FetchRefused("not a usable address") from error
        host = url.raw_host or ""
        if url.scheme != "https" and not is_loopback(host):
            raise FetchRefused("not encrypted")
        if is_literal(host) and not may_connect(host, host):
            raise FetchRefused("the address is not public")
        if not any(name in self._hosts or name.endswith(self._domains) for name in (host, f"{host}:{url.port}")):
            raise HostNotAllowed(host)
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
            async with AsyncExitStack() as stack:
                response = await stack.enter_async_context(self._get(checked))
                for _ in range(_REDIRECTS):
                    location = response.headers.get("Location")
                    if location is None or response.status not in _REDIRECTING:
                        break
                    checked = self._hosts.check(urljoin(str(checked), location))
                    response = await stack.enter_async_context(self._get(checked))
                if response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
                    raise FetchGone(f"HTTP {response.status}")
                if response.status != HTTPStatus.OK:
                    raise FetchFailed(f"HTTP {response.status}")
                if response.content_length is not None and response.content_length > limit:
                    raise FetchTooLarge
                yield response
        except AddressNotPublic as error:
            raise FetchFailed("the host resolves to an address that is not public") from error
        except ValueError as error:
            # aiohttp's InvalidURL is one too: what it cannot read today it cannot read tomorrow.
            raise FetchRefused("not a usable address") from error
        except NETWORK_ERRORS as error:
            raise FetchFailed(type(error).__name__) from error

    def _get(self, url: URL) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {"User-Agent": _USER_AGENT}
        return self._session.get(url, headers=headers, timeout=self._timeout, allow_redirects=False)


class SourceFetcher:
    """Downloads images from Discord's hosts or, those that are at KIE, from the hosts of its results."""

    def __init__(self, discord: Fetcher, kie: Fetcher) -> None:
        self._discord = discord
        self._kie = kie

    async def to_file(self, source: Source, path: Path, limit: int) -> None:
        """As :meth:`Fetcher.to_file`."""
        await (self._kie if source.at_kie else self._discord).to_file(source.url, path, limit)
