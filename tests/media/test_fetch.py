"""Downloads: limited in bytes and time, from allowed hosts, complete or not at all."""

import asyncio
import gzip
from itertools import repeat
from pathlib import Path

import pytest

from bot.media.fetch import Fetcher, FetchFailed, FetchGone, FetchRefused, FetchTooLarge, HostNotAllowed
from demo.kie import Behaviour, CutBefore, Hang, Html, KieStandIn, Reply
from tests.media.servers import RawServer

DATA = bytes(range(256)) * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1.image"


def files(path: Path) -> list[Path]:
    """Everything in the file's folder."""
    return list(path.parent.iterdir())


def read(path: Path) -> bytes:
    return path.read_bytes()


async def test_the_bytes_arrive_and_nothing_secret_is_sent(
    fetcher: Fetcher, kie: KieStandIn, url: str, path: Path
) -> None:
    kie.script.always("result", Reply(200, DATA, "image/png"))
    await fetcher.to_file(url, path, len(DATA))
    assert read(path) == DATA
    assert files(path) == [path]
    (call,) = kie.requests
    assert not {"Authorization", "Cookie"} & call.headers.keys()
    assert call.headers["User-Agent"].startswith("Mozilla/5.0")


async def test_a_signed_url_is_requested_exactly_as_given(fetcher: Fetcher, path: Path) -> None:
    server = RawServer("Content-Length: 2", body=[b"ok"])
    target = "/a%2Fb/c+d%20e.png?sig=x%2By%3D&Expires=%31&empty="
    async with server.open() as base_url:
        await fetcher.to_file(base_url + target, path, 10)
    assert read(path) == b"ok"
    assert server.request.startswith(f"GET {target} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (Reply(404, b""), FetchGone),
        (Reply(403, b""), FetchFailed),
        (Reply(410, b""), FetchGone),
        (Reply(204, b""), FetchFailed),
        (Reply(206, b"part"), FetchFailed),
        (Reply(301, b""), FetchFailed),
        (Reply(300, b"", headers={"Location": "/uploads/elsewhere"}), FetchFailed),
        (Reply(301, b"", headers={"Location": "https://example.com/"}), HostNotAllowed),
        (Reply(302, b"", headers={"Location": "//169.254.169.254/"}), FetchRefused),
        (Reply(307, b"", headers={"Location": "http://127.0.0.1@example.com/"}), FetchRefused),
        (Reply(308, b"", headers={"Location": "https://[::1"}), FetchRefused),
        (Reply(200, DATA + b"!"), FetchTooLarge),
        (Html(502), FetchFailed),
        (Reply(503, b""), FetchFailed),
        (Reply(429, b""), FetchFailed),
        (CutBefore(), FetchFailed),
    ],
    ids=lambda parameter: str(parameter)[:50],
)
async def test_a_failed_download_leaves_no_file_and_follows_no_redirect_elsewhere(
    fetcher: Fetcher, kie: KieStandIn, url: str, path: Path, behaviour: Behaviour, error: type[Exception]
) -> None:
    kie.script.always("result", behaviour)
    with pytest.raises(error) as raised:
        await fetcher.to_file(url, path, len(DATA))
    assert raised.type is error
    assert files(path) == []
    assert {call.path for call in kie.requests} == {"/" + url.split("/", 3)[3]}


@pytest.mark.parametrize("redirects", [1, 3, 4])
async def test_a_few_redirects_among_the_allowed_hosts_are_followed(
    fetcher: Fetcher, kie: KieStandIn, url: str, path: Path, redirects: int
) -> None:
    kie.script.on(
        "result", *[Reply(302, b"", headers={"Location": f"/results/{n:032x}-7.png"}) for n in range(redirects)]
    )
    kie.script.always("result", Reply(200, DATA))
    if redirects > 3:
        with pytest.raises(FetchFailed, match="302"):
            await fetcher.to_file(url, path, len(DATA))
    else:
        await fetcher.to_file(url, path, len(DATA))
        assert read(path) == DATA
    assert [call.path for call in kie.requests[1:]] == [f"/results/{n:032x}-7.png" for n in range(min(redirects, 3))]


async def test_a_failed_download_leaves_an_earlier_file_as_it_was(
    fetcher: Fetcher, kie: KieStandIn, url: str, path: Path
) -> None:
    kie.script.on("result", Reply(200, b"whole"))
    await fetcher.to_file(url, path, 10)
    kie.script.always("result", Html(502))
    with pytest.raises(FetchFailed):
        await fetcher.to_file(url, path, 10)
    assert read(path) == b"whole"
    assert files(path) == [path]


async def test_a_host_that_is_not_allowed_is_not_contacted(fetcher: Fetcher, kie: KieStandIn, path: Path) -> None:
    with pytest.raises(HostNotAllowed) as refused:
        await fetcher.to_file(kie.base_url.replace("127.0.0.1", "localhost") + "/uploads/a", path, 10)
    assert refused.value.host == "localhost"
    assert kie.requests == ()
    assert files(path) == []


@pytest.mark.parametrize(
    "address", ["https://[::1]@", "https://\uff41.example/x", "http://127.0.0.1:99999/x", "\x00", ""]
)
async def test_what_is_no_address_is_refused_for_good(fetcher: Fetcher, path: Path, address: str) -> None:
    with pytest.raises(FetchRefused):
        await fetcher.to_file(address, path, 10)
    assert files(path) == []


async def test_a_hang_ends(hasty_fetcher: Fetcher, kie: KieStandIn, url: str, path: Path) -> None:
    kie.script.always("result", Hang())
    with pytest.raises(FetchFailed):
        await hasty_fetcher.to_file(url, path, 10)
    assert files(path) == []


async def test_a_trickle_ends(hasty_fetcher: Fetcher, path: Path) -> None:
    async with RawServer("Content-Length: 100000", body=repeat(b"x"), pause=0.02).open() as base_url:
        with pytest.raises(FetchFailed):
            await hasty_fetcher.to_file(base_url, path, 100_000)
    assert files(path) == []


async def test_a_stream_without_a_length_is_cut_off_at_the_limit(fetcher: Fetcher, path: Path) -> None:
    chunks = repeat(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    server = RawServer("Transfer-Encoding: chunked", body=chunks)
    async with server.open() as base_url, asyncio.timeout(5):
        with pytest.raises(FetchTooLarge):
            await fetcher.to_file(base_url, path, 1 << 20)
    assert files(path) == []
    assert server.sent < 64 << 20, "the stream was read far past its limit"


async def test_a_length_that_is_too_large_is_not_read(fetcher: Fetcher, path: Path) -> None:
    # The body never comes, so a client that waits for it waits for its whole time-out.
    async with RawServer("Content-Length: 1001", hangs=True).open() as base_url, asyncio.timeout(3):
        with pytest.raises(FetchTooLarge):
            await fetcher.to_file(base_url, path, 1000)
    assert files(path) == []


async def test_a_body_that_breaks_off_leaves_no_file(fetcher: Fetcher, path: Path) -> None:
    async with RawServer("Content-Length: 1000", body=[bytes(500)]).open() as base_url:
        with pytest.raises(FetchFailed):
            await fetcher.to_file(base_url, path, 1000)
    assert files(path) == []


async def test_the_limit_applies_to_a_compressed_body_once_decompressed(fetcher: Fetcher, path: Path) -> None:
    body = gzip.compress(bytes(50 << 20))
    async with RawServer("Content-Encoding: gzip", f"Content-Length: {len(body)}", body=[body]).open() as base_url:
        with pytest.raises(FetchTooLarge):
            await fetcher.to_file(base_url, path, 1 << 20)
    assert files(path) == []
