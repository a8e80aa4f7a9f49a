"""KIE's callbacks: a signed hint wakes the tracker, and nothing else does."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.ids import KieTaskId, TaskId, to_base36
from bot.domain.states import TaskState
from bot.kie.signature import sign
from tests.factories import make_generation
from tests.store.stored import keep
from tests.waiting import until
from tests.web.conftest import KEY, MOMENT, Site

KIE_TASK = KieTaskId("0123456789abcdef0123456789abcdef")
STAMP = "1760000000"
SIGNATURE = "SpRsoRxVRKOH0lAMiEiyv3kDxM1OhxT1tbfPWB/6vPw="
SIGNED = {"X-Webhook-Timestamp": STAMP, "X-Webhook-Signature": SIGNATURE}
BODY: dict[str, Any] = {"code": 200, "msg": "ok", "data": {"taskId": KIE_TASK, "state": "success"}}


async def call(site: Site, task: TaskId, body: bytes | object = BODY, headers: dict[str, str] | None = None) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    address = f"{site.base}/kie/callback/{to_base36(task)}"
    async with site.session.post(address, data=data, headers=SIGNED if headers is None else headers) as response:
        return response.status


async def nobody_asked(site: Site) -> bool:
    """Give the tracker every chance to ask, by letting it ask after another task first."""
    witness = await site.follow(KieTaskId("witness"))
    assert site.desk.tracker.poll_now(witness)
    await until(lambda: "witness" in site.desk.api.asked, what="the question after the witness")
    return site.desk.api.asked == ["witness"]


async def test_a_signed_callback_wakes_the_tracker(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    assert await nobody_asked(site)
    assert await call(site, task) == 200
    await until(lambda: KIE_TASK in site.desk.api.asked, what="a question after the task")


async def test_what_the_body_claims_is_not_believed(site: Site) -> None:
    """It says that the task succeeded; the record, which says otherwise, is the truth."""
    task = await site.follow(KIE_TASK)
    assert await call(site, task) == 200
    await until(lambda: KIE_TASK in site.desk.api.asked, what="a question after the task")
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
    ],
)
async def test_every_place_and_spelling_of_the_task_id(site: Site, body: object) -> None:
    task = await site.follow(KIE_TASK)
    assert await call(site, task, body) == 200
    await until(lambda: KIE_TASK in site.desk.api.asked, what="a question after the task")


async def test_a_callback_may_come_twice(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    assert [await call(site, task) for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Webhook-Timestamp": STAMP},
        {"X-Webhook-Signature": SIGNATURE},
        {"X-Webhook-Timestamp": STAMP, "X-Webhook-Signature": ""},
        {"X-Webhook-Timestamp": STAMP, "X-Webhook-Signature": SIGNATURE[:-2] + "x="},
        {"X-Webhook-Timestamp": STAMP, "X-Webhook-Signature": SIGNATURE.swapcase()},
        {"X-Webhook-Timestamp": STAMP, "X-Webhook-Signature": sign("another key", KIE_TASK, STAMP)},
        {"X-Webhook-Timestamp": STAMP, "X-Webhook-Signature": sign(KEY, "another task", STAMP)},
        {"X-Webhook-Timestamp": "1760000001", "X-Webhook-Signature": SIGNATURE},
        {"X-Webhook-Timestamp": "soon", "X-Webhook-Signature": sign(KEY, KIE_TASK, "soon")},
    ],
)
async def test_a_wrong_signature_is_refused(site: Site, headers: dict[str, str]) -> None:
    task = await site.follow(KIE_TASK)
    assert await call(site, task, headers=headers) == 401
    assert await nobody_asked(site)


@pytest.mark.parametrize(("seconds", "status"), [(-301, 401), (-300, 200), (300, 200), (301, 401), (86_400, 401)])
async def test_an_old_signature_is_refused(site: Site, seconds: int, status: int) -> None:
    task = await site.follow(KIE_TASK)
    site.desk.clock.moment = MOMENT + timedelta(seconds=seconds)
    assert await call(site, task) == status


async def test_a_signature_that_is_no_text_is_refused(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    body = json.dumps(BODY).encode()
    head = (
        f"POST /kie/callback/{to_base36(task)} HTTP/1.1\r\nHost: easel\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\nX-Webhook-Timestamp: {STAMP}\r\nX-Webhook-Signature: "
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
        b"",
        b"null",
        b"[]",
        b"{}",
        b"not json",
        b'{"taskId":',
        b'{"data": {"taskId": null}}',
        b'{"taskId": 5}',
        b'{"taskId": ""}',
        b'{"taskId": "\xff"}',
        b'{"taskId": "\\ud800"}',
        b'{"taskId": "' + b"a" * 129 + b'"}',
        b"[" * 30_000,
    ],
)
async def test_a_malformed_body_is_refused(site: Site, body: bytes) -> None:
    task = await site.follow(KIE_TASK)
    assert await call(site, task, body) == 400
    assert await nobody_asked(site)


async def test_an_oversized_body_is_refused(site: Site) -> None:
    task = await site.follow(KIE_TASK)
    limit = 1 << 16
    fitting = json.dumps(BODY | {"padding": ""}).encode()
    fitting = json.dumps(BODY | {"padding": "x" * (limit - len(fitting))}).encode()
    assert len(fitting) == limit
    assert await call(site, task, fitting) == 200
    assert await call(site, task, fitting + b" ") == 413


async def test_an_id_beyond_all_numbers_is_refused(site: Site) -> None:
    assert await call(site, TaskId(36**13 - 1)) == 400


async def test_a_callback_for_a_task_that_is_not_followed_changes_nothing(site: Site) -> None:
    waiting = (await keep(site.store, make_generation())).tasks[0].id
    for task in (waiting, TaskId(1)):
        assert await call(site, task) == 200
    assert await site.state(waiting) is TaskState.RESERVED
    assert await nobody_asked(site)


async def test_a_forged_path_makes_the_record_be_read_and_nothing_more(site: Site) -> None:
    """A signature covers the task id of KIE, not ours: the task in the path is asked after by its own id."""
    victim = await site.follow(KieTaskId("the victim's own"))
    assert await call(site, victim) == 200
    await until(lambda: site.desk.api.asked, what="a question")
    assert site.desk.api.asked == ["the victim's own"]
    assert (await site.task(victim)).kie_task_id == "the victim's own"


async def test_an_id_that_was_lost_in_a_crash_is_found_again(site: Site) -> None:
    held = await site.follow(None)
    assert await call(site, held) == 200
    found = await site.task(held)
    assert (found.state, found.kie_task_id) == (TaskState.RUNNING, KIE_TASK)
    await until(lambda: KIE_TASK in site.desk.api.asked, what="a question after the task")


async def test_a_held_task_is_not_found_by_a_wrong_signature(site: Site) -> None:
    held = await site.follow(None)
    assert await call(site, held, headers=SIGNED | {"X-Webhook-Signature": "wrong"}) == 401
    assert await site.state(held) is TaskState.SUBMITTING
