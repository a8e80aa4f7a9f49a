"""The life of a task, its outcomes, its price, and the requests that KIE refuses."""

import json
from decimal import Decimal
from typing import Any

import pytest

from demo.kie import (
    EmptyData,
    Fail,
    KieStandIn,
    Never,
    NotYetKnown,
    Succeed,
    SucceedWithoutUrls,
    TaskOutcome,
    UnknownState,
)
from tests.demo.kie.conftest import (
    CREATE,
    CREDIT,
    PRO,
    PRO_EDIT,
    RECORD,
    UPLOAD,
    FakeClock,
    KieCaller,
    open_caller,
    request,
    results,
)


async def test_a_task_passes_through_its_states_in_the_documented_shapes() -> None:
    clock, wall = FakeClock(), FakeClock(1_760_000_000.0)
    async with open_caller(KieStandIn(durations=10, clock=clock, wall_clock=wall)) as caller:
        created = await caller.post(request(prompt="Füchse", unknown_field=1))
        task_id = created["data"]["taskId"]
        assert created == {"code": 200, "msg": "success", "data": {"taskId": task_id, "recordId": task_id}}
        assert len(bytes.fromhex(task_id)) == 16
        for state, price in (("waiting", None), ("queuing", None), ("generating", 5.0), ("generating", 5.0)):
            pending = await caller.record(task_id)
            assert (pending["state"], pending["creditsConsumed"], pending["resultJson"]) == (state, price, "")
            assert {pending[name] for name in ("failCode", "failMsg", "costTime", "completeTime", "response")} == {None}
            clock.now += 2.4
        clock.now += 1
        done = await caller.record(task_id)
    outer = json.loads(done.pop("param"))
    assert outer["model"] == PRO
    assert json.loads(outer["input"])["prompt"] == "Füchse"
    url = f"{caller.kie.base_url}/results/{task_id}-1.png"
    assert done == {
        "taskId": task_id,
        "model": PRO,
        "state": "success",
        "resultJson": json.dumps({"resultUrls": [url]}),
        "failCode": None,
        "failMsg": None,
        "costTime": 10,
        "createTime": 1_760_000_000_000,
        "completeTime": 1_760_000_010_000,
        "updateTime": 1_760_000_010_000,
        "creditsConsumed": 5.0,
        "successFlag": 1,
        "response": {"resultUrls": [url]},
    }


@pytest.mark.parametrize(("family", "resolution", "price"), [("pro", "1K", 5), ("pro", "2K", 7), ("flex", "2K", 24)])
async def test_success_is_billed_at_the_price(family: str, resolution: str, price: int) -> None:
    model = f"flux-2/{family}-text-to-image"
    durations = {(model, resolution): 0.0}
    async with open_caller(KieStandIn(durations=lambda model, resolution: durations[model, resolution])) as caller:
        await caller.finish(model, resolution=resolution)
        assert caller.kie.billed == price
        assert (await caller.get(CREDIT))["data"] == float(1000 - price)


async def test_a_running_task_holds_its_price_and_a_failed_one_releases_it(caller: KieCaller) -> None:
    caller.kie.script.next_tasks(Never(), Fail("500", "generate playground failed"))
    await caller.create()
    failed = await caller.finish()
    assert (failed["state"], failed["failCode"], failed["failMsg"]) == ("fail", "500", "generate playground failed")
    assert failed["resultJson"] == ""
    assert (caller.kie.billed, caller.kie.balance) == (0, 995)


async def test_outcomes_without_an_end(caller: KieCaller) -> None:
    caller.kie.script.next_tasks(Never(), UnknownState("paused"))
    endless = [await caller.create(), await caller.create()]
    await caller.finish()
    assert [(await caller.record(task_id))["state"] for task_id in endless] == ["waiting", "paused"]


@pytest.mark.parametrize(
    ("outcome", "urls"),
    [(Succeed(urls=("https://x.example/a.png", "")), ["https://x.example/a.png", ""]), (SucceedWithoutUrls(), [])],
)
async def test_a_success_may_list_any_addresses_or_none(
    caller: KieCaller, outcome: TaskOutcome, urls: list[str]
) -> None:
    caller.kie.script.next_tasks(outcome)
    record = await caller.finish()
    assert (record["state"], results(record), caller.kie.billed) == ("success", urls, 5)


