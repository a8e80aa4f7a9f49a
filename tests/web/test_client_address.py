"""Client addresses behind reverse proxies, and the limit on failed calls per address."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.web.client_address import FailureLimiter, client_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("127.0.0.1")]


def address_of(peer: str, *forwarded: str, trusted: bool = True) -> str:
    headers = CIMultiDict([("X-Forwarded-For", line) for line in forwarded])
    request = make_mocked_request("POST", "/kie/callback/a", headers=headers).clone(remote=peer)
    return client_address(request, PROXIES if trusted else ())


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", ["198.51.100.1, 203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        ("10.1.2.3", ["198.51.100.1, 203.0.113.7 ,10.9.9.9,127.0.0.1"], "203.0.113.7"),
        ("10.1.2.3", ["nonsense"], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.7, nonsense"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.7:4711"], "203.0.113.7"),
        ("::ffff:10.1.2.3", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("fd00::1", ["[2001:db8:1:2:3:4:5:6]:443"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", [], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", [], "fe80::/64"),
        ("", ["203.0.113.7"], "None"),
    ],
)
def test_the_client_address(peer: str, forwarded: list[str], expected: str) -> None:
    assert address_of(peer, *forwarded) == expected


@pytest.mark.parametrize("peer", ["10.1.2.3", "203.0.113.7", "127.0.0.1"])
def test_no_proxy_is_trusted_by_default(peer: str) -> None:
    assert address_of(peer, "198.51.100.1", trusted=False) == peer


def test_failures_are_forgiven_with_time() -> None:
    now = 100.0
    limiter = FailureLimiter(now=lambda: now, allowed=3, forgive_every=10)
    assert [limiter.add("a") for _ in range(5)] == [False, False, True, False, False]
    assert limiter.over_limit("a")
    assert not limiter.over_limit("b")
    now += 9
    assert limiter.over_limit("a")
    now += 2
    assert not limiter.over_limit("a")
    assert limiter.add("a")
    now += 1000
    assert [limiter.add("a") for _ in range(3)] == [False, False, True]


def test_a_flood_from_many_addresses_uses_bounded_memory() -> None:
    limiter = FailureLimiter(now=lambda: 100.0, allowed=2, addresses=100)
    limiter.add("persistent")
    limiter.add("persistent")
    for number in range(10_000):
        limiter.add(f"address {number}")
        # An address that goes on failing is not evicted by those that failed once.
        limiter.add("persistent")
    assert len(limiter) == 100
    assert limiter.over_limit("persistent")
