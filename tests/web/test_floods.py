"""Floods: forged, repeated, oversized and endless calls cost little and change nothing."""

from collections import Counter
from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs

from bot.domain.ids import KieTaskId, TaskId, to_base36
from bot.domain.states import TaskState
from bot.kie.signature import sign
from bot.web.callback import CallbackRoute
from bot.web.server import serve
from tests.web.conftest import KEY, Site
from tests.web.test_callback import BODY, KIE_TASK, SIGNED, TIMESTAMP, call
from tests.web.test_server import connection

FORGED = SIGNED | {"X-Webhook-Signature": sign("another key", KIE_TASK, TIMESTAMP)}
UNSIGNED: dict[str, str] = {}
ALLOWED = 20
LOOPBACK = ip_network("127.0.0.1")


async def flood(
    site: Site, task: TaskId, times: int, headers: dict[str, str], body: bytes | object = BODY
) -> list[int]:
    return [await call(site, task, body, headers) for _ in range(times)]


async def raw_call(site: Site, task: TaskId, line: str, body: bytes = b"", headers: dict[str, str] = SIGNED) -> int:
    """The status of a callback with this header line and body as raw bytes; the connection is closed afterwards."""
    lines = [f"POST /kie/callback/{to_base36(task)} HTTP/1.1", "Host: easel", line]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    async with connection(site.port) as (reader, writer):
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        status = int((await reader.readuntil(b"\r\n\r\n")).split()[1])
        await reader.read()
    return status


@pytest.mark.parametrize("headers", [UNSIGNED, FORGED, FORGED | {"X-Webhook-Timestamp": "1"}])
async def test_a_flood_of_forged_calls_is_turned_away(site: Site, headers: dict[str, str]) -> None:
    held, running = await site.track(None), await site.track(KIE_TASK)
    with capture_logs() as logs:
        for task in (running, held):
            answers = Counter(await flood(site, task, 500, headers))
            assert set(answers) <= {401, 429}
    # Some are forgiven while the flood lasts.
    assert ALLOWED <= len(logs) <= 2 * ALLOWED
    assert answers[401] <= ALLOWED
    assert await site.state(held) is TaskState.SUBMITTING
    assert await site.polls() == []


async def test_the_genuine_call_comes_through_a_flood_from_its_own_address(site: Site) -> None:
    """For example when all calls come through one proxy."""
    task = await site.track(KIE_TASK)
    await flood(site, task, 2 * ALLOWED, FORGED)
    assert await call(site, task, headers=FORGED) == 429
    assert await call(site, task) == 200
    await site.polled(KIE_TASK)
    assert await call(site, task, headers=FORGED) == 429


async def test_any_number_of_genuine_calls_is_accepted(site: Site) -> None:
    for number in range(10 * ALLOWED):
        kie_task = KieTaskId(f"{number:032x}")
        headers = {"X-Webhook-Timestamp": TIMESTAMP, "X-Webhook-Signature": sign(KEY, kie_task, TIMESTAMP)}
        assert await call(site, TaskId(1), {"taskId": kie_task}, headers) == 200


async def test_a_call_that_is_repeated_makes_kie_be_asked_once(site: Site) -> None:
    task = await site.track(KIE_TASK)
    assert await call(site, task) == 200
    await site.polled(KIE_TASK)
    assert set(await flood(site, task, 300, SIGNED)) == {200}
    assert await site.polls() == [KIE_TASK]


@pytest.mark.parametrize(("body", "status"), [(b"x" * 70_000, 413), (b"not json", 400), (b'{"taskId": []}', 400)])
async def test_a_flood_of_what_is_no_callback_is_turned_away(site: Site, body: bytes, status: int) -> None:
    task = await site.track(KIE_TASK)
    answers = await flood(site, task, 2 * ALLOWED, SIGNED, body)
    assert set(answers[:ALLOWED]) == {status}
    assert set(answers[ALLOWED + 1 :]) == {429}
    assert await site.polls() == []


@pytest.mark.parametrize(
    ("line", "body", "status"),
    [
        ("Content-Length: 70000", b"", 413),
        ("Transfer-Encoding: chunked", (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 5, 413),
        ("Transfer-Encoding: chunked", b"zzzz\r\n", 400),
        ("Transfer-Encoding: chunked", b"-1\r\n", 400),
        ("Transfer-Encoding: chunked", b"4\r\nabcdefgh\r\n", 400),
        ("Content-Length: 1000", b"{", 408),
    ],
)
async def test_an_oversized_malformed_or_endless_body_is_cut_off(
    site: Site, monkeypatch: pytest.MonkeyPatch, line: str, body: bytes, status: int
) -> None:
    monkeypatch.setattr("bot.web.callback._BODY_SECONDS", 0.5)
    task = await site.track(KIE_TASK)
    with capture_logs() as logs:
        assert await raw_call(site, task, line, body) == status
    assert all("exc_info" not in entry for entry in logs)
    assert await site.polls() == []


async def test_a_compressed_body_is_not_decompressed(site: Site) -> None:
    task = await site.track(KIE_TASK)
    assert await call(site, task, headers=SIGNED | {"Content-Encoding": "gzip"}) == 200
    assert await call(site, task, b"\x1f\x8b\x08", SIGNED | {"Content-Encoding": "gzip"}) == 400


async def test_without_a_signature_the_body_is_not_waited_for(site: Site) -> None:
    task = await site.track(KIE_TASK)
    assert await raw_call(site, task, "Content-Length: 9", headers=UNSIGNED) == 401


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nno header\r\n\r\n"],
)
async def test_garbage_is_not_logged(site: Site, caplog: pytest.LogCaptureFixture, garbage: bytes) -> None:
    for _ in range(3):
        async with connection(site.port) as (reader, writer):
            writer.write(garbage)
            assert b" 400 " in await reader.readline()
    assert [record for record in caplog.records if record.name != "asyncio"] == []


async def test_behind_a_proxy_each_client_has_its_own_limit(site: Site) -> None:
    route = CallbackRoute(KEY, site.tracker, site.clock, proxies=[LOOPBACK])
    task = await site.track(KIE_TASK)
    async with serve("127.0.0.1", 0, ready=dict, callback=route) as site.port:
        first, second = ({"X-Forwarded-For": f"198.51.100.1, 203.0.113.{number}"} for number in (1, 2))
        answers = await flood(site, task, 2 * ALLOWED, FORGED | first)
        assert answers[-1] == 429
        assert await call(site, task, headers=FORGED | second) == 401
        assert await call(site, task, headers=SIGNED | first) == 200
