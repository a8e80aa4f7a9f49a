"""Who calls, and how often each was refused: a flood of forged calls is turned away before its bodies are read."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain
from typing import TypeAlias

from aiohttp import web

Network: TypeAlias = IPv4Network | IPv6Network

_NEIGHBOURS = 64
"""Bits of an IPv6 address that tell one caller's network from another's; the rest is theirs to choose."""


def client_address(request: web.Request, proxies: Collection[Network]) -> str:
    """The address of whoever calls; X-Forwarded-For is believed as far as it was written by these proxies."""
    # Each proxy adds the address that it saw at the end, so what a stranger wrote stands before that.
    forwarded = chain.from_iterable(line.split(",") for line in request.headers.getall("X-Forwarded-For", ()))
    address = _parsed(request.remote or "")
    for one in reversed([*forwarded]):
        if address is None or not any(address in network for network in proxies):
            break
        before = _parsed(one)
        if before is None:
            break
        address = before
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _NEIGHBOURS), strict=False))
    return str(address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@dataclass(slots=True)
class _Count:
    refused: float
    at: float


class FailureLimiter:
    """How many calls of each address were refused lately; one is forgotten every ``forgotten_every`` seconds.

    Holds ``kept`` addresses at most, those that called last. ``now`` tells seconds.
    """

    def __init__(
        self, *, now: Callable[[], float], allowed: int = 20, forgotten_every: float = 3.0, kept: int = 4096
    ) -> None:
        self._now = now
        self._allowed = allowed
        self._forgotten_every = forgotten_every
        self._kept = kept
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def too_many(self, address: str) -> bool:
        """Whether the address has used up what it may get wrong."""
        count = self._counts.get(address)
        return count is not None and self._left(count) > self._allowed - 1

    def add(self, address: str) -> bool:
        """Count one more; True when it is the one that is too many."""
        if self.too_many(address):
            self._counts.move_to_end(address)
            return False
        count = self._counts.setdefault(address, _Count(0.0, 0.0))
        count.refused, count.at = self._left(count) + 1, self._now()
        self._counts.move_to_end(address)
        if len(self._counts) > self._kept:
            self._counts.popitem(last=False)
        return self.too_many(address)

    def _left(self, count: _Count) -> float:
        return max(count.refused - (self._now() - count.at) / self._forgotten_every, 0.0)
