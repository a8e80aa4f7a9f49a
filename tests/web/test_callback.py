"""KIE's callbacks: a signed callback makes the tracker poll, and nothing else does."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.errors import StoreUnavailable
from bot.domain.ids import KieTaskId, TaskId, to_base36
from bot.domain.states import TaskState
from bot.kie.signature import sign
from tests.factories import make_generation
from tests.store.stored import keep
from tests.web.conftest import KEY, MOMENT, Site

KIE_TASK = KieTaskId("0123456789abcdef0123456789abcdef")
TIMESTAMP = "1760000000"
SIGNATURE = "SpRsoRxVRKOH0lAMiEiyv3kDxM1OhxT1tbfPWB/6vPw="
SIGNED = {"X-Webhook-Timestamp": TIMESTAMP, "X-Webhook-Signature": SIGNATURE}
BODY: dict[str, Any] = {"code": 200, "msg": "ok", "data": {"taskId": KIE_TASK, "state": "success"}}


async def call(site: Site, task: TaskId, body: bytes | object = BODY, headers: dict[str, str] | None = None) -> int:
    """The status of one callback."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{site.url}/kie/callback/{to_base36(task)}"
    async with site.session.post(url, data=data, headers=SIGNED if headers is None else headers) as response:
        return response.status


async def test_what_the_body_claims_is_not_believed(site: Site) -> None:
    """The body says that the task succeeded, but its record, which says otherwise, is what counts."""
    task = await site.track(KIE_TASK)
    assert await site.polls() == []
    assert await call(site, task) == 200
    await site.polled(KIE_TASK)
    assert await site.state(task) is TaskState.RUNNING


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"taskId": KIE_TASK}},
        {"data": {"task_id": KIE_TASK}},
        {"taskId": KIE_TASK},
        {"task_id": KIE_TASK},
        {"code": 501, "data": {"taskId": KIE_TASK, "state": "fail", "resultJson": None}, "more": [1, 2]},
        {"data": None, "taskId": KIE_TASK},
        {"data": {"taskId": "", "task_id": KIE_TASK}},
        {"data": {"taskId": None}, "task_id": KIE_TASK},
    ],
)
async def test_the_task_id_may_be_in_any_place_and_spelling(site: Site, body: object) -> None:
    task = await site.track(KIE_TASK)
    assert await call(site, task, body) == 200
    await site.polled(KIE_TASK)


async def test_a_callback_may_come_twice(site: Site) -> None:
    task = await site.track(KIE_TASK)
    assert [await call(site, task) for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Webhook-Timestamp": TIMESTAMP},
        {"X-Webhook-Signature": SIGNATURE},
        *(
            {"X-Webhook-Timestamp": TIMESTAMP, "X-Webhook-Signature": signature}
            for signature in (
                "",
                SIGNATURE[:-2] + "x=",
                SIGNATURE.swapcase(),
                sign("another key", KIE_TASK, TIMESTAMP),
                sign(KEY, "another task", TIMESTAMP),
            )
        ),
        {"X-Webhook-Timestamp": "1760000001", "X-Webhook-Signature": SIGNATURE},
        {"X-Webhook-Timestamp": "soon", "X-Webhook-Signature": sign(KEY, KIE_TASK, "soon")},
    ],
)
async def test_a_wrong_signature_is_refused(site: Site, headers: dict[str, str]) -> None:
    running, held = await site.track(KIE_TASK), await site.track(None)
    for task in (running, held):
        assert await call(site, task, headers=headers) == 401
    assert await site.polls() == []
    assert await site.state(held) is TaskState.SUBMITTING


@pytest.mark.parametrize(("seconds", "status"), [(-301, 401), (-300, 200), (300, 200), (301, 401), (86_400, 401)])
async def test_an_old_signature_is_refused(site: Site, seconds: int, status: int) -> None:
    task = await site.track(KIE_TASK)
    site.clock.moment = MOMENT + timedelta(seconds=seconds)
    assert await call(site, task) == status


async def test_a_signature_that_is_not_text_is_refused(site: Site) -> None:
    task = await site.track(KIE_TASK)
    body = json.dumps(BODY).encode()
    head = (
        f"POST /kie/callback/{to_base36(task)} HTTP/1.1\r\nHost: easel\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\nX-Webhook-Timestamp: {TIMESTAMP}\r\nX-Webhook-Signature: "
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(head.encode() + b"\xff\xfe\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.split(b"\r\n")[0] == b"HTTP/1.1 401 Unauthorized"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{}", b"not json", b'{"taskId":', b'{"data": {"taskId": null}}'),
        *(
            b'{"taskId": ' + value + b"}"
            for value in (b"true", b'""', b'"\xff"', b'"\\ud800"', b'"' + b"a" * 129 + b'"')
        ),
        b"[" * 30_000,
    ],
    ids=lambda body: repr(body)[:30],
)
async def test_a_malformed_body_is_refused(site: Site, body: bytes) -> None:
    task = await site.track(KIE_TASK)
    assert await call(site, task, body) == 400
    assert await site.polls() == []


async def test_an_oversized_body_is_refused(site: Site) -> None:
    task = await site.track(KIE_TASK)
    body = json.dumps(BODY).encode().ljust(1 << 16)
    assert await call(site, task, body) == 200
    assert await call(site, task, body + b" ") == 413


async def test_a_task_id_above_64_bits_is_refused(site: Site) -> None:
    assert await call(site, TaskId(36**13 - 1)) == 400


async def test_a_callback_for_a_task_that_is_not_followed_changes_nothing(site: Site) -> None:
    reserved = (await keep(site.store, make_generation())).tasks[0].id
    for task in (reserved, TaskId(1)):
        assert await call(site, task) == 200
    assert await site.state(reserved) is TaskState.RESERVED
    assert await site.polls() == []


async def test_a_forged_path_makes_the_record_be_read_and_nothing_more(site: Site) -> None:
    """The signature covers KIE's task id, not ours: the task in the path is polled under its own KIE task id."""
    victim = await site.track(KieTaskId("the victim's own"))
    assert await call(site, victim) == 200
    await site.polled(KieTaskId("the victim's own"))
    assert await site.polls() == ["the victim's own"]
    assert (await site.task(victim)).kie_task_id == "the victim's own"


async def test_a_kie_task_id_that_was_lost_in_a_crash_is_stored_again(site: Site) -> None:
    held = await site.track(None)
    assert await call(site, held) == 200
    task = await site.task(held)
    assert (task.state, task.kie_task_id) == (TaskState.RUNNING, KIE_TASK)
    await site.polled(KIE_TASK)


async def test_while_the_database_is_unavailable_kie_is_asked_to_call_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stored yet; it will be, if this process lives that long."""
    held, received = await site.track(None), site.tracker.callback_received

    async def unavailable(_task: TaskId, _kie_task_id: KieTaskId) -> bool:
        await asyncio.sleep(0.01)
        raise StoreUnavailable

    monkeypatch.setattr(site.tracker, "callback_received", unavailable)
    # One by one, and again before the first is answered.
    assert [await call(site, held) for _ in range(30)] == [503] * 30
    assert await asyncio.gather(*(call(site, held) for _ in range(3))) == [503] * 3
    await site.polled(KIE_TASK)
    monkeypatch.setattr(site.tracker, "callback_received", received)
    assert await call(site, held) == 200
    assert (await site.task(held)).kie_task_id == KIE_TASK
