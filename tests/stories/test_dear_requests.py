"""Who wants to be asked before a request costs more than they named is asked, and pays nothing without a yes."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
import simcord

from bot.config.sections import PricesConfig
from bot.domain.errors import DraftGone, PriceChanged, QuestionGone
from bot.ui.acknowledger import Acknowledger
from bot.ui.texts.cards import INTERRUPTED
from bot.ui.texts.refusals import refusal
from tests.database import execute
from tests.stories.components import (
    NOT_YOURS,
    custom_id_of,
    forge,
    forge_modal,
    new_card,
    press_at_once,
    press_forged,
    private_answer,
)
from tests.stories.images import png
from tests.stories.kie_calls import task_bodies
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld, bot_with, has_ended, response_of
from tests.stories.test_preferences import prefer
from tests.stories.test_styles import add_style
from tests.waiting import until

YES, NO = "Make · 10 credits", "No"
TWO_PAID = [("reserve", Decimal(-5))] * 2 + [("settle", Decimal(0))] * 2
QUESTION = "Make this? You asked me to check first, in /preferences. Nothing is charged yet."


async def ask(world: StoryWorld, **options: Any) -> simcord.ResponseMessage:
    """Alice wants to be asked above 5 credits, and asks for images that cost 10."""
    await prefer(world, world.alice, {"confirm_above": "5"})
    return response_of(await world.imagine("a **castle**", count=2, **options))


def message_ids(world: StoryWorld) -> set[int]:
    """All messages that Discord has, private ones too."""
    return {message.id for message in world.env.backend.messages[world.channel.id].values()}


async def card_of(world: StoryWorld, press: simcord.InteractionResult) -> simcord.ResponseMessage:
    """The card that a yes opens, with its outcome."""
    (card,) = press.followups
    await until(lambda: has_ended(rendered(card)), what="the outcome")
    await world.rest()
    return card


@pytest.mark.parametrize("private", [False, True])
async def test_a_dear_command_is_asked_about_and_made_after_a_yes(world: StoryWorld, *, private: bool) -> None:
    question = await ask(world, private=private, image=("boat.png", png()))
    shown = rendered(question)
    assert shown.ephemeral
    assert shown.texts == (r"**a \*\*castle\*\***", "-# 2 × FLUX.2 Pro · 1K · from 1 image · 10 credits", QUESTION)
    assert shown.buttons == (YES, NO)
    world.check_nothing_started()

    card = rendered(await card_of(world, await world.alice.click(question, label=YES)))
    assert card.ephemeral == private
    assert card.small_print[1:4] == ["2 × FLUX.2 Pro", "1K", "from 1 image"]
    assert len(card.images) == 2
    assert world.ledger(world.alice) == TWO_PAID
    assert question.id not in message_ids(world), "the question is gone"


async def test_what_costs_less_is_made_at_once(world: StoryWorld) -> None:
    await prefer(world, world.alice, {"confirm_above": "5"})
    await world.delivered()
    await world.answer(await world.mention_bot("a castle"))
    assert world.ledger(world.alice, server=True).count(("settle", Decimal(0))) == 2


async def test_two_presses_at_once_make_one(world: StoryWorld) -> None:
    question = await ask(world)
    presses = await press_at_once(world, question.message, YES, world.alice, world.alice)
    await until(lambda: world.ledger(world.alice) == TWO_PAID, what="the images")
    await world.rest()

    (refused,) = [press for press in presses if not press.followups]
    assert private_answer(refused).text == refusal(QuestionGone())


async def test_the_next_process_takes_the_yes(world: StoryWorld) -> None:
    question = await ask(world)
    await world.restart()
    await card_of(world, await world.alice.click(question, label=YES))

    assert world.ledger(world.alice) == TWO_PAID


async def test_a_card_that_a_process_opened_and_did_not_record_says_that_it_was_interrupted(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = await ask(world)
    with monkeypatch.context() as patch:
        patch.setattr(Acknowledger, "_with_message", die)
        press = await world.alice.click(question, label=YES)
    await world.restart()
    (card,) = press.followups
    await until(lambda: INTERRUPTED in rendered(card).text, what="the report")
    world.check_nothing_started()


async def die(*_: object) -> None:
    raise asyncio.CancelledError


async def test_a_no_is_the_end_of_it(world: StoryWorld) -> None:
    question = await ask(world)
    yes = custom_id_of(question, YES)
    await world.alice.click(question, label=NO)
    assert execute(world.folder, "SELECT count(*) FROM drafts") == [(0,)]
    another = response_of(await world.imagine("a hut", count=2))
    forge(world, another, YES, yes)

    assert private_answer(await world.alice.click(another, label=YES)).text == refusal(QuestionGone())
    world.check_nothing_started()


async def test_nobody_else_takes_it_and_no_other_message_does(world: StoryWorld) -> None:
    yes = custom_id_of(await ask(world), YES)
    card = await new_card(world, by=world.bob)
    await prefer(world, world.bob, {"confirm_above": "5"})
    bobs = response_of(await world.imagine("a hut", by=world.bob, count=2))
    for message, label, who, answer in [
        (bobs, YES, world.bob, NOT_YOURS),
        (card, "Again", world.alice, refusal(QuestionGone())),
    ]:
        forge(world, message, label, yes)
        assert private_answer(await press_forged(world, who, message, yes)).text == answer

    assert world.ledger(world.alice) == []


async def test_another_price_than_the_question_named_is_not_paid(world: StoryWorld) -> None:
    question = await ask(world)
    world.bot.config = world.bot.config.model_copy(update={"prices": PricesConfig(pro_1k=Decimal(6))})
    await world.restart()
    press = await world.alice.click(question, label=YES)

    assert private_answer(press).text == refusal(PriceChanged())
    world.check_nothing_started()


@bot_with(credits=6)
async def test_a_yes_that_is_refused_is_told_privately(world: StoryWorld) -> None:
    question, before = await ask(world), world.messages()
    press = await world.alice.click(question, label=YES)

    (told,) = [rendered(message) for message in press.followups if message.id in message_ids(world)]
    assert told.ephemeral
    assert told.text.startswith("This costs 10 credits, but your allowance is only 6.")
    assert world.messages() == before, "the card that it opened is gone"
    world.check_nothing_started()


async def test_a_dear_message_is_asked_about_with_its_price(world: StoryWorld) -> None:
    await prefer(world, world.alice, {"count": "2", "confirm_above": "5"})
    message = await world.mention_bot("a castle")
    (question,) = world.answers(message)
    assert rendered(question).text == "-# Make 2 images from this?"
    assert rendered(question).buttons == (YES, NO)
    world.check_nothing_started()

    await world.alice.click(question, label=YES)
    assert len(rendered(await world.answer(message)).images) == 2
    assert world.ledger(world.alice) == TWO_PAID


async def test_where_nothing_may_be_posted_nothing_is_asked(world: StoryWorld) -> None:
    await prefer(world, world.alice, {"confirm_above": "0"})
    world.deny_bot("attach_files")
    message = await world.mention_bot("a castle")

    (answer,) = world.answers(message)
    assert rendered(answer).text.startswith("I'm not allowed to post images here")
    assert world.refusal(await world.imagine()).text.startswith("I'm not allowed to post images here")
    assert execute(world.folder, "SELECT count(*) FROM drafts") == [(0,)]


@bot_with(credits=100)
@pytest.mark.parametrize("removed", ["style", "references"])
async def test_what_was_agreed_to_is_made_also_when_its_style_is_gone_but_not_without_its_images(
    world: StoryWorld, removed: str
) -> None:
    await prefer(world, world.alice, {"resolution": "2K", "count": "2", "confirm_above": "5"})
    await add_style(world, world.alice, model=["flex"], ratio=["16:9"])
    cat = ("cat.png", png((9, 9, 200)))
    await world.alice.slash(world.channel, "references add", name="my cat", image=cat)
    options: dict[str, Any] = {"style": "own:Linocut", "references": "own:my cat", "image": ("boat.png", png())}
    question = response_of(await world.imagine("a castle", **options))
    facts = "-# 2 × FLUX.2 Flex · 16:9 · 2K · from 2 images · style: Linocut · 48 credits"
    assert rendered(question).texts[1] == facts
    await world.alice.slash(world.channel, f"{removed} remove", name=options[removed])
    await world.restart()
    pressed = await world.alice.click(question, label="Make · 48 credits")

    if removed == "references":
        assert "my cat" in world.refusal(pressed).text
        world.check_nothing_started()
        return
    card = rendered(await card_of(world, pressed))
    assert card.small_print[1:] == [
        "2 × FLUX.2 Flex",
        "16:9",
        "2K",
        "from 2 images",
        "style: Linocut",
        *card.small_print[6:],
    ]
    assert card.small_print[-1] == "48 credits"
    assert {body["input"]["prompt"] for body in task_bodies(world.kie)} == {"A linocut of a castle, two colours"}
    assert [amount for kind, amount in world.ledger(world.alice) if kind == "reserve"] == [Decimal(-24)] * 2


async def test_a_question_without_images_is_no_reference_set(world: StoryWorld) -> None:
    number = custom_id_of(await ask(world), YES).split(":")[2]
    photo = await world.alice.send(world.channel, attachments=[("cat.png", png())])
    opened = await world.alice.context_menu(world.channel, "Save as references", photo)
    forge_modal(world, opened, f"easel:refs:{number}")

    assert private_answer(await world.alice.submit_modal(opened, {"name": "cat"})).text == refusal(DraftGone())
