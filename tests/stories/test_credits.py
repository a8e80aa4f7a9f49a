from decimal import Decimal

import pytest
import simcord

from bot.ui.cards import BLURPLE
from demo.kie import Never
from tests.kie.schema import caused
from tests.stories.stage import Stage, balance, given
from tests.waiting import until


async def test_the_balance_before_and_after(stage: Stage) -> None:
    before = await balance(stage, stage.alice)
    assert before.colour == BLURPLE
    assert before.ephemeral
    title, prices, movements = before.texts
    assert title.startswith("### Your credits\n**50** of 50 left today · 50 credits a day · renews <t:")
    assert prices.splitlines()[1:] == [
        "pro · fast · 5 credits (7 at 2K)",
        "flex · finest detail and text · 14 credits (24 at 2K)",
    ]
    assert movements.splitlines()[1:] == ["-# None yet. Make a picture with /imagine."]

    await stage.delivered("a red fox in snow")
    await stage.delivered("a lighthouse [broken]", model="flex")
    after = await balance(stage, stage.alice)

    title, _, movements = after.texts
    assert "**45** of 50 left today" in title
    back, spent_in_vain, spent = movements.splitlines()[1:]
    assert back.startswith("-# +14 given back · flux-2 flex 1K · <t:")
    assert spent_in_vain.startswith("-# −14 spent · flux-2 flex 1K · <t:")
    assert spent.startswith("-# −5 spent · flux-2 pro 1K · <t:")
    assert len(stage.cards()) == 2


async def test_a_balance_is_nobody_elses(stage: Stage) -> None:
    await stage.delivered()

    assert "**50** of 50" in (await balance(stage, stage.bob)).text


@given(credits=10)
async def test_the_allowance_is_used_up(stage: Stage) -> None:
    await stage.delivered()
    told = await stage.refusal(await stage.imagine(resolution="2K"))

    sentence, _, renewal = told.text.partition(" You get more ")
    assert sentence == "This costs 7 credits, you have 5 left: 2 are missing. Still within reach: pro at 1K for 5."
    assert renewal.startswith("<t:")
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5)), ("settle", Decimal(0))]
    assert len(stage.cards()) == 1

    again = await stage.delivered()
    assert again.small_print[-1] == "5 credits"


@given(credits=10)
async def test_what_is_being_painted_is_spent_already(stage: Stage) -> None:
    stage.kie.script.next_tasks(Never())
    await stage.imagine(count=2)
    told = await stage.refusal(await stage.imagine())

    assert told.text.startswith("This costs 5 credits, you have 0 left: 5 are missing.")


@given(open_generations=2)
async def test_too_many_open_wishes(stage: Stage) -> None:
    stage.kie.script.next_tasks(Never(), Never())
    await stage.imagine("one")
    await stage.imagine("two")
    told = await stage.refusal(await stage.imagine("three"))

    assert told.text == (
        "You have 2 open wishes, which is the most at once. Wait for one to finish. Nothing was charged."
    )
    await until(lambda: len(stage.kie.tasks) == 2, what="both tasks to be at KIE")
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5))] * 2
    assert (await stage.delivered("mine", by=stage.bob)).pictures


async def test_a_prompt_of_blanks_is_too_short(stage: Stage) -> None:
    told = await stage.refusal(await stage.imagine("  a  "))

    assert told.text == "A prompt has 3 to 5,000 characters, and yours has 1. Nothing was charged."
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


@pytest.mark.parametrize("prompt", ["ab", "a" * 5001], ids=["too short", "too long"])
async def test_discord_itself_holds_the_prompt_to_its_length(stage: Stage, prompt: str) -> None:
    with pytest.raises(simcord.OptionError):
        await stage.imagine(prompt)


async def test_auto_needs_a_picture(stage: Stage) -> None:
    told = await stage.refusal(await stage.imagine(aspect_ratio="auto"))

    assert told.text == (
        "The aspect ratio “auto” follows a picture. Attach one or choose another ratio. Nothing was charged."
    )
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []
