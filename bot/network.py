"""HTTP as every room uses it: client sessions, what counts as "the network failed", and what is this machine."""

from ipaddress import ip_address
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver

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


def is_loopback(host: str) -> bool:
    """Whether a host, as written in an address, is this machine: ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
