"""recordInfo: parsed leniently; an answer that is not about the task is an error, never a failed task."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import KieTaskId
from bot.domain.image_api_errors import PollFailed
from bot.domain.ports import Progress, TaskReport
from bot.domain.states import Failure
from bot.kie import wire
from bot.kie.client import KieClient
from demo.kie import (
    Behaviour,
    Code,
    CutBefore,
    CutMidBody,
    EmptyData,
    Fail,
    Hang,
    Html,
    Http429,
    KieStandIn,
    Never,
    NotYetKnown,
    Reply,
    Succeed,
    SucceedWithoutUrls,
    TaskOutcome,
    UnknownState,
)
from tests.factories import make_task_input
from tests.kie.conftest import KEY, ClientMaker

START = 1_757_584_164_490
TASK = KieTaskId("0123456789abcdef0123456789abcdef")
URL = "https://tempfile.aiquickdraw.com/a.png"
RECORD_INFO = "/api/v1/jobs/recordInfo"
RUNNING = TaskReport(Progress.RUNNING)


def record(**fields: Any) -> dict[str, Any]:
    """The data of recordInfo; fields that are not given are as while the task is pending."""
    pending: dict[str, Any] = {
        "taskId": TASK,
        "state": "waiting",
        "resultJson": "",
        "failCode": None,
        "failMsg": None,
        "costTime": None,
        "completeTime": None,
        "createTime": 1_757_584_164_490,
    }
    return pending | fields


def success(**fields: Any) -> TaskReport:
    report = wire.task_report(record(**({"state": "success", "resultJson": {"resultUrls": [URL]}} | fields)))
    assert report is not None
    return report


async def ask(client: KieClient, kie: KieStandIn, behaviour: Behaviour) -> TaskReport:
    kie.script.always("recordInfo", behaviour)
    return await client.report(TASK)


async def test_the_question_names_the_task_and_carries_the_key(client: KieClient, kie: KieStandIn) -> None:
    await client.report(TASK)
    (call,) = kie.requests
    assert (call.method, call.path, call.query) == ("GET", RECORD_INFO, {"taskId": TASK})
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert call.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("end", "progress"),
    [
        (Succeed(), Progress.SUCCEEDED),
        (Succeed(urls=4), Progress.SUCCEEDED),
        (Fail("500", "Internal Error, Please try again later."), Progress.FAILED),
        (SucceedWithoutUrls(), Progress.FAILED),
        (Never(), Progress.RUNNING),
        (UnknownState(), Progress.RUNNING),
        (EmptyData(), Progress.RUNNING),
        (EmptyData(null=True), Progress.RUNNING),
        (NotYetKnown(), Progress.RUNNING),
    ],
    ids=str,
)
async def test_a_whole_task(client: KieClient, kie: KieStandIn, end: TaskOutcome, progress: Progress) -> None:
    kie.script.next_tasks(end)
    task = await client.create(make_task_input())
    report = await client.report(task)
    assert report.progress is progress
    if progress is Progress.SUCCEEDED:
        assert report.result_url == f"{kie.base_url}/results/{task}-1.png"
        assert report.consumed == Decimal(5)


@pytest.mark.parametrize("end", [EmptyData(times=2), EmptyData(times=2, null=True), NotYetKnown(times=2)], ids=str)
async def test_a_task_that_is_not_known_at_first(client: KieClient, kie: KieStandIn, end: TaskOutcome) -> None:
    kie.script.next_tasks(end)
    task = await client.create(make_task_input())
    progress = [(await client.report(task)).progress for _ in range(3)]
    assert progress == [Progress.RUNNING, Progress.RUNNING, Progress.SUCCEEDED]


@pytest.mark.parametrize("state", ["waiting", "queuing", "generating", "paused", "", None, 7, {"a": 1}])
async def test_any_other_state_means_running(client: KieClient, kie: KieStandIn, state: Any) -> None:
    data = record(state=state, resultJson=json.dumps({"resultUrls": [URL]}))
    assert await ask(client, kie, Code(200, "success", data)) == RUNNING


EMPTY: list[Any] = [None, {}, [], "text", 7]


@pytest.mark.parametrize("answer", [*(Code(200, "", data) for data in EMPTY), Code(422, "recordInfo is null")], ids=str)
async def test_an_empty_record_means_running(client: KieClient, kie: KieStandIn, answer: Behaviour) -> None:
    assert await ask(client, kie, answer) == RUNNING


@pytest.mark.parametrize(
    "fields",
    [
        {"resultJson": json.dumps({"resultUrls": [URL]})},
        {"resultJson": {"resultUrls": [URL]}},
        {"resultJson": json.dumps({"resultUrls": [URL, "https://example.com/second.png"]})},
        {"resultJson": json.dumps({"resultUrls": [None, 7, "", "not an address", URL]})},
        {"resultJson": "", "response": {"resultUrls": [URL]}},
        {"resultJson": "garbage {", "response": {"resultUrls": [URL]}},
        {"resultJson": None, "response": json.dumps({"resultUrls": [URL]})},
        {"resultJson": json.dumps({"resultUrls": [URL]}), "response": "garbage"},
        {"resultJson": json.dumps({"resultUrls": URL})},
        {"resultJson": json.dumps({"resultUrls": json.dumps([URL])})},
        {"resultJson": json.dumps({"resultUrls": [[URL, URL], URL]})},
        {"resultJson": json.dumps({"resultUrls": [{"url": URL}]})},
        {"resultJson": json.dumps([URL])},
        {"resultJson": URL},
        {"resultJson": json.dumps({"data": {"images": [{"image_url": URL}]}})},
        {"resultJson": json.dumps({"output": URL})},
        {"resultJson": "", "resultUrls": [URL]},
        {"resultJson": "", "info": {"resultImageUrl": URL}},
        {"resultJson": {"resultUrls": ["https://[::1]@", "http://", f" {URL}\n"]}},
        {"state": "SUCCESS"},
        {"state": " Success ", "extra": {"a": [1]}},
        {"taskId": None},
    ],
    ids=str,
)
def test_where_the_address_of_a_success_is_found(fields: dict[str, Any]) -> None:
    report = success(**fields)
    assert (report.progress, report.result_url, report.failure) == (Progress.SUCCEEDED, URL, None)


@pytest.mark.parametrize(
    "result",
    [
        "",
        None,
        "garbage {",
        "null",
        "[]",
        "[" * 2000,
        *(json.dumps({"resultUrls": urls}) for urls in ([], {"0": URL}, ["ftp://example.com/a", "https://[::1]@"])),
        json.dumps({"resultUrls": [[[[[[URL]]]]]]}),
        json.dumps({"resultObject": {"text": "no image"}}),
    ],
    ids=str,
)
def test_a_success_without_an_address_is_a_failure(result: str | None) -> None:
    report = success(resultJson=result)
    assert (report.progress, report.result_url, report.failure) == (Progress.FAILED, None, Failure.NO_IMAGE)


@pytest.mark.parametrize(
    ("created", "completed", "cost_time", "seconds"),
    [
        (START, START + 14_500, 14, 14.5),
        (START, START + 14_500, -5, 14.5),
        (str(START), f"{START + 14_500}", None, 14.5),
        (START // 1000, START // 1000 + 14, None, 14),
        (START, START, 99, 0.0),
        (START, START - 100, 99, None),
        (START, START + 3_600_001, 99, None),
        (START // 1000, START, 99, None),
        (0, START, 99, None),
        (None, START, 99, None),
        (START, None, 99, None),
        (START, True, 99, None),
        (-1, 1e300, 1e12, None),
    ],
)
def test_the_duration_comes_from_the_two_timestamps(
    created: Any, completed: Any, cost_time: Any, seconds: float | None
) -> None:
    assert success(createTime=created, completeTime=completed, costTime=cost_time).seconds == seconds


@pytest.mark.parametrize(
    ("consumed", "expected"),
    [
        (5.0, Decimal(5)),
        (5, Decimal(5)),
        (0.1 + 0.2, Decimal("0.300")),
        (0, Decimal(0)),
        ("5", Decimal(5)),
        ("12.5", Decimal("12.5")),
        *((invalid, None) for invalid in (None, "", "five", "NaN", "Infinity", "-1", "1e3", "9" * 30)),
        *((invalid, None) for invalid in (-1, True, [5.0], {"a": 5.0}, 1e9, 1e30, 1e300, 10**40)),
    ],
    ids=str,
)
def test_the_credits_that_kie_charged(consumed: Any, expected: Decimal | None) -> None:
    report = success(creditsConsumed=consumed)
    assert (report.result_url, report.consumed) == (URL, expected)


@pytest.mark.parametrize(
    ("code", "message", "failure"),
    [
        ("422", "The prompt was flagged as sensitive", Failure.MODERATED),
        ("422", "Your request was flagged", Failure.MODERATED),
        ("400", "Blocked by our safety system", Failure.MODERATED),
        ("500", "Request Moderated", Failure.MODERATED),
        ("501", "Stopped by a MODERATOR", Failure.MODERATED),
        ("501", "NSFW content detected", Failure.MODERATED),
        ("501", "The input could not be processed", Failure.MODERATED),
        (None, "The prompt was rejected", Failure.MODERATED),
        ("500", "safety checker service unavailable", Failure.UNAVAILABLE),
        ("422", "NSFW checker unavailable, sensitive content not judged", Failure.UNAVAILABLE),
        ("400", "Image fetch failed. The address could not be reached.", Failure.REFERENCE_UNREADABLE),
        ("422", "input_urls must hold 1 to 8 addresses", Failure.REFERENCE_UNREADABLE),
        ("402", "Insufficient credits", Failure.OUT_OF_CREDITS),
        ("402", None, Failure.OUT_OF_CREDITS),
        (402, None, Failure.OUT_OF_CREDITS),
        ("500", {"message": "NSFW content detected"}, Failure.MODERATED),
        (None, ["Image fetch failed"], Failure.REFERENCE_UNREADABLE),
        ("455", "maintenance", Failure.MAINTENANCE),
        ("500", "Internal Error, Please try again later.", Failure.BROKEN),
        ("500", "generate playground failed, task id is blank", Failure.BROKEN),
        (None, None, Failure.BROKEN),
        ("", "", Failure.BROKEN),
    ],
)
async def test_why_a_task_failed(
    client: KieClient, kie: KieStandIn, code: str | int | None, message: object, failure: Failure
) -> None:
    data = record(state="fail", failCode=code, failMsg=message)
    # Like a callback's body, the envelope may carry an error code; the record counts.
    for envelope in (200, 501):
        report = await ask(client, kie, Code(envelope, "", data))
        assert (report.progress, report.failure, report.result_url) == (Progress.FAILED, failure, None)


@pytest.mark.parametrize(
    ("fields", "progress"),
    [
        ({"state": "success", "failCode": "500", "failMsg": "Internal Error"}, Progress.SUCCEEDED),
        ({"state": "success", "progress": 0, "completeTime": None}, Progress.SUCCEEDED),
        ({"state": "fail", "failCode": "200", "failMsg": "success"}, Progress.FAILED),
        ({"state": "waiting", "failCode": "500", "completeTime": 15_500}, Progress.RUNNING),
    ],
    ids=str,
)
def test_of_what_contradicts_itself_the_state_is_believed(fields: dict[str, Any], progress: Progress) -> None:
    report = wire.task_report(record(resultJson=json.dumps({"resultUrls": [URL]}), **fields))
    assert report is not None
    assert report.progress is progress
    assert (report.result_url is None) is (progress is not Progress.SUCCEEDED)


@pytest.mark.parametrize(
    "behaviour",
    [
        *(Code(code, "an error") for code in (400, 401, 402, 404, 429, 455, 500, 501, 505)),
        Http429(),
        *(Html(status) for status in (200, 404, 502)),
        *(Reply(200, body) for body in (b"", b"null", b"{}", b'{"code":200,"data":{"state":"suc')),
        Reply(500, {"code": 200, "msg": "success", "data": None}),
        Code(200, "x" * (1 << 20), {"state": "success"}),
        *(Reply(status, b"", headers={"Location": "/elsewhere"}) for status in (302, 307)),
        CutBefore(),
        CutMidBody(),
    ],
    ids=lambda behaviour: str(behaviour)[:40],
)
async def test_a_question_without_an_answer_says_nothing_of_the_task(
    client: KieClient, kie: KieStandIn, behaviour: Behaviour
) -> None:
    with pytest.raises(PollFailed):
        await ask(client, kie, behaviour)
    assert {call.path for call in kie.requests} == {RECORD_INFO}
    # aiohttp itself repeats a GET whose connection broke.
    assert len(kie.requests) == 1 or isinstance(behaviour, CutBefore)


@pytest.mark.parametrize("name", ["taskId", "task_id"])
async def test_the_record_of_another_task_is_not_believed(client: KieClient, kie: KieStandIn, name: str) -> None:
    data = record(state="success", resultJson=json.dumps({"resultUrls": [URL]})) | {"taskId": None, name: "another"}
    with pytest.raises(PollFailed):
        await ask(client, kie, Code(200, "success", data))


async def test_a_number_that_is_no_json_loses_nothing_else(client: KieClient, kie: KieStandIn) -> None:
    data = record(state="success", resultJson=json.dumps({"resultUrls": [URL]}), creditsConsumed=float("nan"))
    body = json.dumps({"code": 200, "data": data}).encode()
    report = await ask(client, kie, Reply(200, b"\xef\xbb\xbf" + body))
    assert (report.result_url, report.consumed) == (URL, None)


async def test_a_hanging_question_ends(make_client: ClientMaker, kie: KieStandIn) -> None:
    with pytest.raises(PollFailed):
        await ask(make_client(poll_seconds=0.2, request_seconds=600.0), kie, Hang())


async def test_a_refused_connection_says_nothing_of_the_task(make_client: ClientMaker, kie: KieStandIn) -> None:
    port = kie.base_url.rpartition(":")[2]
    with pytest.raises(PollFailed):
        await make_client(base_url=f"http://[::1]:{port}").report(TASK)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)
FIELDS = ("resultJson", "response", "failCode", "failMsg", "createTime", "completeTime", "creditsConsumed", "taskId")


@given(
    state=st.sampled_from(["success", "fail", "waiting"]) | JSON,
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON),
)
def test_any_record_can_be_parsed(state: Any, fields: dict[str, Any]) -> None:
    report = wire.task_report({"state": state, **fields})
    if report is None:
        assert state not in ("success", "fail")
        return
    assert bool(report.result_url) is (report.progress is Progress.SUCCEEDED)
    assert (report.failure is not None) is (report.progress is Progress.FAILED)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_none(body: bytes) -> None:
    envelope = wire.envelope(body)
    assert envelope is None or isinstance(envelope.code, int)
