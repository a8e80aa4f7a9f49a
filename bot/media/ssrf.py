"""Protection against server-side request forgery: downloads connect only to public addresses, whatever DNS answers."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.network import client_session, is_loopback

# Python counts these as global: protocol assignments (some clouds put their metadata service there), anycast to the
# nearest 6to4 relay, and Azure's platform service, from which its machines read their own configuration.
_SPECIAL_V4 = tuple(ip_network(network) for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))
_UNICAST_V6 = IPv6Network("2000::/3")
# 6to4, which leads to any IPv4 address, and addresses for documentation.
_SPECIAL_V6 = (IPv6Network("2002::/16"), IPv6Network("3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressNotPublic(Exception):
    """A host resolves to an address that downloads may not connect to."""


def is_literal(host: str) -> bool:
    """Whether a host is an address, or digits that a system might take for one; no resolver is asked for those."""
    return ":" in host or host.replace(".", "").isdigit()


def may_connect(host: str, address: str) -> bool:
    """Whether ``host``, as written in a link, may lead to this address.

    A host that is written as this machine may lead to loopback addresses only, and any other to public ones only.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return parsed.is_loopback if is_loopback(host) else _is_public(parsed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in net for net in _SPECIAL_V4)
    if address.ipv4_mapped is not None:
        return _is_public(address.ipv4_mapped)
    if address in _NAT64:
        return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and address in _UNICAST_V6 and not any(address in network for network in _SPECIAL_V6)


class PublicResolver(AbstractResolver):
    """Asks another resolver, and refuses answers that :func:`may_connect` does not allow.

    aiohttp connects to exactly the addresses that were checked, without asking again. One bad address is enough to
    refuse the whole answer: no honest host has one.
    """

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The host's addresses; raises AddressNotPublic, or OSError if there is no answer."""
        answer = await self._inner.resolve(host, port, family)
        if not all(may_connect(host.lower().rstrip("."), result["host"]) for result in answer):
            raise AddressNotPublic
        return answer

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


def download_session(resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """A session whose every connection is checked by :class:`PublicResolver`; ``resolver`` replaces the system's."""
    return client_session(PublicResolver(resolver or aiohttp.DefaultResolver()))
