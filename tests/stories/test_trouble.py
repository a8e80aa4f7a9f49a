"""What breaks on our side or at Discord."""

import re
from decimal import Decimal

import discord

from demo.kie import Succeed
from tests.kie.schema import caused
from tests.stories.seen import seen
from tests.stories.stage import Stage
from tests.waiting import until

BROKEN = re.compile(r"Something broke on our side \(ref [0-9a-z]+\)\. Nothing was charged\.")


async def test_what_nobody_expected_is_told_with_a_reference(stage: Stage) -> None:
    stage.expected_errors.append(discord.HTTPException)
    stage.expected_logs.append("an interaction failed")
    stage.env.inject_error("PATCH", "/webhooks/*/messages/@original")
    told = await stage.refusal(await stage.alice.slash(stage.channel, "balance"))

    assert BROKEN.fullmatch(told.text)


async def test_an_acknowledgement_that_fails_costs_nothing(stage: Stage) -> None:
    stage.expected_errors.append(discord.HTTPException)
    stage.expected_logs.append("an interaction failed")
    stage.env.inject_error("POST", "/interactions/*/callback")
    told = await stage.refusal(await stage.imagine())

    assert BROKEN.fullmatch(told.text)
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


async def test_an_interaction_that_is_gone_costs_nothing(stage: Stage) -> None:
    stage.expected_errors.append(discord.NotFound)
    stage.env.inject_error("POST", "/interactions/*/callback", status=404, code=10062, times=None)
    asked = await stage.imagine()

    assert asked.response is None
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


async def test_an_outcome_that_discord_did_not_take_is_told_again(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.6))
    asked = await stage.imagine()
    response = asked.response
    assert response is not None
    await until(lambda: "🎨" in seen(response).text and not seen(response).buttons, what="KIE to paint")
    stage.env.inject_error("PATCH", f"/webhooks/*/messages/{response.id}")
    card = await stage.outcome(asked)

    assert len(card.pictures) == 1
    assert stage.env.backend.faults == []
    assert len(stage.cards()) == 1
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5)), ("settle", Decimal(0))]


async def test_a_private_wish_is_refused_privately(stage: Stage) -> None:
    told = await stage.refusal(await stage.imagine(aspect_ratio="auto", private=True))

    assert told.text.startswith("The aspect ratio “auto” follows a picture.")
    assert len(stage.channel.history(viewer=stage.alice)) == 1