@pytest.mark.parametrize(
    ("outcome", "first"),
    [
        (EmptyData(2), {"code": 200, "msg": "success", "data": {}}),
        (EmptyData(2, null=True), {"code": 200, "msg": "success", "data": None}),
        (NotYetKnown(2), {"code": 422, "msg": "recordInfo is null", "data": None}),
    ],
)
async def test_a_record_can_be_missing_at_first(caller: KieCaller, outcome: TaskOutcome, first: dict[str, Any]) -> None:
    caller.kie.script.next_tasks(outcome)
    task_id = await caller.create()
    assert [await caller.get(RECORD, taskId=task_id) for _ in range(2)] == [first, first]
    assert (await caller.end(task_id))["state"] == "success"


async def test_a_marker_in_the_prompt_chooses_the_outcome(caller: KieCaller) -> None:
    failures = {
        "[moderated]": "flagged",
        "[broken]": "Internal Error",
        "[unreadable]": "Image fetch",
        "[nocredits]": "Insufficient credits",
        "[maintenance]": "maintenance",
    }
    for marker, words in failures.items():
        record = await caller.finish(prompt=f"a fox {marker}")
        assert record["state"] == "fail"
        assert words in record["failMsg"]
    assert caller.kie.tasks[await caller.create(prompt="a fox [slow]")].duration == 40
    assert caller.kie.tasks[await caller.create(prompt="a fox [Never]")].duration == float("inf")


@pytest.mark.parametrize(
    ("model", "changes", "code", "word"),
    [
        (PRO, {"prompt": None}, 500, "prompt is required"),
        (PRO, {"aspect_ratio": None}, 500, "aspect_ratio is required"),
        (PRO, {"resolution": None}, 500, "resolution is required"),
        (PRO, {"prompt": "ab"}, 422, "prompt"),
        (PRO, {"prompt": "x" * 5001}, 422, "prompt"),
        (PRO, {"aspect_ratio": "5:4"}, 422, "aspect_ratio"),
        (PRO, {"aspect_ratio": "auto"}, 422, "auto"),
        (PRO, {"resolution": "4K"}, 422, "resolution"),
        (PRO, {"nsfw_checker": "yes"}, 422, "nsfw_checker"),
        (PRO_EDIT, {"input_urls": None}, 500, "input_urls"),
        (PRO_EDIT, {"input_urls": []}, 500, "input_urls"),
        (PRO_EDIT, {"input_urls": ["u"] * 9}, 422, "input_urls"),
        (PRO_EDIT, {"input_urls": [1]}, 422, "input_urls"),
        ("flux-9/pro", {}, 404, "flux-9/pro"),
    ],
)
async def test_invalid_input_is_refused(
    caller: KieCaller, model: str, changes: dict[str, Any], code: int, word: str
) -> None:
    refusal = await caller.refused(model, **changes)
    assert refusal[0] == code
    assert word in refusal[1]
    assert not caller.kie.tasks


async def test_wrong_keys_routes_tasks_and_bodies_are_refused(caller: KieCaller) -> None:
    for method, path in (("POST", CREATE), ("GET", RECORD), ("GET", CREDIT), ("POST", UPLOAD)):
        status, body = await caller.send(method, path, headers={"Authorization": "Bearer other"})
        assert (status, body["code"]) == (200, 401)
    assert await caller.get(RECORD, taskId="nope") == {"code": 422, "msg": "recordInfo is null", "data": None}
    assert (await caller.send("GET", "/api/v1/nowhere"))[0] == 404
    assert (await caller.send("POST", CREATE, data=b"{"))[1]["code"] == 400


async def test_too_many_new_or_running_tasks_and_too_small_a_balance_are_refused() -> None:
    clock = FakeClock()
    async with open_caller(KieStandIn(create_limit=2, create_window=10, clock=clock)) as caller:
        for seconds in (5, 5, 0):
            await caller.create()
            clock.now += seconds
            assert seconds == 5 or (await caller.refused())[0] == 429
    async with open_caller(KieStandIn(durations=30, running_limit=1, clock=clock)) as caller:
        await caller.create()
        assert (await caller.refused())[0] == 429
        clock.now += 30
        await caller.create()
    async with open_caller(KieStandIn(credits=Decimal(11))) as caller:
        await caller.create(resolution="2K")
        assert (await caller.refused())[0] == 402
        assert (await caller.get(CREDIT))["data"] == 4.0
