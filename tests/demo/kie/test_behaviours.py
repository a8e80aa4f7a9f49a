"""Calls that go wrong as scripted."""

import json

import aiohttp
import pytest

from demo.kie import (
    Behaviour,
    Code,
    CutAfter,
    CutBefore,
    CutMidBody,
    Delay,
    Hang,
    Html,
    Http429,
    KieStandIn,
    Reply,
)
from tests.demo.kie.conftest import CREATE, CREDIT, KEY, RECORD, CallbackListener, KieCaller, request, results
from tests.waiting import until


async def test_requests_are_recorded_whatever_is_answered(caller: KieCaller) -> None:
    caller.kie.script.on("createTask", Http429())
    assert (await caller.send("POST", CREATE, json=request()))[0] == 429
    await caller.get(RECORD, taskId="abc")
    await caller.upload(b"12345", uploadPath="p")
    create, record, upload = caller.kie.requests
    assert (create.method, create.path, create.json) == ("POST", CREATE, request())
    assert create.headers["authorization"] == f"Bearer {KEY}"
    assert record.query == {"taskId": "abc"}
    assert (upload.fields, upload.files["file"].content) == ({"uploadPath": "p"}, b"12345")
    assert create.at <= record.at <= upload.at


async def test_queued_behaviours_are_used_once_and_in_order(caller: KieCaller) -> None:
    caller.kie.script.always("credit", Code(500, "no"))
    caller.kie.script.on(
        "credit",
        Code(455, "maintenance"),
        Reply(503, "<down>", "text/plain", {"Retry-After": "9"}),
        Reply(body={"code": 200}),
        Html(502),
        Http429(),
    )
    answers: list[tuple[int, str, str | None, str]] = []
    for _ in range(6):
        async with caller.session.get(caller.kie.base_url + CREDIT) as response:
            retry_after = response.headers.get("Retry-After")
            answers.append((response.status, response.content_type, retry_after, await response.text()))
    assert [status for status, *_ in answers] == [200, 503, 200, 502, 429, 200]
    assert json.loads(answers[0][3]) == {"code": 455, "msg": "maintenance", "data": None}
    assert answers[1][1:] == ("text/plain", "9", "<down>")
    assert json.loads(answers[2][3]) == {"code": 200}
    assert answers[3][1] == "text/html"
    assert [json.loads(text)["code"] for *_, text in answers[4:]] == [429, 500]
    caller.kie.script.clear()
    assert (await caller.get(CREDIT))["data"] == 1000.0


@pytest.mark.parametrize(
    ("behaviour", "error", "tasks"),
    [
        (CutBefore(), aiohttp.ServerDisconnectedError, 0),
        (CutAfter(), aiohttp.ServerDisconnectedError, 1),
        (CutMidBody(), aiohttp.ClientPayloadError, 1),
    ],
)
async def test_a_call_can_be_cut(caller: KieCaller, behaviour: Behaviour, error: type[Exception], tasks: int) -> None:
    caller.kie.script.on("createTask", behaviour)
    with pytest.raises(error):
        await caller.create()
    assert len(caller.kie.tasks) == tasks
    for task_id in caller.kie.tasks:
        await caller.end(task_id)
    assert caller.kie.billed == 5 * tasks


async def test_a_download_can_break_off_in_the_middle(caller: KieCaller) -> None:
    caller.kie.script.on("result", CutMidBody())
    (url,) = results(await caller.finish())
    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.download(url)


async def test_a_late_answer_creates_the_task_though_the_caller_has_gone(caller: KieCaller) -> None:
    caller.kie.script.on("createTask", Delay(0.1))
    with pytest.raises(TimeoutError):
        await caller.send("POST", CREATE, json=request(), timeout=aiohttp.ClientTimeout(total=0.03))
    assert not caller.kie.tasks
    await until(lambda: caller.kie.tasks, what="the late task")


async def test_a_server_stops_promptly_with_calls_hanging(listener: CallbackListener) -> None:
    kie = KieStandIn(durations=100)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        caller = KieCaller(kie, session)
        async with kie:
            kie.script.always("credit", Hang())
            kie.script.on("recordInfo", Delay(100))
            for path in (CREDIT, RECORD):
                with pytest.raises(TimeoutError):
                    await caller.send("GET", path, timeout=aiohttp.ClientTimeout(total=0.03))
            await caller.create(callback=f"{listener.url}/hook")
        with pytest.raises(aiohttp.ClientConnectionError):
            await caller.get(CREDIT)
    assert not listener.received
