"""What a member without credits is told: what is missing, when it renews, and what is still within reach."""

import re
from typing import Any

import pytest

from tests.stories.begging import requests_go_to
from tests.stories.managing import quota
from tests.stories.pictures import png
from tests.stories.pressing import made
from tests.stories.seen import seen
from tests.stories.stage import Stage, given


@given(credits=30)
@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            {"model": "flex", "resolution": "2K"},
            (
                "This costs 24 credits, you have 15 left: 9 are missing."
                " Still within reach: flex at 1K for 14, or pro at 2K for 7."
            ),
        ),
        (
            {"model": "flex", "count": 2},
            (
                "This costs 28 credits, you have 15 left: 13 are missing."
                " Still within reach: 2 × pro at 1K for 10, or flex at 1K for 14."
            ),
        ),
        (
            {"resolution": "2K", "count": 3},
            (
                "This costs 21 credits, you have 15 left: 6 are missing."
                " Still within reach: 3 × pro at 1K for 15, or pro at 2K for 7."
            ),
        ),
        (
            {"count": 4},
            "This costs 20 credits, you have 15 left: 5 are missing. Still within reach: pro at 1K for 5.",
        ),
        (
            {"model": "flex", "resolution": "2K", "count": 4},
            (
                "This costs 96 credits, more than your whole allowance of 30; you have 15 left."
                " Still within reach: pro at 2K for 7"
            ),
        ),
    ],
)
async def test_what_is_missing_and_what_is_within_reach(stage: Stage, wanted: dict[str, Any], told: str) -> None:
    await stage.delivered(count=3)
    answer = (await stage.refusal(await stage.imagine(**wanted))).text

    if "whole allowance" not in told:
        assert answer.startswith(told)
        assert re.search(r" You get more <t:\d+:R>\. Nothing was charged\.$", answer)
    else:
        assert answer.startswith(told.partition(" Still")[0])
        assert "Still within reach" in answer


@given(credits=5)
async def test_with_nothing_left_it_says_when_there_is_more(stage: Stage) -> None:
    await stage.delivered()
    answer = (await stage.refusal(await stage.imagine())).text

    assert re.fullmatch(
        r"This costs 5 credits, you have 0 left: 5 are missing\. You get more <t:\d+:R>\. Nothing was charged\.", answer
    )


@given(credits=20)
async def test_what_is_said_to_be_within_reach_is(stage: Stage) -> None:
    answer = (await stage.refusal(await stage.imagine(model="flex", resolution="2K"))).text
    assert "flex at 1K for 14" in answer
    await stage.delivered(model="flex")

    assert stage.ledger(stage.alice)[-1][0] == "settle"


@given(credits=12)
async def test_a_refused_button_and_modal_carry_ask_for_more(stage: Stage) -> None:
    await requests_go_to(stage)
    card = await made(stage)
    await made(stage)
    edit = await stage.alice.click(card, label="Edit")
    again = await stage.alice.click(card, label="Again")
    sent_off = await stage.alice.submit_modal(
        edit, {"prompt": "at night", "model": ["pro"], "resolution": ["1K"], "ratio": ["auto"]}
    )
    typed = await stage.imagine(image=("a.png", png()))

    for asked in (again, sent_off, typed):
        assert (await stage.refusal(asked)).buttons == ("Ask for more",)


@given(credits=12)
async def test_a_refusal_for_another_reason_has_no_such_button(stage: Stage) -> None:
    admins = await requests_go_to(stage)
    await quota(stage, "pool", credits=1, period="day")
    assert (await stage.refusal(await stage.imagine())).buttons == ()
    await quota(stage, "pool", period="unlimited")
    await quota(stage, "settings", allow_channel=admins)

    assert (await stage.refusal(await stage.imagine())).buttons == ()


@given(credits=3)
async def test_in_a_private_wish_the_refusal_is_private_too(stage: Stage) -> None:
    await requests_go_to(stage)
    asked = await stage.imagine(private=True)

    (answer,) = asked.followups
    assert answer.ephemeral
    assert seen(answer).buttons == ("Ask for more",)
