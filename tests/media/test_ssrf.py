"""Where a download may lead: never to an address that is not public, whatever DNS answers."""

import socket
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.media.fetch import AllowedHosts, Fetcher, FetchFailed
from bot.media.ssrf import AddressNotPublic, PublicResolver, download_session, may_connect
from tests.media.servers import RawServer

NOT_PUBLIC = {
    "this network": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.8.8.8", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fec0::1"],
    "behind a carrier's NAT": ["100.64.0.1", "100.100.100.200"],
    "link-local": ["169.254.169.254", "fe80::1", "fe80::1%eth0"],
    "metadata of clouds": ["168.63.129.16", "192.0.0.192", "100.100.100.200", "fd00:ec2::254"],
    "documentation and tests": ["192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "100::1", "2001::1", "5f00::1"],
    "IPv4 in IPv6": ["::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"],
    "6to4": ["192.88.99.1", "2002:7f00:1::1", "2002:808:808::1"],
    "not an address": ["localhost", "files.example.com", "2130706433", "0x7f000001", "127.1", ""],
}
PUBLIC = ["8.8.8.8", "162.159.135.233", "100.63.255.255", "2606:4700::6810:1", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("addresses", NOT_PUBLIC.values(), ids=NOT_PUBLIC.keys())
def test_not_public(addresses: list[str]) -> None:
    assert [address for address in addresses if may_connect("files.example.com", address)] == []


def test_public() -> None:
    assert [address for address in PUBLIC if may_connect("files.example.com", address)] == PUBLIC


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_this_machine_is_reached_by_its_own_names_only(host: str) -> None:
    assert may_connect(host, "127.0.0.1")
    assert may_connect(host, "::1")
    for address in ("10.0.0.1", "169.254.169.254", "8.8.8.8", "::ffff:10.0.0.1", "localhost"):
        assert not may_connect(host, address)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://10.0.0.1/a.png", False),
        ("https://169.254.169.254/latest/meta-data/", False),
        ("https://[fd00:ec2::254]/a.png", False),
        ("https://[::ffff:127.0.0.1]/a.png", False),
        ("https://2130706433/a.png", False),
        ("https://8.8.8.8/a.png", True),
        ("https://127.0.0.1/a.png", True),
        ("http://127.0.0.1/a.png", True),
    ],
)
def test_an_allowed_host_that_is_an_address_must_be_public_or_loopback(url: str, *, allowed: bool) -> None:
    """No resolver is asked for an address, so nothing else would check it."""
    hosts = ("10.0.0.1", "169.254.169.254", "fd00:ec2::254", "::ffff:127.0.0.1", "2130706433", "8.8.8.8", "127.0.0.1")
    assert AllowedHosts(hosts).allows(url) is allowed


class ScriptedResolver(AbstractResolver):
    """Gives these answers one after the other, and the last one again and again; an error is raised."""

    def __init__(self, *answers: Sequence[str] | OSError) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, OSError):
            raise answer
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for address in answer
        ]

    async def close(self) -> None: ...


@pytest.fixture
async def server() -> AsyncGenerator[RawServer, None]:
    server = RawServer("Content-Length: 2", "Connection: close", body=[b"ok"])
    async with server.open():
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1.image"


async def fetch(resolver: ScriptedResolver, url: str, path: Path) -> None:
    hosts = AllowedHosts(["files.example.com", "localhost", "127.0.0.1"])
    async with download_session(resolver) as session:
        await Fetcher(session, hosts, seconds=5).to_file(url, path, 100)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::1", "127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["localhost"]]
)
async def test_a_name_that_leads_back_here_is_refused(server: RawServer, path: Path, addresses: list[str]) -> None:
    """Although this machine is allowed by its own name; one bad address among good ones is enough."""
    resolver = ScriptedResolver(addresses)
    with pytest.raises(FetchFailed, match="not public"):
        await fetch(resolver, f"https://files.example.com:{server.port}/a.png", path)
    assert resolver.asked == ["files.example.com"]
    assert server.connections == 0


async def test_this_machine_by_its_own_name(server: RawServer, path: Path) -> None:
    await fetch(ScriptedResolver(["127.0.0.1"]), f"http://localhost:{server.port}/a.png", path)
    await fetch(ScriptedResolver([]), f"http://127.0.0.1:{server.port}/a.png", path)
    assert server.connections == 2
    with pytest.raises(FetchFailed):
        await fetch(ScriptedResolver(["10.0.0.1"]), f"http://localhost:{server.port}/a.png", path)


async def test_the_address_that_was_checked_is_connected_to(server: RawServer, path: Path) -> None:
    """A name server that answers differently the second time is not asked a second time."""
    resolver = ScriptedResolver(["127.0.0.1"], ["10.0.0.1"])
    await fetch(resolver, f"http://localhost:{server.port}/a.png", path)
    assert resolver.asked == ["localhost"]
    assert server.connections == 1


async def test_an_answer_that_changes_is_checked_again() -> None:
    resolver = PublicResolver(ScriptedResolver(["8.8.8.8"], ["127.0.0.1"]))
    assert [result["host"] for result in await resolver.resolve("files.example.com", 443)] == ["8.8.8.8"]
    for host in ("files.example.com", "FILES.example.com."):
        with pytest.raises(AddressNotPublic):
            await resolver.resolve(host, 443)


async def test_a_name_server_that_fails_may_answer_later(path: Path) -> None:
    resolver = ScriptedResolver(OSError(-3, "Temporary failure in name resolution"))
    with pytest.raises(FetchFailed):
        await fetch(resolver, "https://files.example.com/a.png", path)


async def test_a_proxy_of_the_environment_is_not_used(
    server: RawServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would resolve the name itself, unchecked."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    for url in ("https://files.example.com/a.png", "http://localhost:9/a.png"):
        with pytest.raises(FetchFailed):
            await fetch(ScriptedResolver(["10.0.0.1"]), url, path)
    assert server.connections == 0
