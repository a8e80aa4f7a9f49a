"""Who calls, and how often each was refused."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.web.client_address import FailureLimiter, client_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("127.0.0.1")]


def called_from(peer: str, *forwarded: str, trusted: bool = True) -> str:
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
def test_who_calls(peer: str, forwarded: list[str], expected: str) -> None:
    assert called_from(peer, *forwarded) == expected


@pytest.mark.parametrize("peer", ["10.1.2.3", "203.0.113.7", "127.0.0.1"])
def test_nobody_is_believed_unless_told_so(peer: str) -> None:
    assert called_from(peer, "198.51.100.1", trusted=False) == peer


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_refusals_are_forgotten_with_time() -> None:
    clock = Clock()
    refusals = FailureLimiter(now=clock, allowed=3, forgotten_every=10)
    assert [refusals.add("a") for _ in range(5)] == [False, False, True, False, False]
    assert refusals.too_many("a")
    assert not refusals.too_many("b")
    clock.seconds += 9
    assert refusals.too_many("a")
    clock.seconds += 2
    assert not refusals.too_many("a")
    assert refusals.add("a")
    clock.seconds += 1000
    assert [refusals.add("a") for _ in range(3)] == [False, False, True]


def test_a_flood_from_many_addresses_fills_no_memory() -> None:
    refusals = FailureLimiter(now=Clock(), allowed=2, kept=100)
    refusals.add("victim")
    refusals.add("victim")
    for number in range(10_000):
        refusals.add(f"address {number}")
        # Who goes on is not forgotten for those who called once.
        refusals.add("victim")
    assert len(refusals) == 100
    assert refusals.too_many("victim")
