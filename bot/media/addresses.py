"""Which network addresses a download may connect to: public ones, and this machine where it was named itself."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

# What lies within public space and is none: anycast to the nearest 6to4 relay, protocol assignments (some clouds put
# their metadata there), and the address on which every machine of another cloud finds its own configuration.
_NOT_FOR_US = tuple(ip_network(one) for one in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))
_UNICAST = IPv6Network("2000::/3")
# 6to4 leads to any IPv4 address; the other one is for documentation.
_NOT_UNICAST = (IPv6Network("2002::/16"), IPv6Network("3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address as written."""
    return host == "localhost" or (is_literal(host) and _is_loopback(host))


def is_literal(host: str) -> bool:
    """Whether a host is an address, or digits that a system might take for one; no resolver is asked for those."""
    return ":" in host or host.replace(".", "").isdigit()


def may_connect(host: str, address: str) -> bool:
    """Whether ``host``, as it is written in a link, may lead to this address. A host's name may not lead back here."""
    return _is_loopback(address) if is_loopback(host) else is_public(address)


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet: not this machine's, nor of any network around it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        # What a mapping or a translator hides decides.
        if parsed.ipv4_mapped is not None:
            return _is_public_v4(parsed.ipv4_mapped)
        if parsed in _NAT64:
            return _is_public_v4(IPv4Address(int(parsed) & 0xFFFFFFFF))
        return parsed.is_global and parsed in _UNICAST and not any(parsed in network for network in _NOT_UNICAST)
    return _is_public_v4(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_FOR_US)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
