"""Outcomes of tasks."""

import pytest

from demo.kie import (
    EmptyData,
    Json,
    Never,
    NotYetKnown,
    Outcome,
    Succeed,
    SucceedWithoutUrls,
    UnknownState,
)
from tests.demo.kie.kit import RECORD, Caller, results


async def test_outcomes_without_an_end(caller: Caller) -> None:
    caller.kie.script.next_tasks(Never(), UnknownState("paused"))
    never, paused = await caller.create(), await caller.create()
    assert (await caller.record(never))["state"] == "waiting"
    assert (await caller.record(paused))["state"] == "paused"
    await caller.ended(await caller.create())
    assert (await caller.record(never))["state"] == "waiting"
    assert (await caller.record(paused))["state"] == "paused"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Succeed(urls=("https://elsewhere.example/a.png", "")), ["https://elsewhere.example/a.png", ""]),
        (SucceedWithoutUrls(), []),
    ],
)
async def test_a_success_may_name_any_addresses_or_none(caller: Caller, outcome: Outcome, expected: list[str]) -> None:
    caller.kie.script.next_tasks(outcome)
    record = await caller.ended(await caller.create())
    assert record["state"] == "success"
    assert results(record) == expected
    assert caller.kie.billed == 5


@pytest.mark.parametrize(
    ("outcome", "first"),
    [
        (EmptyData(2), {"code": 200, "msg": "success", "data": {}}),
        (EmptyData(2, null=True), {"code": 200, "msg": "success", "data": None}),
        (NotYetKnown(2), {"code": 422, "msg": "recordInfo is null", "data": None}),
    ],
)
async def test_a_record_can_be_missing_at_first(caller: Caller, outcome: Outcome, first: dict[str, Json]) -> None:
    caller.kie.script.next_tasks(outcome)
    task_id = await caller.create()
    assert [await caller.get(RECORD, taskId=task_id) for _ in range(2)] == [first, first]
    assert (await caller.ended(task_id))["state"] == "success"


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("[moderated]", "flagged as sensitive"),
        ("[broken]", "Internal Error, Please try again later."),
        ("[unreadable]", "Image fetch failed."),
    ],
)
async def test_a_prompt_can_ask_for_failure(caller: Caller, marker: str, words: str) -> None:
    record = await caller.ended(await caller.create(prompt=f"a fox {marker}"))
    assert record["state"] == "fail"
    assert words in str(record["failMsg"])


async def test_a_prompt_can_ask_for_refusal_or_patience(caller: Caller) -> None:
    assert (await caller.refused(prompt="a fox [nocredits]"))[0] == 402
    assert (await caller.refused(prompt="a fox [maintenance]"))[0] == 455
    assert caller.kie.tasks[await caller.create(prompt="a fox [slow]")].duration == 40
    never = await caller.create(prompt="a fox [Never]")
    assert caller.kie.tasks[never].duration == float("inf")
