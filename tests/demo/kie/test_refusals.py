"""What the stand-in refuses."""

from decimal import Decimal

import pytest

from demo.kie import (
    Json,
    KieStandIn,
)
from tests.demo.kie.kit import CREATE, CREDIT, PRO, PRO_EDIT, RECORD, UPLOAD, Caller, FakeClock, open_caller


async def test_a_wrong_key_is_refused_in_the_body(caller: Caller) -> None:
    headers = {"Authorization": "Bearer other"}
    for method, path in (("POST", CREATE), ("GET", RECORD), ("GET", CREDIT), ("POST", UPLOAD)):
        async with caller.session.request(method, caller.kie.base_url + path, headers=headers) as response:
            assert response.status == 200
            assert (await response.json())["code"] == 401


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"prompt": None}, 500, "prompt is required"),
        ({"aspect_ratio": None}, 500, "aspect_ratio is required"),
        ({"resolution": None}, 500, "resolution is required"),
        ({"prompt": "ab"}, 422, "prompt"),
        ({"prompt": "x" * 5001}, 422, "prompt"),
        ({"aspect_ratio": "5:4"}, 422, "aspect_ratio"),
        ({"aspect_ratio": "auto"}, 422, "auto"),
        ({"resolution": "4K"}, 422, "resolution"),
        ({"nsfw_checker": "yes"}, 422, "nsfw_checker"),
    ],
)
async def test_wrong_input_is_refused(caller: Caller, changes: dict[str, Json], code: int, word: str) -> None:
    got, msg = await caller.refused(PRO, **changes)
    assert got == code
    assert word in msg
    assert not caller.kie.tasks


@pytest.mark.parametrize(("urls", "code"), [(None, 500), ([], 500), (["u"] * 9, 422), ("u", 422), ([1], 422)])
async def test_references_are_needed_and_at_most_eight(caller: Caller, urls: Json, code: int) -> None:
    got, msg = await caller.refused(PRO_EDIT, input_urls=urls)
    assert got == code
    assert "input_urls" in msg


async def test_unknown_models_routes_and_tasks(caller: Caller) -> None:
    assert (await caller.refused("flux-9/pro"))[0] == 404
    assert await caller.get(RECORD, taskId="nope") == {
        "code": 422,
        "msg": "recordInfo is null",
        "data": None,
    }
    async with caller.session.get(f"{caller.kie.base_url}/api/v1/nowhere") as response:
        assert response.status == 404
        assert (await response.json())["code"] == 404
    async with caller.session.post(caller.kie.base_url + CREATE, data=b"{") as response:
        assert (await response.json())["code"] == 400


async def test_too_many_new_tasks_are_refused_until_the_window_has_passed() -> None:
    clock = FakeClock()
    async with open_caller(KieStandIn(create_limit=2, create_window=10, clock=clock)) as caller:
        await caller.create()
        clock.now += 5
        await caller.create()
        assert (await caller.refused())[0] == 429
        clock.now += 5
        await caller.create()
        assert (await caller.refused())[0] == 429


async def test_too_many_running_tasks_are_refused_until_one_ends() -> None:
    clock = FakeClock()
    async with open_caller(KieStandIn(durations=30, running_limit=2, clock=clock)) as caller:
        await caller.create()
        await caller.create()
        assert (await caller.refused())[0] == 429
        clock.now += 30
        await caller.create()


async def test_a_balance_too_small_is_refused() -> None:
    async with open_caller(KieStandIn(credits=Decimal(11))) as caller:
        await caller.create(resolution="2K")
        assert (await caller.refused())[0] == 402
        assert (await caller.get(CREDIT))["data"] == 4.0
