"""The price of the prompt helper: seen on the box, paid once for what is shown, and for nothing else."""

import asyncio
import json
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest
import simcord
from aiohttp import web

from bot.config.sections import AssistantConfig, PricesConfig
from bot.domain.credits import Allowance, Period
from bot.domain.errors import PriceChanged
from bot.domain.ids import GuildId, UserId
from bot.domain.rules import Rule, Scope
from bot.quota.service import Change
from bot.store.audit import audit
from bot.ui.texts.forms import REWORDINGS_HIDDEN
from bot.ui.texts.refusals import refusal
from demo.assistant import AssistantStandIn
from tests.database import execute, fresh_database
from tests.stories.components import fields_of, new_card, private_answer
from tests.stories.images import fetched
from tests.stories.quota_actions import quota
from tests.stories.rendered import rendered
from tests.stories.restartable_bot import BotOptions
from tests.stories.story_world import StoryWorld, balance, response_of
from tests.stories.test_dear_requests import card_of
from tests.stories.test_privacy import erased, exported, months_later
from tests.waiting import until

MINE, THREE = "make it winter", ["deep snow on every roof", "a frozen lake at dawn", "thick ice and long shadows"]
BOX = "Improve my prompt · 3 credits"
FORM: dict[str, Any] = {"prompt": MINE, "model": ["pro"], "ratio": ["auto"], "options": ["improve.3000"]}
CHARGED, REFUNDED = ("rewording", Decimal(-3)), ("rewording", Decimal(3))
PAID = [("reserve", Decimal(-5)), ("settle", Decimal(0))]


@pytest.fixture
async def assistant() -> AsyncGenerator[AssistantStandIn, None]:
    async with AssistantStandIn(json.dumps(THREE)) as assistant:
        yield assistant


@pytest.fixture
def bot_options(assistant: AssistantStandIn) -> BotOptions:
    endpoint = {"base_url": assistant.base_url, "model": "small", "price": 3}
    return BotOptions(assistant=AssistantConfig.model_validate(endpoint))


async def improve(world: StoryWorld) -> simcord.InteractionResult:
    """Bob edits a card of Alice's, and asks for other words."""
    opened = await world.bob.click(await new_card(world), label="Edit")
    assert [option["label"] for option in fields_of(opened)["options"]["options"]][1] == BOX
    return await world.bob.submit_modal(opened, FORM)


def sound(world: StoryWorld) -> bool:
    return list(audit(fresh_database(world.folder), world.clock.now())) == []


async def test_it_is_paid_once_and_told_wherever_money_is(world: StoryWorld) -> None:
    message = response_of(await improve(world))
    assert "The button you press makes the image: 5 credits." in rendered(message).text
    assert "You paid 3 credits for the suggestions." in rendered(message).text
    assert world.ledger(world.bob) == [CHARGED]
    for label in ("2", "Keep mine"):
        await world.outcome(await world.bob.click(message, label=label))
    assert world.ledger(world.bob) == [CHARGED, *PAID, *PAID]
    assert execute(world.folder, "SELECT charge_id FROM drafts") == [(None,)]
    shown = (await balance(world, world.bob)).text
    assert "−3 spent · prompt suggestions" in shown
    assert "37" in shown
    log = rendered(response_of(await world.admin.slash(world.channel, "quota log", member=world.bob)))
    assert "−3 · prompt suggestions" in log.text
    report = (await world.admin.slash(world.channel, "quota report", period="day")).response
    assert report is not None
    await until(lambda: report.message.attachments, what="the report")
    assert "**18 credits** · 3 images · 2 members" in rendered(report).text
    assert "13 credits · 2 images" in rendered(report).text
    assert b",bob,suggestions,,0,3,delivered," in await fetched(report.message.attachments[1].url)
    assert "rewording" in (await exported(world, world.bob))["credits.csv"]
    assert sound(world)


@pytest.mark.parametrize(
    "answer",
    ["I can't help with that.", web.Response(status=500), json.dumps(THREE[:2])],
    ids=["declined", "broken", "two"],
)
async def test_what_brings_no_three_suggestions_costs_nothing(
    world: StoryWorld, assistant: AssistantStandIn, answer: str | web.Response
) -> None:
    assistant.answer = answer
    assert "Nothing was charged." in rendered(response_of(await improve(world))).text
    assert world.ledger(world.bob) == []


async def test_who_cannot_pay_for_words_and_image_is_refused_before_anything_is_sent(
    world: StoryWorld, assistant: AssistantStandIn
) -> None:
    await quota(world, "set-member", member=world.bob, credits=7, period="day")
    told = private_answer(await improve(world)).text
    assert told.startswith("This costs 8 credits, but your allowance is only 7. Nothing was charged.")
    assert "pro at 1K (5 credits)" in told
    assert assistant.requests == []


async def test_a_limit_that_is_reached_meanwhile_refuses_and_charges_nothing(
    world: StoryWorld, assistant: AssistantStandIn
) -> None:
    assistant.held = asyncio.Event()
    asked = asyncio.create_task(improve(world))
    await until(lambda: assistant.requests, what="the prompt to be sent")
    change = Change(GuildId(world.env.guild.id), UserId(world.admin.id))
    pool = Rule(Scope.POOL, 0, Allowance(Decimal(7), Period.DAY))
    await world.app.client.services.quotas.put_rule(change, pool)
    assistant.held.set()
    assert "server pool has 2 credits left, but this costs 8" in private_answer(await asked).text
    assert world.ledger(world.bob) == []
    assert execute(world.folder, "SELECT count(*) FROM drafts") == [(0,)]


async def test_another_price_than_stood_on_the_box_is_not_taken(world: StoryWorld, assistant: AssistantStandIn) -> None:
    opened = await world.bob.click(await new_card(world), label="Edit")
    dearer = world.bot.config.assistant.model_copy(update={"price": Decimal(4)})
    world.bot.config = world.bot.config.model_copy(update={"assistant": dearer})
    await world.restart()
    assert private_answer(await world.bob.submit_modal(opened, FORM)).text == refusal(PriceChanged())
    assert (assistant.requests, world.ledger(world.bob)) == ([], [])


async def test_what_could_not_be_shown_is_given_back(world: StoryWorld) -> None:
    world.env.inject_error("PATCH", "/webhooks/*/*/messages/@original", status=404, code=10008, times=1)
    await improve(world)
    assert world.ledger(world.bob) == [CHARGED, REFUNDED]
    assert sound(world)


async def test_suggestions_that_discord_refuses_to_show_are_given_back(world: StoryWorld) -> None:
    world.env.inject_error("PATCH", "/webhooks/*/*/messages/@original", status=400, code=200000, times=1)
    message = response_of(await improve(world))
    shown = rendered(message)
    assert (shown.buttons, REWORDINGS_HIDDEN in shown.text, "You paid" in shown.text) == (("Keep mine",), True, False)
    assert world.ledger(world.bob) == [CHARGED, REFUNDED]
    await world.outcome(await world.bob.click(message, label="Keep mine"))
    assert world.ledger(world.bob) == [CHARGED, REFUNDED, *PAID]


async def test_what_a_process_that_died_did_not_show_is_given_back_once(world: StoryWorld) -> None:
    await improve(world)
    ((row,),) = execute(world.folder, "SELECT id FROM ledger WHERE movement = 'rewording'")
    # Of the steps, the last one is missing: that it was shown.
    execute(world.folder, "UPDATE drafts SET charge_id = ?", (row,))
    await world.restart()
    assert world.ledger(world.bob) == [CHARGED], "its process may still show it"
    world.clock.advance(17 * 60)
    for _ in range(2):
        await world.restart()
        await until(lambda: world.ledger(world.bob) == [CHARGED, REFUNDED], what="the refund")
    assert "+3 refunded · prompt suggestions" in (await balance(world, world.bob)).text
    assert sound(world)


async def test_erasing_a_member_keeps_what_their_suggestions_cost_without_them(world: StoryWorld) -> None:
    await quota(world, "set-member", member=world.bob, credits=2, period="day")
    await quota(world, "grant", member=world.bob, credits=20, reason="welcome")
    await improve(world)
    assert execute(world.folder, "SELECT bonus FROM ledger WHERE movement = 'rewording'") == [(-1000,)]
    await erased(world, world.bob)
    assert (CHARGED in world.ledger(world.bob), sound(world)) == (True, True)
    await months_later(world)
    assert (world.ledger(world.bob), sound(world)) == ([], True)
    assert execute(world.folder, "SELECT credits FROM ledger WHERE movement = 'rewording'") == [(-3000,)]


async def test_another_price_of_the_image_than_the_panel_named_is_asked_about(world: StoryWorld) -> None:
    message = response_of(await improve(world))
    world.bot.config = world.bot.config.model_copy(update={"prices": PricesConfig(pro_1k=Decimal(6))})
    await world.restart()
    question = response_of(await world.bob.click(message, label="1"))
    assert question.ephemeral
    assert "The price has changed: it's 6 credits now." in rendered(question).text
    await world.bob.click(question, label="No")
    assert world.ledger(world.bob) == [CHARGED]
    question = response_of(await world.bob.click(message, label="1"))
    made = await card_of(world, await world.bob.click(question, label="Make · 6 credits"))
    assert rendered(made).headline == f"**{THREE[0]}**"
    assert world.ledger(world.bob)[1] == ("reserve", Decimal(-6))
