"""HTTP as every room uses it: client sessions, addresses, what counts as "the network failed", and this machine."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

NETWORK_ERRORS: Final = (aiohttp.ClientError, OSError)
"""What aiohttp raises when the other side was not reached or did not answer; time-outs are OSErrors."""

_CONNECTIONS = 200
_KEEPALIVE = 10.0
"""Seconds; shorter than any server's patience: a request on a connection just closed by the server is ambiguous."""


def client_session(resolver: AbstractResolver | None = None, *, reuse: bool = True) -> aiohttp.ClientSession:
    """A session without cookies and without the environment's proxies; ``resolver`` replaces the system's.

    Without ``reuse`` every request has a connection of its own.
    """
    if reuse:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE, resolver=resolver)
    else:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, force_close=True, resolver=resolver)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body; raises ClientPayloadError above ``limit`` bytes."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > limit:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(body)


_ADDRESS_LIMIT = 8192
"""Characters; what servers accept as a request line."""
_ADDRESS = re.compile(
    r"(?P<origin>https?://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_][a-z0-9_-]*(?:\.[a-z0-9_-]+)*)(?::\d{1,5})?)"
    r"(?P<rest>[/?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_NUMBER = re.compile(r"\[.*|(?:.*\.)?(?:\d+|0x[0-9a-f]*)", re.IGNORECASE)
"""A host that some system takes for an address: in brackets, or with a number at its end (url.spec.whatwg.org)."""
_PRINTABLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def parse_address(address: str) -> URL:
    """An http or https address, to be fetched exactly as returned; raises ValueError for what is no usable one.

    Host names are ASCII (``xn--`` included), since readers disagree on other letters; a host that could be a number is
    a whole IP address. No user, no backslash, nothing invisible. Of the rest, only spaces and letters outside ASCII are
    encoded: re-encoding would break signed addresses.
    """
    parts = _ADDRESS.fullmatch(address) if len(address) <= _ADDRESS_LIMIT else None
    if parts is None or not address.isprintable() or "\\" in address:
        raise ValueError("not a usable address")
    if _NUMBER.fullmatch(parts["host"]):
        ip_address(parts["host"].strip("[]"))
    url = URL(parts["origin"].lower() + quote(parts["rest"] or "/", safe=_PRINTABLE_ASCII), encoded=True)
    if url.port == 0:
        raise ValueError("port 0")
    return url


def is_loopback(host: str) -> bool:
    """Whether a host, as written in an address, is this machine: ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_private(host: str) -> bool:
    """Whether a host is in a private network: a private address, or a name without a dot, as containers have."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host
