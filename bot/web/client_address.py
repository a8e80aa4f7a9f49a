"""Client addresses behind reverse proxies, and a limit on failed calls per address."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain
from typing import TypeAlias

from aiohttp import web

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

_IPV6_PREFIX = 64
"""Bits of an IPv6 address that identify a client's network; a client can choose the rest freely."""


def client_address(request: web.Request, proxies: Collection[Network]) -> str:
    """The client's IPv4 address or IPv6 /64 network; X-Forwarded-For counts only where a trusted proxy wrote it."""
    # Each proxy appends the address it saw, so entries forged by the client come first.
    forwarded = chain.from_iterable(line.split(",") for line in request.headers.getall("X-Forwarded-For", ()))
    address = parse_ip(request.remote or "")
    for entry in reversed([*forwarded]):
        if not is_in(address, proxies):
            break
        previous = parse_ip(entry)
        if previous is None:
            break
        address = previous
    return network_of(address)


def network_of(address: Address | None) -> str:
    """What one client can choose an address from: an IPv4 address, or an IPv6 /64 network."""
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _IPV6_PREFIX), strict=False))
    return str(address)


def is_in(address: Address | None, networks: Collection[Network]) -> bool:
    """Whether one of the networks has the address."""
    return address is not None and any(address in network for network in networks)


def parse_ip(text: str) -> Address | None:
    """An address, with a port or in brackets as in X-Forwarded-For; IPv4 also where it was mapped to IPv6."""
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
    failures: float
    updated_at: float


class FailureLimiter:
    """Counts failed calls per address, as a leaky bucket: one is forgiven every ``forgive_every`` seconds.

    Remembers the ``addresses`` that failed most recently. ``now`` returns seconds.
    """

    def __init__(
        self, *, now: Callable[[], float], allowed: int = 20, forgive_every: float = 3.0, addresses: int = 4096
    ) -> None:
        self._now = now
        self._allowed = allowed
        self._forgive_every = forgive_every
        self._addresses = addresses
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def over_limit(self, address: str) -> bool:
        """Whether the address has no failures left."""
        count = self._counts.get(address)
        return count is not None and self._current(count) > self._allowed - 1

    def add(self, address: str) -> bool:
        """Count a failure; True when this one reaches the limit."""
        if self.over_limit(address):
            self._counts.move_to_end(address)
            return False
        count = self._counts.setdefault(address, _Count(0.0, 0.0))
        count.failures, count.updated_at = self._current(count) + 1, self._now()
        self._counts.move_to_end(address)
        if len(self._counts) > self._addresses:
            self._counts.popitem(last=False)
        return self.over_limit(address)

    def _current(self, count: _Count) -> float:
        return max(count.failures - (self._now() - count.updated_at) / self._forgive_every, 0.0)
