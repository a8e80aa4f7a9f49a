"""Downloads: bounded in bytes and time, from allowed hosts, whole or not at all."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.media.fetch import Fetcher, FetchFailed, FetchRefused, FetchTooLarge
from demo.kie import Behaviour, CutBefore, CutMidBody, Hang, Html, KieStandIn, Reply
from tests.kie.schema import created
from tests.waiting import until

DATA = bytes(range(256)) * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1.image"


async def test_the_bytes_arrive_as_they_are(fetcher: Fetcher, kie: KieStandIn, address: str, path: Path) -> None:
    kie.script.always("result", Reply(200, DATA, "image/png"))
    assert await fetcher.to_bytes(address, len(DATA)) == DATA
    await fetcher.to_file(address, path, len(DATA))
    assert read(path) == DATA
    assert list(path.parent.iterdir()) == [path]


async def test_no_key_and_an_ordinary_agent(fetcher: Fetcher, kie: KieStandIn, address: str) -> None:
    kie.script.on("result", Reply(200, DATA))
    await fetcher.to_bytes(address, len(DATA))
    (call,) = kie.requests
    assert "Authorization" not in call.headers
    assert "Cookie" not in call.headers
    assert call.headers["User-Agent"].startswith("Mozilla/5.0")
    assert created(kie) == []


async def test_a_signed_address_is_asked_for_as_it_was_given(fetcher: Fetcher) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()

    async with served(serve) as base:
        target = "/a%2Fb/c+d%20e.png?sig=x%2By%3D&Expires=%31&empty="
        assert await fetcher.to_bytes(base + target, 10) == b"ok"
    assert asked == [f"GET {target} HTTP/1.1\r\n".encode()]


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (Reply(404, b""), FetchFailed),
        (Reply(403, b""), FetchFailed),
        (Reply(410, b""), FetchRefused),
        (Reply(204, b""), FetchRefused),
        (Reply(206, b"part"), FetchRefused),
        (Reply(301, b"", headers={"Location": "/uploads/elsewhere"}), FetchRefused),
        (Reply(302, b"", headers={"Location": "https://example.com/"}), FetchRefused),
        (Reply(200, DATA + b"!"), FetchTooLarge),
        (Html(500), FetchFailed),
        (Html(502), FetchFailed),
        (Reply(503, b""), FetchFailed),
        (Reply(429, b""), FetchFailed),
        (CutBefore(), FetchFailed),
    ],
    ids=lambda one: str(one)[:50],
)
async def test_what_cannot_be_had(
    fetcher: Fetcher, kie: KieStandIn, address: str, path: Path, behaviour: Behaviour, error: type[Exception]
) -> None:
    kie.script.always("result", behaviour)
    with pytest.raises(error) as as_bytes:
        await fetcher.to_bytes(address, len(DATA))
    with pytest.raises(error) as as_file:
        await fetcher.to_file(address, path, len(DATA))
    assert as_bytes.type is as_file.type is error
    assert list(path.parent.iterdir()) == []
    assert {call.path for call in kie.requests} == {"/" + address.split("/", 3)[3]}


async def test_a_foreign_host_is_not_asked(fetcher: Fetcher, kie: KieStandIn, path: Path) -> None:
    foreign = kie.base_url.replace("127.0.0.1", "localhost")
    with pytest.raises(FetchRefused):
        await fetcher.to_bytes(foreign + "/uploads/a", 10)
    with pytest.raises(FetchRefused):
        await fetcher.to_file(foreign + "/uploads/a", path, 10)
    assert kie.requests == ()
    assert list(path.parent.iterdir()) == []


async def test_a_cut_body_leaves_no_file(fetcher: Fetcher, kie: KieStandIn, path: Path) -> None:
    result = await one_result(kie)
    kie.script.always("result", CutMidBody())
    with pytest.raises(FetchFailed):
        await fetcher.to_bytes(result, 1 << 24)
    with pytest.raises(FetchFailed):
        await fetcher.to_file(result, path, 1 << 24)
    assert list(path.parent.iterdir()) == []
    kie.script.clear()
    await fetcher.to_file(result, path, 1 << 24)
    assert read(path).startswith(b"\x89PNG")


async def test_a_hang_ends(hasty_fetcher: Fetcher, kie: KieStandIn, address: str, path: Path) -> None:
    kie.script.always("result", Hang())
    with pytest.raises(FetchFailed):
        await hasty_fetcher.to_bytes(address, 10)
    with pytest.raises(FetchFailed):
        await hasty_fetcher.to_file(address, path, 10)
    assert list(path.parent.iterdir()) == []


async def test_a_trickle_ends(hasty_fetcher: Fetcher, path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with served(serve) as base:
        with pytest.raises(FetchFailed):
            await hasty_fetcher.to_file(base + "/a", path, 100_000)
    assert list(path.parent.iterdir()) == []


async def test_a_length_that_is_too_large_is_not_read(fetcher: Fetcher, path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        # Not one byte of the body comes: who waits for it waits for ever.
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with served(serve) as base:
        async with asyncio.timeout(3):
            with pytest.raises(FetchTooLarge):
                await fetcher.to_bytes(base + "/a", 1000)
            with pytest.raises(FetchTooLarge):
                await fetcher.to_file(base + "/a", path, 1000)
    assert list(path.parent.iterdir()) == []


async def test_a_stream_without_a_length_is_cut_off_at_the_limit(fetcher: Fetcher, path: Path) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            sent += 0x10000
            await writer.drain()

    async with served(serve) as base:
        async with asyncio.timeout(5):
            with pytest.raises(FetchTooLarge):
                await fetcher.to_bytes(base + "/a", 1 << 20)
            with pytest.raises(FetchTooLarge):
                await fetcher.to_file(base + "/a", path, 1 << 20)
    assert list(path.parent.iterdir()) == []
    assert sent < 64 << 20, "the stream was read far past its limit"


async def test_a_packed_body_is_measured_unpacked(fetcher: Fetcher, path: Path) -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packed.compress(bytes(50 << 20)) + packed.flush()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    async with served(serve) as base:
        with pytest.raises(FetchTooLarge):
            await fetcher.to_bytes(base + "/a", 1 << 20)
        with pytest.raises(FetchTooLarge):
            await fetcher.to_file(base + "/a", path, 1 << 20)
    assert list(path.parent.iterdir()) == []


async def test_a_file_that_stands_there_survives_a_failed_download(
    fetcher: Fetcher, kie: KieStandIn, address: str, path: Path
) -> None:
    kie.script.on("result", Reply(200, b"whole"))
    await fetcher.to_file(address, path, 10)
    kie.script.always("result", Html(502))
    with pytest.raises(FetchFailed):
        await fetcher.to_file(address, path, 10)
    assert read(path) == b"whole"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncGenerator[str, None]:
    """A server of raw bytes; gives its address. A client that leaves ends its handler."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def one_result(kie: KieStandIn) -> str:
    """The address of a picture that the stand-in has made."""
    given = {"prompt": "a lighthouse", "aspect_ratio": "1:1", "resolution": "1K", "nsfw_checker": True}
    headers = {"Authorization": "Bearer test-key"}
    async with aiohttp.ClientSession(kie.base_url, headers=headers) as session:
        order = {"model": "flux-2/pro-text-to-image", "input": given}
        async with session.post("/api/v1/jobs/createTask", json=order) as response:
            task = (await response.json())["data"]["taskId"]
    await until(lambda: kie.tasks[task].ended, what="the task to end")
    return f"{kie.base_url}/results/{task}-1.png"


def read(path: Path) -> bytes:
    return path.read_bytes()
