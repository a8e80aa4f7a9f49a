"""The life of a task."""

import json

import pytest

from demo.kie import (
    Fail,
    Json,
    KieStandIn,
    Never,
)
from tests.demo.kie.kit import CREATE, CREDIT, PRO, Caller, FakeClock, open_caller, request, table


async def test_a_task_passes_through_its_states_in_the_documented_shapes() -> None:
    clock, wall = FakeClock(), FakeClock(1_760_000_000.0)
    async with open_caller(KieStandIn(durations=10, clock=clock, wall_clock=wall)) as caller:
        body = request()
        created = await caller.post(CREATE, body)
        task_id = str(table(created["data"])["taskId"])
        assert created == {
            "code": 200,
            "msg": "success",
            "data": {"taskId": task_id, "recordId": task_id},
        }
        assert len(task_id) == 32
        assert int(task_id, 16) >= 0

        states: list[Json] = []
        for _ in range(4):
            pending = await caller.record(task_id)
            states.append(pending["state"])
            assert pending["resultJson"] == ""
            assert (pending["failCode"], pending["failMsg"]) == (None, None)
            assert (pending["costTime"], pending["completeTime"], pending["response"]) == (None, None, None)
            clock.now += 2.4
        assert states == ["waiting", "queuing", "generating", "generating"]

        assert (await caller.record(task_id))["creditsConsumed"] == 5.0
        clock.now += 1
        done = await caller.record(task_id)
    url = f"{caller.kie.base_url}/results/{task_id}-1.png"
    assert done.pop("param") is not None
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


async def test_param_is_json_within_json(caller: Caller) -> None:
    record = await caller.record(await caller.create(prompt="Füchse", unheard_of=1))
    outer = json.loads(str(record["param"]))
    assert outer["model"] == PRO
    assert json.loads(outer["input"])["prompt"] == "Füchse"


async def test_durations_may_depend_on_model_and_resolution() -> None:
    asked: list[tuple[str, str]] = []

    def durations(model: str, resolution: str) -> float:
        asked.append((model, resolution))
        return 7.5

    async with open_caller(KieStandIn(durations=durations)) as caller:
        task = caller.kie.tasks[await caller.create(resolution="2K")]
    assert asked == [(PRO, "2K")]
    assert task.duration == 7.5


@pytest.mark.parametrize(
    ("model", "resolution", "price"),
    [
        ("pro-text-to-image", "1K", 5),
        ("pro-text-to-image", "2K", 7),
        ("flex-text-to-image", "1K", 14),
        ("flex-text-to-image", "2K", 24),
    ],
)
async def test_success_is_billed_at_the_price(caller: Caller, model: str, resolution: str, price: int) -> None:
    await caller.ended(await caller.create(f"flux-2/{model}", resolution=resolution))
    assert caller.kie.billed == price
    assert (await caller.get(CREDIT))["data"] == float(1000 - price)


async def test_a_running_task_holds_its_price_and_a_failed_one_gives_it_back(caller: Caller) -> None:
    caller.kie.script.next_tasks(Never(), Fail("500", "generate playground failed"))
    await caller.create()
    failed = await caller.ended(await caller.create())
    assert (failed["state"], failed["failCode"]) == ("fail", "500")
    assert failed["failMsg"] == "generate playground failed"
    assert failed["resultJson"] == ""
    assert caller.kie.billed == 0
    assert caller.kie.balance == 995
