"""The prompt helper: three rewordings to choose from, of which a press starts one."""

import json
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import simcord
from aiohttp import web

from bot.config.sections import AssistantConfig
from bot.domain.assistant import WordingUsed
from bot.domain.errors import DraftGone, MayNotPost
from bot.ui.texts.refusals import refusal
from demo.assistant import AssistantStandIn
from demo.kie import KieStandIn
from tests.database import execute
from tests.stories.components import (
    custom_id_of,
    fields_of,
    forge,
    new_card,
    press_at_once,
    press_forged,
    private_answer,
)
from tests.stories.images import png
from tests.stories.kie_calls import references_used
from tests.stories.quota_actions import quota
from tests.stories.rendered import rendered
from tests.stories.restartable_bot import BotOptions
from tests.stories.story_world import PAID, StoryWorld, response_of
from tests.waiting import until

FORM: dict[str, Any] = {"model": ["pro"], "ratio": ["auto"], "options": ["improve"]}
KEY = "assistant-key-that-nobody-may-read"
MINE = "make it winter"
THREE = ["deep snow on every roof", "a frozen lake at dawn", "thick ice and long shadows"]


@pytest.fixture
async def assistant() -> AsyncGenerator[AssistantStandIn, None]:
    async with AssistantStandIn(json.dumps(THREE)) as assistant:
        yield assistant


@pytest.fixture
def bot_options(assistant: AssistantStandIn) -> BotOptions:
    endpoint = {"base_url": assistant.base_url, "api_key": KEY, "model": "small", "per_hour": 3}
    return BotOptions(assistant=AssistantConfig.model_validate(endpoint))


async def improve(
    world: StoryWorld, card: Any, prompt: str = MINE, by: simcord.MemberActor | None = None, **answers: Any
) -> simcord.ResponseMessage:
    """Bob, or somebody else, edits a card and asks for other words: what only they see."""
    member = by or world.bob
    opened = await member.click(card, label="Edit")
    result = await member.submit_modal(opened, {"prompt": prompt, **FORM, **answers})
    message = response_of(result)
    assert message.ephemeral
    return message


