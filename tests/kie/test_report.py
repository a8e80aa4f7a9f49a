"""recordInfo: lenient about what comes, and never a word about the task where there is none."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import PollFailed
from bot.domain.ids import KieTaskId
from bot.domain.ports import Progress, TaskReport
from bot.domain.states import Failure
from bot.kie import wire
from bot.kie.client import KieClient
from bot.kie.failures import failure_of
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
    Outcome,
    Reply,
    Succeed,
    SucceedWithoutUrls,
    UnknownState,
)
from tests.kie.conftest import KEY, ClientMaker
from tests.kie.orders import order
from tests.waiting import until

TASK = KieTaskId("0123456789abcdef0123456789abcdef")
URL = "https://tempfile.aiquickdraw.com/a.png"


def record(**fields: Any) -> Behaviour:
    """An answer with this data, other fields as KIE fills them while a task is pending."""
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
    return Code(200, "success", pending | fields)


async def ask(client: KieClient, kie: KieStandIn, behaviour: Behaviour) -> TaskReport:
    kie.script.on("recordInfo", behaviour)
    return await client.report(TASK)


async def test_the_question_names_the_task_and_carries_the_key(client: KieClient, kie: KieStandIn) -> None:
    await client.report(TASK)
    (call,) = kie.requests
    assert (call.method, call.path, call.query) == ("GET", "/api/v1/jobs/recordInfo", {"taskId": TASK})
    assert call.headers["Authorization"] == f"Bearer {KEY}"


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
async def test_a_whole_task(client: KieClient, kie: KieStandIn, end: Outcome, progress: Progress) -> None:
    kie.script.next_tasks(end)
    task = await client.create(order())
    report = await client.report(task)
    assert report.progress is progress
    if progress is Progress.SUCCEEDED:
        assert report.result_url == f"{kie.base_url}/results/{task}-1.png"
        assert report.consumed == Decimal(5)


@pytest.mark.parametrize("end", [EmptyData(times=2), EmptyData(times=2, null=True), NotYetKnown(times=2)], ids=str)
async def test_a_task_that_is_not_known_at_first(client: KieClient, kie: KieStandIn, end: Outcome) -> None:
    kie.script.next_tasks(end)
    task = await client.create(order())
    seen = [(await client.report(task)).progress for _ in range(3)]
    assert seen == [Progress.RUNNING, Progress.RUNNING, Progress.SUCCEEDED]


@pytest.mark.parametrize("state", ["waiting", "queuing", "generating", "paused", "SUCCESS", "", None, 7, {"a": 1}])
async def test_any_other_state_means_still_at_it(client: KieClient, kie: KieStandIn, state: Any) -> None:
    report = await ask(client, kie, record(state=state, resultJson=json.dumps({"resultUrls": [URL]})))
    assert report == TaskReport(Progress.RUNNING)


@pytest.mark.parametrize("data", [None, {}, [], "text", 7])
async def test_data_that_says_nothing_means_still_at_it(client: KieClient, kie: KieStandIn, data: Any) -> None:
    assert await ask(client, kie, Code(200, "success", data)) == TaskReport(Progress.RUNNING)


async def test_an_unknown_task_is_still_at_it(client: KieClient, kie: KieStandIn) -> None:
    assert await ask(client, kie, Code(422, "recordInfo is null")) == TaskReport(Progress.RUNNING)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"resultJson": json.dumps({"resultUrls": [URL]})}, URL),
        ({"resultJson": {"resultUrls": [URL]}}, URL),
        ({"resultJson": json.dumps({"resultUrls": [URL, "https://example.com/second.png"]})}, URL),
        ({"resultJson": json.dumps({"resultUrls": [None, 7, "", "not an address", URL]})}, URL),
        ({"resultJson": "", "response": {"resultUrls": [URL]}}, URL),
        ({"resultJson": "garbage {", "response": {"resultUrls": [URL]}}, URL),
        ({"resultJson": None, "response": json.dumps({"resultUrls": [URL]})}, URL),
        ({"resultJson": json.dumps({"resultUrls": [URL]}), "response": "garbage"}, URL),
        ({"resultJson": ""}, None),
        ({"resultJson": None}, None),
        ({"resultJson": "garbage {"}, None),
        ({"resultJson": "null"}, None),
        ({"resultJson": "[]"}, None),
        ({"resultJson": json.dumps([URL])}, None),
        ({"resultJson": json.dumps({"resultUrls": []})}, None),
        ({"resultJson": json.dumps({"resultUrls": URL})}, None),
        ({"resultJson": json.dumps({"resultUrls": {"0": URL}})}, None),
        ({"resultJson": json.dumps({"resultUrls": ["ftp://example.com/a.png", "javascript:alert(1)"]})}, None),
        ({"resultJson": json.dumps({"resultObject": {"text": "no picture"}})}, None),
    ],
    ids=str,
)
async def test_where_the_address_of_a_success_is_found(
    client: KieClient, kie: KieStandIn, fields: dict[str, Any], url: str | None
) -> None:
    report = await ask(client, kie, record(state="success", **fields))
    assert report.result_url == url
    if url is None:
        assert (report.progress, report.failure) == (Progress.FAILED, Failure.NO_IMAGE)
    else:
        assert (report.progress, report.failure) == (Progress.SUCCEEDED, None)


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ({"createTime": 1_000, "completeTime": 15_500, "costTime": 14}, 14.5),
        ({"createTime": 1_000, "completeTime": 15_500, "costTime": 14_500}, 14.5),
        ({"createTime": 1_000, "completeTime": 15_500, "costTime": None}, 14.5),
        ({"createTime": 1_000, "completeTime": 1_000, "costTime": 99}, 0.0),
        ({"createTime": 1_000, "completeTime": 900, "costTime": 99}, None),
        ({"createTime": None, "completeTime": 15_500, "costTime": 99}, None),
        ({"createTime": 1_000, "completeTime": None, "costTime": 99}, None),
        ({"createTime": "1000", "completeTime": True, "costTime": 99}, None),
    ],
    ids=str,
)
async def test_how_long_it_took_comes_from_the_two_stamps(
    client: KieClient, kie: KieStandIn, times: dict[str, Any], seconds: float | None
) -> None:
    report = await ask(client, kie, record(state="success", resultJson={"resultUrls": [URL]}, **times))
    assert report.seconds == seconds


@pytest.mark.parametrize(
    ("consumed", "expected"),
    [
        (5.0, Decimal(5)),
        (5, Decimal(5)),
        (0.1 + 0.2, Decimal("0.300")),
        (0, Decimal(0)),
        (None, None),
        ("5", None),
        (-1, None),
        (True, None),
        ([5.0], None),
        ({"a": 5.0}, None),
    ],
    ids=str,
)
async def test_what_kie_says_it_took(
    client: KieClient, kie: KieStandIn, consumed: Any, expected: Decimal | None
) -> None:
    report = await ask(client, kie, record(state="success", resultJson={"resultUrls": [URL]}, creditsConsumed=consumed))
    assert report.consumed == expected


async def test_a_callbacks_code_with_a_failed_task_is_an_answer(client: KieClient, kie: KieStandIn) -> None:
    data: dict[str, Any] = {"state": "fail", "failCode": "422", "failMsg": "flagged as sensitive"}
    report = await ask(client, kie, Code(501, "Generation failed", data))
    assert (report.progress, report.failure) == (Progress.FAILED, Failure.MODERATED)


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
        ("455", "maintenance", Failure.MAINTENANCE),
        ("500", "Internal Error, Please try again later.", Failure.BROKEN),
        ("500", "generate playground failed, task id is blank", Failure.BROKEN),
        (None, None, Failure.BROKEN),
        ("", "", Failure.BROKEN),
    ],
)
async def test_why_a_task_failed(
    client: KieClient, kie: KieStandIn, code: str | None, message: str | None, failure: Failure
) -> None:
    assert failure_of(code, message) is failure
    report = await ask(client, kie, record(state="fail", failCode=code, failMsg=message))
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
async def test_of_what_contradicts_itself_the_state_is_believed(
    client: KieClient, kie: KieStandIn, fields: dict[str, Any], progress: Progress
) -> None:
    report = await ask(client, kie, record(resultJson=json.dumps({"resultUrls": [URL]}), **fields))
    assert report.progress is progress
    assert (report.result_url is None) is (progress is not Progress.SUCCEEDED)


async def test_a_failure_code_may_come_as_a_number(client: KieClient, kie: KieStandIn) -> None:
    assert (await ask(client, kie, record(state="fail", failCode=402))).failure is Failure.OUT_OF_CREDITS


@pytest.mark.parametrize(
    "behaviour",
    [
        Code(400, "bad"),
        Code(401, "no access"),
        Code(402, "no credits"),
        Code(404, "no route"),
        Code(429, "too many requests"),
        Code(455, "maintenance"),
        Code(500, "server error"),
        Code(501, "generation failed"),
        Code(505, "disabled"),
        Http429(),
        Html(200),
        Html(404),
        Html(502),
        Reply(200, b""),
        Reply(200, b"null"),
        Reply(200, b"{}"),
        Reply(200, b'{"code":200,"data":{"state":"suc'),
        Reply(500, {"code": 200, "msg": "success", "data": None}),
        Reply(302, b"", headers={"Location": "/api/v1/jobs/recordInfo"}),
        CutMidBody(),
    ],
    ids=str,
)
async def test_a_question_without_an_answer_says_nothing_of_the_task(
    client: KieClient, kie: KieStandIn, behaviour: Behaviour
) -> None:
    with pytest.raises(PollFailed):
        await ask(client, kie, behaviour)
    assert len(kie.requests) == 1


async def test_a_cut_connection_says_nothing_of_the_task(client: KieClient, kie: KieStandIn) -> None:
    kie.script.always("recordInfo", CutBefore())
    with pytest.raises(PollFailed):
        await client.report(TASK)


async def test_a_hanging_question_ends(make_client: ClientMaker, kie: KieStandIn) -> None:
    kie.script.on("recordInfo", Hang())
    with pytest.raises(PollFailed):
        await make_client(poll_seconds=0.2, request_seconds=600.0).report(TASK)


async def test_a_refused_connection_says_nothing_of_the_task(make_client: ClientMaker, kie: KieStandIn) -> None:
    port = kie.base_url.rpartition(":")[2]
    with pytest.raises(PollFailed):
        await make_client(base_url=f"http://[::1]:{port}").report(TASK)


async def test_an_answer_of_over_a_megabyte_is_refused(client: KieClient, kie: KieStandIn) -> None:
    with pytest.raises(PollFailed):
        await ask(client, kie, Code(200, "x" * (1 << 20), {"state": "success"}))


async def test_a_redirect_is_not_followed(client: KieClient, kie: KieStandIn) -> None:
    elsewhere = kie.base_url + "/elsewhere"
    with pytest.raises(PollFailed):
        await ask(client, kie, Reply(307, b"", headers={"Location": elsewhere}))
    await until(lambda: len(kie.requests) >= 1, what="the question")
    assert [call.path for call in kie.requests] == ["/api/v1/jobs/recordInfo"]


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
def test_whatever_the_record_holds_it_can_be_read(state: Any, fields: dict[str, Any]) -> None:
    report = wire.report({"state": state, **fields})
    if report is None:
        assert state not in ("success", "fail")
        return
    if report.progress is Progress.SUCCEEDED:
        assert report.result_url
    if report.progress is Progress.FAILED:
        assert report.failure is not None


@pytest.mark.parametrize("consumed", [1e30, 1e300, 10**40])
def test_an_absurd_bill_does_not_hide_the_result(consumed: float) -> None:
    done = {"state": "success", "resultJson": {"resultUrls": [URL]}, "creditsConsumed": consumed}
    assert wire.report(done) == TaskReport(Progress.SUCCEEDED, result_url=URL, consumed=None)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_none(body: bytes) -> None:
    found = wire.envelope(body)
    assert found is None or isinstance(found.code, int)
