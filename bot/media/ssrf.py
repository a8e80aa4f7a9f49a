"""Sessions for downloads, which connect to no address that is not public, whatever the name service answers."""

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.media.addresses import may_connect
from bot.media.fetch import FetchRefused
from bot.network import client_session


class PublicResolver(AbstractResolver):
    """Asks another resolver, and refuses an answer that leads anywhere but to the open internet.

    The session connects to exactly the addresses that were judged, without asking again. A single bad address spoils
    the whole answer: no honest host gives one.
    """

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The host's addresses; raises FetchRefused, or OSError when there is no answer."""
        found = await self._inner.resolve(host, port, family)
        if not all(may_connect(host.lower().rstrip("."), one["host"]) for one in found):
            raise FetchRefused("the host leads to an address that is not public")
        return found

    async def close(self) -> None:
        """Let go of the other one."""
        await self._inner.close()


def download_session(resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """A session for downloads: no cookies, no proxy of the environment, no address that is not public.

    ``resolver`` is asked instead of the system's.
    """
    guarded = PublicResolver(resolver or aiohttp.DefaultResolver())
    return client_session(guarded)
