"""Floods: calls that are forged, repeated, oversized or never end cost little and change nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.domain.ids import KieTaskId, TaskId, to_base36
from bot.domain.states import TaskState
from bot.kie.signature import sign
from bot.web.callback import CallbackRoute
from bot.web.server import serve
from tests.waiting import until
from tests.web.conftest import KEY, Site
from tests.web.test_callback import BODY, KIE_TASK, SIGNATURE, SIGNED, STAMP, call, nobody_asked

FORGED = SIGNED | {"X-Webhook-Signature": sign("another key", KIE_TASK, STAMP)}
UNSIGNED: dict[str, str] = {}
ALLOWED = 20
LOOPBACK = ip_network("127.0.0.1")


async def flood(
    site: Site, task: TaskId, times: int, headers: dict[str, str], body: bytes | object = BODY
) -> list[int]:
    return [await call(site, task, body, headers) for _ in range(times)]


@pytest.mark.parametrize("headers", [UNSIGNED, FORGED, FORGED | {"X-Webhook-Timestamp": "1"}])
async def test_a_flood_of_forged_calls_is_turned_away(site: Site, headers: dict[str, str]) -> None:
    held, followed = await site.follow(None), await site.follow(KIE_TASK)
    with capture_logs() as logs:
        for task in (followed, held):
            answers = Counter(await flood(site, task, 500, headers))
            assert set(answers) <= {401, 429}
    # Some are forgotten while the flood lasts.
    assert ALLOWED <= len(logs) <= 2 * ALLOWED
    assert answers[401] <= ALLOWED
    assert await site.state(held) is TaskState.SUBMITTING
    assert await nobody_asked(site)


async def test_the_genuine_call_comes_through_a_flood_from_its_own_address(site: Site) -> None:
    """As when all come through one proxy."""
    task = await site.follow(KIE_TASK)
    await flood(site, task, 2 * ALLOWED, FORGED)
    assert await call(site, task, headers=FORGED) == 429
    assert await call(site, task) == 200
    await until(lambda: KIE_TASK in site.desk.api.asked, what="a question after the task")
    assert await call(site, task, headers=FORGED) == 429


async def test_genuine_calls_are_not_slowed_by_their_number(site: Site) -> None:
    for number in range(10 * ALLOWED):
        kie_task = KieTaskId(f"{number:032x}")
        headers = {"X-Webhook-Timestamp": STAMP, "X-Webhook-Signature": sign(KEY, kie_task, STAMP)}
        assert await call(site, TaskId(1), {"taskId": kie_task}, headers) == 200


async def test_a_call_that_is_repeated_makes_kie_be_asked_once(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    assert await nobody_asked(site)
    assert await call(site, task) == 200
    await until(lambda: KIE_TASK in site.desk.api.asked, what="a question after the task")
    assert set(await flood(site, task, 300, SIGNED)) == {200}
    witness = await site.follow(KieTaskId("second witness"))
    assert site.desk.tracker.poll_now(witness)
    await until(lambda: "second witness" in site.desk.api.asked, what="the question after the witness")
    assert site.desk.api.asked.count(KIE_TASK) == 1


@pytest.mark.parametrize("body", [b"x" * 70_000, b"not json", b'{"taskId": 5}'])
async def test_a_flood_of_what_is_no_callback_is_turned_away(site: Site, body: bytes) -> None:
    task = await site.follow(KIE_TASK)
    answers = await flood(site, task, 2 * ALLOWED, SIGNED, body)
    assert set(answers[:ALLOWED]) in ({400}, {413})
    assert set(answers[ALLOWED + 1 :]) == {429}
    assert await nobody_asked(site)


async def test_a_body_that_is_announced_too_large_is_not_waited_for(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    async with connected(site) as (reader, writer):
        writer.write(head(task, "Content-Length: 70000"))
        assert await status_of(reader) == 413


async def test_a_body_without_a_length_is_cut_off(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    async with connected(site) as (reader, writer):
        writer.write(head(task, "Transfer-Encoding: chunked"))
        for _ in range(5):
            writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        assert await status_of(reader) == 413


@pytest.mark.parametrize("garbage", [b"zzzz\r\n", b"-1\r\n", b"4\r\nabcdefgh\r\n"])
async def test_a_body_that_is_cut_wrongly_is_refused(site: Site, garbage: bytes) -> None:
    task = await site.follow(KIE_TASK)
    with capture_logs() as logs:
        async with connected(site) as (reader, writer):
            writer.write(head(task, "Transfer-Encoding: chunked") + garbage)
            assert await status_of(reader) == 400
    assert all("exc_info" not in entry for entry in logs)
    assert await nobody_asked(site)


async def test_a_packed_body_is_not_unpacked(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    assert await call(site, task, headers=SIGNED | {"Content-Encoding": "gzip"}) == 200
    assert await call(site, task, b"\x1f\x8b\x08", SIGNED | {"Content-Encoding": "gzip"}) == 400


async def test_a_body_that_never_ends_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.web.callback._BODY_SECONDS", 0.2)
    task = await site.follow(KIE_TASK)
    async with connected(site) as (reader, writer):
        writer.write(head(task, "Content-Length: 1000") + b"{")
        assert await status_of(reader) == 408
        assert await reader.read() == b"", "the connection stays open"
    assert await nobody_asked(site)


async def test_without_a_signature_the_body_is_not_waited_for(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    async with connected(site) as (reader, writer):
        writer.write(f"POST /kie/callback/{to_base36(task)} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".encode())
        assert await status_of(reader) == 401


async def test_garbage_is_not_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nno header\r\n\r\n",
    ):
        for _ in range(3):
            async with connected(site) as (reader, writer):
                writer.write(garbage)
                assert await status_of(reader) == 400
    assert [record for record in caplog.records if record.name != "asyncio"] == []


async def test_who_says_nothing_is_shown_the_door() -> None:
    async with serve("127.0.0.1", 0, ready=dict, callback=None, head_seconds=0.2) as port:
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", port)
        slow, slow_writer = await asyncio.open_connection("127.0.0.1", port)
        slow_writer.write(b"GET /healthz HTTP/1.1\r\nHost:")
        async with asyncio.timeout(10):
            assert await silent.read() == b""
            assert await slow.read() == b""
        for writer in (silent_writer, slow_writer):
            writer.close()


async def test_who_has_asked_may_ask_again() -> None:
    async with serve("127.0.0.1", 0, ready=dict, callback=None, head_seconds=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
            # The one that says nothing came later, and is gone before the second question.
            await silent.read()
        writer.close()
        silent_writer.close()


async def test_strangers_may_hold_so_many_connections() -> None:
    async with serve("127.0.0.1", 0, ready=dict, callback=None, connections=3) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in held:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"}")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        held[0][1].close()

        async def taken_again() -> bool:
            async with aiohttp.ClientSession() as session:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
                        return response.status == 200
                except aiohttp.ClientError:
                    return False

        await until(taken_again, what="a connection to be free")
        for _, writer in held[1:]:
            writer.close()


async def test_behind_a_proxy_each_caller_has_a_count_of_their_own(site: Site) -> None:
    route = CallbackRoute(KEY, site.desk.tracker, site.desk.clock, proxies=[LOOPBACK])
    task = await site.follow(KIE_TASK)
    async with serve("127.0.0.1", 0, ready=dict, callback=route) as site.port:
        one, other = ({"X-Forwarded-For": f"198.51.100.1, 203.0.113.{number}"} for number in (1, 2))
        answers = await flood(site, task, 2 * ALLOWED, FORGED | one)
        assert answers[-1] == 429
        assert await call(site, task, headers=FORGED | other) == 401
        assert await call(site, task, headers=SIGNED | one) == 200


def head(task: TaskId, length: str) -> bytes:
    lines = [f"POST /kie/callback/{to_base36(task)} HTTP/1.1", "Host: easel", length]
    lines += [f"X-Webhook-Timestamp: {STAMP}", f"X-Webhook-Signature: {SIGNATURE}"]
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def connected(site: Site) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def status_of(reader: asyncio.StreamReader) -> int:
    answer = await reader.readuntil(b"\r\n\r\n")
    return int(answer.split()[1])
