"""Misbehaviour of calls, as a test may order it."""

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
    Route,
)
from tests.demo.kie.kit import CREATE, CREDIT, KEY, RECORD, Caller, Listener, request, results
from tests.waiting import until


async def test_requests_are_recorded_whatever_becomes_of_them(caller: Caller) -> None:
    caller.kie.script.on("createTask", Http429())
    async with caller.session.post(caller.kie.base_url + CREATE, json=request()) as response:
        assert response.status == 429
    await caller.get(RECORD, taskId="abc")
    await caller.upload(b"12345", uploadPath="p")
    create, record, upload = caller.kie.requests
    assert (create.method, create.path, create.json) == ("POST", CREATE, request())
    assert create.headers["authorization"] == f"Bearer {KEY}"
    assert record.query == {"taskId": "abc"}
    assert upload.fields == {"uploadPath": "p"}
    assert upload.files["file"].content == b"12345"
    assert create.at <= record.at <= upload.at


async def test_replies_are_given_once_each_and_in_order(caller: Caller) -> None:
    caller.kie.script.on(
        "credit",
        Code(455, "maintenance"),
        Reply(503, "<down>", "text/plain", {"Retry-After": "9"}),
        Reply(body={"code": 200}),
        Html(502),
        Http429(),
    )
    seen: list[tuple[int, str, str]] = []
    for _ in range(6):
        async with caller.session.get(caller.kie.base_url + CREDIT) as response:
            seen.append((response.status, response.content_type, await response.text()))
            if response.status == 503:
                assert response.headers["Retry-After"] == "9"
    assert [status for status, _, _ in seen] == [200, 503, 200, 502, 429, 200]
    assert json.loads(seen[0][2]) == {"code": 455, "msg": "maintenance", "data": None}
    assert seen[1][1:] == ("text/plain", "<down>")
    assert json.loads(seen[2][2]) == {"code": 200}
    assert seen[3][1] == "text/html"
    assert json.loads(seen[4][2])["code"] == 429
    assert json.loads(seen[5][2])["data"] == 1000.0


async def test_always_lasts_until_cleared(caller: Caller) -> None:
    caller.kie.script.always("credit", Code(500, "no"))
    caller.kie.script.on("credit", Code(429, "first"))
    codes = [(await caller.get(CREDIT))["code"] for _ in range(3)]
    caller.kie.script.clear()
    assert [*codes, (await caller.get(CREDIT))["code"]] == [429, 500, 500, 200]


@pytest.mark.parametrize(("behaviour", "made"), [(CutBefore(), 0), (CutAfter(), 1)])
async def test_a_cut_call_gets_no_answer(caller: Caller, behaviour: Behaviour, made: int) -> None:
    caller.kie.script.on("createTask", behaviour)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await caller.create()
    assert len(caller.kie.tasks) == made
    if made:
        await caller.ended(next(iter(caller.kie.tasks)))
    assert caller.kie.billed == 5 * made


@pytest.mark.parametrize("route", ["createTask", "result"])
async def test_an_answer_can_break_off_in_the_middle(caller: Caller, route: Route) -> None:
    caller.kie.script.on(route, CutMidBody())
    if route == "createTask":
        with pytest.raises(aiohttp.ClientPayloadError):
            await caller.create()
        assert len(caller.kie.tasks) == 1
        return
    record = await caller.ended(await caller.create())
    async with caller.session.get(results(record)[0]) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_late_answer_makes_the_task_though_the_caller_has_gone(caller: Caller) -> None:
    caller.kie.script.on("createTask", Delay(0.1))
    timeout = aiohttp.ClientTimeout(total=0.03)
    with pytest.raises(TimeoutError):
        async with caller.session.post(caller.kie.base_url + CREATE, json=request(), timeout=timeout):
            pass
    assert not caller.kie.tasks
    await until(lambda: caller.kie.tasks, what="the late task")


async def test_a_server_stops_promptly_with_calls_hanging(listener: Listener) -> None:
    kie = KieStandIn(durations=100)
    async with aiohttp.ClientSession() as session:
        async with kie:
            kie.script.always("credit", Hang())
            kie.script.on("recordInfo", Delay(100))
            for path in (CREDIT, RECORD):
                with pytest.raises(TimeoutError):
                    await session.get(kie.base_url + path, timeout=aiohttp.ClientTimeout(total=0.03))
            caller = Caller(kie, session)
            session.headers["Authorization"] = f"Bearer {KEY}"
            await caller.create(callback=f"{listener.url}/hook")
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(kie.base_url + CREDIT)
    assert not listener.calls
