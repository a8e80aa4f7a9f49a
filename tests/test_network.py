"""What counts as this machine."""

import pytest

from bot.network import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "10.0.0.1", "128.0.0.1", "::", "127.1", "127.0.0.1.example.com", "localhost.example.com", ""],
)
def test_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
