"""Where a download may lead: to no address that is not public, whatever the name service says."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.media.addresses import is_public, may_connect
from bot.media.fetch import AllowedHosts, Fetcher, FetchFailed, FetchRefused
from bot.media.ssrf import PublicResolver, download_session

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "localhost",
    "files.example.com",
    "2130706433",
    "0x7f000001",
    "127.1",
    "",
]
PUBLIC = ["8.8.8.8", "162.159.135.233", "100.63.255.255", "2606:4700::6810:1", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public(address)
    assert not may_connect("files.example.com", address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)
    assert may_connect("files.example.com", address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_this_machine_is_reached_by_its_own_names_alone(host: str) -> None:
    assert may_connect(host, "127.0.0.1")
    assert may_connect(host, "::1")
    for address in ("10.0.0.1", "169.254.169.254", "8.8.8.8", "::ffff:10.0.0.1"):
        assert not may_connect(host, address)


@pytest.mark.parametrize(
    ("address", "allowed"),
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
def test_an_address_in_the_list_counts_only_if_it_is_public_or_this_machine(address: str, *, allowed: bool) -> None:
    """No resolver is asked for an address, so nothing else would look at it."""
    hosts = ("10.0.0.1", "169.254.169.254", "fd00:ec2::254", "::ffff:127.0.0.1", "2130706433", "8.8.8.8", "127.0.0.1")
    assert AllowedHosts(hosts).allows(address) is allowed


class Answers(AbstractResolver):
    """A name service that says what it is told; its last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [one_answer(host, address, port) for address in addresses]

    async def close(self) -> None: ...


def one_answer(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}


class Door:
    """A server on this machine that counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self.port = 0

    async def open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()


@pytest.fixture
async def door() -> AsyncGenerator[Door, None]:
    door = Door()
    server = await asyncio.start_server(door.open, "127.0.0.1", 0)
    async with server:
        door.port = server.sockets[0].getsockname()[1]
        yield door


async def fetch(resolver: Answers, address: str) -> bytes:
    hosts = AllowedHosts(["files.example.com", "localhost", "127.0.0.1"])
    async with download_session(resolver) as session:
        return await Fetcher(session, hosts, seconds=5).to_bytes(address, 100)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::1", "127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["localhost"]]
)
async def test_a_name_that_leads_back_here_is_refused(door: Door, addresses: list[str]) -> None:
    """Although the list allows this machine by its own name, and a single bad address among good ones suffices."""
    resolver = Answers(addresses)
    with pytest.raises(FetchRefused, match="not public"):
        await fetch(resolver, f"https://files.example.com:{door.port}/a.png")
    assert resolver.asked == ["files.example.com"]
    assert door.visits == 0


async def test_this_machine_by_its_own_name(door: Door) -> None:
    assert await fetch(Answers(["127.0.0.1"]), f"http://localhost:{door.port}/a.png") == b"ok"
    assert await fetch(Answers([]), f"http://127.0.0.1:{door.port}/a.png") == b"ok"
    with pytest.raises(FetchRefused):
        await fetch(Answers(["10.0.0.1"]), f"http://localhost:{door.port}/a.png")


async def test_what_was_judged_is_what_is_connected_to(door: Door) -> None:
    """A name service that says something else the second time is not asked a second time."""
    resolver = Answers(["127.0.0.1"], ["10.0.0.1"])
    assert await fetch(resolver, f"http://localhost:{door.port}/a.png") == b"ok"
    assert resolver.asked == ["localhost"]
    assert door.visits == 1


async def test_an_answer_that_changes_is_judged_anew(door: Door) -> None:
    guarded = PublicResolver(Answers(["8.8.8.8"], ["127.0.0.1"]))
    assert [one["host"] for one in await guarded.resolve("files.example.com", door.port)] == ["8.8.8.8"]
    with pytest.raises(FetchRefused):
        await guarded.resolve("files.example.com", door.port)
    with pytest.raises(FetchRefused):
        await guarded.resolve("FILES.example.com.", door.port)


async def test_a_name_service_that_fails_may_answer_later() -> None:
    class Silent(Answers):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise OSError(-3, "Temporary failure in name resolution")

    with pytest.raises(FetchFailed):
        await fetch(Silent([]), "https://files.example.com/a.png")


async def test_a_proxy_of_the_environment_is_not_used(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look the name up itself."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{door.port}")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    resolver = Answers(["10.0.0.1"])
    with pytest.raises(FetchRefused):
        await fetch(resolver, "https://files.example.com/a.png")
    with pytest.raises(FetchRefused):
        await fetch(resolver, "http://localhost:9/a.png")
    assert door.visits == 0