async def test_a_press_makes_the_image_with_the_chosen_words(
    world: StoryWorld, kie: KieStandIn, assistant: AssistantStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    card = await new_card(world)
    message = await improve(world, card, options=["2K", "improve"], files=[("hat.png", png())])
    shown = rendered(message)
    assert [f"**{number}** · {text}" in shown.text for number, text in enumerate(THREE, start=1)] == [True] * 3
    assert MINE in shown.text
    assert "7 credits" in shown.text
    assert shown.buttons == ("1", "2", "3", "Keep mine")
    assert world.ledger(world.bob) == []
    assert len(kie.tasks) == 1

    ((key, body),) = assistant.requests
    assert key == f"Bearer {KEY}"
    assert body["model"] == "small"
    assert [part["content"] for part in body["messages"]][1:] == [MINE]
    assert "change images" in body["messages"][0]["content"]

    made = await world.outcome(await world.bob.click(message, label="2"))
    assert made.headline == f"**{THREE[1]}**"
    assert "2K" in made.small_print
    assert not made.ephemeral
    assert len(references_used(kie)) == 2
    assert world.ledger(world.bob) == [("reserve", Decimal(-7)), ("settle", Decimal(0))]
    logged = capsys.readouterr().out
    assert KEY not in logged
    assert MINE not in logged
    assert THREE[1] not in logged


async def test_each_choice_counts_once_also_after_a_restart(world: StoryWorld) -> None:
    message = await improve(world, await new_card(world))
    await press_at_once(world, message.message, "1", world.bob, world.bob)
    await until(lambda: world.ledger(world.bob) == PAID, what="one image")
    await world.restart()
    assert private_answer(await world.bob.click(message, label="1")).text == refusal(WordingUsed())
    assert (await world.outcome(await world.bob.click(message, label="Keep mine"))).headline == f"**{MINE}**"
    assert world.ledger(world.bob) == PAID * 2

    ((draft_id,),) = execute(world.folder, "SELECT id FROM drafts")
    execute(world.folder, "DELETE FROM drafts WHERE id = ?", (draft_id,))
    assert private_answer(await world.bob.click(message, label="3")).text == refusal(DraftGone())


async def test_the_wrong_member_and_a_forged_number_start_nothing(world: StoryWorld) -> None:
    card = await new_card(world)
    message = await improve(world, card)
    third = custom_id_of(message, "3")
    for custom_id, by in ((third, world.admin), (third[:-1] + "9", world.bob)):
        forge(world, card, "Again", custom_id)
        assert private_answer(await press_forged(world, by, card, custom_id)).text == refusal(DraftGone())
    assert world.ledger(world.bob) == world.ledger(world.admin) == []


async def test_a_choice_that_cannot_be_paid_can_be_made_again(world: StoryWorld) -> None:
    message = await improve(world, await new_card(world))
    await quota(world, "set-member", member=world.bob, period="none")
    assert "no credits" in world.refusal(await world.bob.click(message, label="1")).text
    await quota(world, "set-member", member=world.bob, period="unlimited")
    await world.outcome(await world.bob.click(message, label="1"))

    assert [entry for entry in world.ledger(world.bob) if entry[0] != "rule"] == PAID


async def test_a_choice_that_does_not_reach_discord_can_be_made_again(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object, **__: object) -> None:
        raise aiohttp.ClientConnectionError

    message = await improve(world, await new_card(world))
    with monkeypatch.context() as patch:
        patch.setattr("bot.ui.acknowledger._open_card", unreachable)
        world.expected_logs.append("unexpected error")
        await world.bob.click(message, label="1")
    await world.outcome(await world.bob.click(message, label="1"))

    assert world.ledger(world.bob) == PAID


async def test_nobody_is_asked_for_words_that_could_not_be_used(world: StoryWorld, assistant: AssistantStandIn) -> None:
    card = await new_card(world)
    await quota(world, "set-member", member=world.bob, period="none")
    opened = await world.bob.click(card, label="Edit")
    assert "no credits" in private_answer(await world.bob.submit_modal(opened, {"prompt": MINE, **FORM})).text
    opened = await world.alice.click(card, label="Edit")
    world.deny_bot("attach_files")
    refused = await world.alice.submit_modal(opened, {"prompt": MINE, **FORM})
    assert private_answer(refused).text == refusal(MayNotPost())

    assert assistant.requests == []


async def test_without_the_tick_the_form_starts_at_once(world: StoryWorld, assistant: AssistantStandIn) -> None:
    card = await new_card(world)
    opened = await world.bob.click(card, label="Edit")
    assert [option["label"] for option in fields_of(opened)["options"]["options"]][1] == "Improve my prompt"
    await world.outcome(await world.bob.submit_modal(opened, {"prompt": MINE, **FORM, "options": []}))

    assert assistant.requests == []
    assert world.ledger(world.bob) == PAID


async def test_another_prompt_for_a_failed_request_keeps_its_references_and_count(
    world: StoryWorld, kie: KieStandIn, assistant: AssistantStandIn
) -> None:
    command = await world.imagine("[moderated] a boat", image=("boat.png", png()), count=2, by=world.bob, private=True)
    await world.outcome(command)
    opened = await world.bob.click(response_of(command), label="Edit prompt")
    submitted = await world.bob.submit_modal(opened, {"prompt": "a ||boat||", **FORM, "count": ["2"]})
    made = await world.outcome(await world.bob.click(response_of(submitted), label="3"))

    assert assistant.requests[0][1]["messages"][1]["content"] == "a boat"
    assert made.ephemeral
    assert made.headline == f"||**{THREE[2]}**||"
    assert len(made.images) == 2
    assert len(references_used(kie)) == 1


async def test_privacy_says_who_gets_a_prompt(world: StoryWorld) -> None:
    assert (
        "A text service gets your prompt" in rendered(response_of(await world.bob.slash(world.channel, "privacy"))).text
    )


async def test_the_message_menu_offers_it_too(world: StoryWorld) -> None:
    above = await world.alice.send(world.channel, "look", attachments=[("boat.png", png())])
    opened = await world.bob.context_menu(world.channel, "Edit image", above)
    submitted = await world.bob.submit_modal(opened, {"prompt": MINE, **FORM})
    made = await world.outcome(await world.bob.click(response_of(submitted), label="1"))

    assert made.headline == f"**{THREE[0]}**"


@pytest.mark.parametrize("answer", ["I can't help with that.", web.Response(status=500)], ids=["declined", "broken"])
async def test_without_proposals_the_members_own_words_can_be_used(
    world: StoryWorld, assistant: AssistantStandIn, answer: str | web.Response
) -> None:
    assistant.answer = answer
    message = await improve(world, await new_card(world))
    shown = rendered(message)
    assert "Nothing was charged." in shown.text
    assert shown.buttons == ("Keep mine",)

    assert (await world.outcome(await world.bob.click(message, label="Keep mine"))).headline == f"**{MINE}**"


async def test_a_member_may_use_it_so_often_in_an_hour(world: StoryWorld, assistant: AssistantStandIn) -> None:
    card = await new_card(world)
    for _ in range(3):
        assert "2" in rendered(await improve(world, card)).buttons
    assert "used this a lot" in rendered(await improve(world, card)).text
    assert "2" in rendered(await improve(world, card, by=world.alice)).buttons
    assert len(assistant.requests) == 4
    world.clock.advance(3601)
    assert "2" in rendered(await improve(world, card)).buttons
