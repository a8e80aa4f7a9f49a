"""A reply of words alone pings the bot by Discord's default: it is asked about, and costs nothing without a yes."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import discord
import pytest

from bot.config.sections import PricesConfig
from bot.domain.errors import PriceChanged
from bot.ui.texts.refusals import refusal
from tests.database import execute
from tests.stories.components import NOT_YOURS, custom_id_of, forge, press_at_once, press_forged, private_answer
from tests.stories.images import fetched, pixels, png
from tests.stories.kie_calls import references_used
from tests.stories.pending_cards import pending_cards
from tests.stories.quota_actions import quota, quota_tables
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with
from tests.waiting import until

CHAT = "haha that looks great, thanks!"
YES, NO = "Edit · 5 credits", "No"
CLOSED = "This question is closed."
BOAT = [("boat.png", png())]
SILENT = 1 << 12
"""Discord's flag SUPPRESS_NOTIFICATIONS."""


async def result(world: StoryWorld) -> discord.Message:
    """A card with an image, which Alice paid for."""
    return await world.answer(await world.mention_bot("as a woodcut", attachments=BOAT))


async def asked(world: StoryWorld, text: str = CHAT) -> tuple[discord.Message, discord.Message]:
    """Bob's reply to a result, and the question about it."""
    message = await world.bob.send(world.channel, text, reply_to=await result(world))
    (question,) = world.answers(message)
    return message, question


def drafts(world: StoryWorld) -> int:
    """How many drafts are stored."""
    ((count,),) = execute(world.folder, "SELECT count(*) FROM drafts")
    return count


async def test_nothing_is_begun_before_the_author_says_yes(world: StoryWorld) -> None:
    message, question = await asked(world)

    assert rendered(question).texts == ("-# Edit this image?",)
    assert rendered(question).buttons == (YES, NO)
    sent = world.calls("POST", f"/channels/{world.channel.id}/messages")[-1].json
    assert sent is not None
    assert sent["flags"] & SILENT
    assert sent["allowed_mentions"] == {"parse": []}
    assert [private_answer(await world.alice.click(question, label=label)).text for label in (YES, NO)] == [
        NOT_YOURS,
        NOT_YOURS,
    ]
    assert len(world.kie.tasks) == 1
    assert world.ledger(world.bob) == []
    assert pending_cards(world) == []

    await world.bob.click(question, label=YES)
    card = await world.answer(message)
    assert card.id == question.id, "the question becomes the card"
    assert rendered(card).headline == f"**{CHAT}**"
    assert rendered(card).small_print[0] == world.bob.mention
    (image,) = rendered(world.messages()[1]).images
    assert references_used(world.kie) == [pixels(await fetched(image.url))]
    assert rendered(card).small_print[-1] == f"edit of [this image]({world.messages()[1].jump_url})"
    assert world.ledger(world.bob) == PAID
    assert drafts(world) == 0


async def test_a_yes_counts_once(world: StoryWorld) -> None:
    message, question = await asked(world)
    answers = await press_at_once(world, question, YES, world.bob, world.bob)
    await world.answer(message)

    refused = [answer.response for answer in answers if answer.response is not None and answer.response.ephemeral]
    assert [rendered(response).text[: len(CLOSED)] for response in refused] == [CLOSED]
    assert world.ledger(world.bob) == PAID
    assert len(world.kie.tasks) == 2


async def test_a_yes_forged_onto_another_message_replaces_nothing(world: StoryWorld) -> None:
    _, question = await asked(world)
    card, custom_id = world.messages()[1], custom_id_of(question, YES)
    forge(world, card, "⋯", custom_id)

    assert private_answer(await press_forged(world, world.bob, card, custom_id)).text.startswith(CLOSED)
    assert world.ledger(world.bob) == []
    assert drafts(world) == 1


async def dismissed(world: StoryWorld, question: discord.Message) -> None:
    await world.bob.click(question, label=NO)


async def a_minute_passes(world: StoryWorld, _: discord.Message) -> None:
    await world.env.advance_time(59)
    assert drafts(world) == 1
    await world.env.advance_time(2)


async def asked_again(world: StoryWorld, _: discord.Message) -> None:
    """Another reply has a question of its own."""
    another = await world.bob.send(world.channel, "make it winter", reply_to=world.messages()[1])
    await dismissed(world, world.answers(another)[0])


async def restarted_late(world: StoryWorld, _: discord.Message) -> None:
    world.clock.advance(61)
    await world.restart()


@pytest.mark.parametrize("how", [dismissed, a_minute_passes, asked_again, restarted_late])
async def test_the_question_goes_away(
    world: StoryWorld, how: Callable[[StoryWorld, discord.Message], Awaitable[None]]
) -> None:
    message, question = await asked(world)
    await how(world, question)

    await until(lambda: not world.answers(message), what="the question to go away")
    assert drafts(world) == 0
    assert len(world.kie.tasks) == 1
    assert world.ledger(world.bob) == []


async def test_the_next_process_takes_the_answer(world: StoryWorld) -> None:
    message, question = await asked(world)
    await world.restart()
    await world.bob.click(question, label=YES)
    await world.answer(message)

    assert world.ledger(world.bob) == PAID


async def test_a_question_that_could_not_be_removed_starts_nothing(world: StoryWorld) -> None:
    message, question = await asked(world)
    world.env.inject_error("DELETE", "/channels/*/messages/*", status=403, code=50001)
    await world.env.advance_time(61)
    await until(lambda: not drafts(world), what="the question to be withdrawn")

    assert private_answer(await world.bob.click(question, label=YES)).text.startswith(CLOSED)
    assert [shown.id for shown in world.answers(message)] == [question.id]
    assert world.ledger(world.bob) == []


async def test_another_price_than_the_question_named_is_not_paid(world: StoryWorld) -> None:
    message, question = await asked(world)
    world.bot.config = world.bot.config.model_copy(update={"prices": PricesConfig(pro_1k=Decimal(6))})
    await world.restart()
    await world.bob.click(question, label=YES)

    assert rendered(await world.answer(message)).texts[0] == refusal(PriceChanged())
    assert world.ledger(world.bob) == []


@pytest.mark.parametrize(("text", "prompt"), [("make it winter", "make it winter"), ("ok", None), (None, None)])
async def test_a_question_is_about_what_its_message_says_now(
    world: StoryWorld, text: str | None, prompt: str | None
) -> None:
    message, question = await asked(world, "make it wimter")
    if text is None:
        await world.bob.delete(message)
    else:
        await world.bob.edit(message, text)
    await world.rest()

    assert [answer.id for answer in world.answers(message)] == [question.id] * bool(prompt)
    assert drafts(world) == bool(prompt)
    if prompt:
        await world.bob.click(question, label=YES)
        assert rendered(await world.answer(message)).headline == f"**{prompt}**"


@bot_with(credits=6)
async def test_a_yes_that_is_refused_says_so_on_the_card(world: StoryWorld) -> None:
    message, question = await asked(world)
    await world.bob.click(question, label=YES)
    second = await world.bob.send(world.channel, CHAT, reply_to=await world.answer(message))
    await world.bob.click(world.answers(second)[0], label=YES)

    refused = rendered(await world.answer(second))
    assert refused.texts[0].startswith("This costs 5 credits, but you have 1. Nothing was charged.")
    assert world.ledger(world.bob) == PAID


@pytest.mark.parametrize("mode", ["edit", "ask", "mention"])
async def test_a_server_chooses_what_replies_do(world: StoryWorld, mode: str) -> None:
    card = await result(world)
    answer = await quota(world, "settings", replies=mode)
    assert "Replies without a mention: " in answer.text
    assert len(quota_tables(world)["ledger"]) == (2 if mode == "ask" else 3), "a change is in the ledger"
    bare = await world.bob.send(world.channel, CHAT, reply_to=card)
    with_image = await world.bob.send(world.channel, "like this one", reply_to=card, attachments=BOAT)
    typed = await world.mention_bot("make it winter", by=world.bob, reply_to=card)
    orders = {"edit": [bare, with_image, typed], "ask": [with_image, typed], "mention": [typed]}[mode]
    for message in orders:
        await world.answer(message)

    assert world.ledger(world.bob).count(PAID[0]) == len(orders)
    others = [answer for message in (bare, with_image) if message not in orders for answer in world.answers(message)]
    assert [rendered(answer).buttons for answer in others] == [(YES, NO)] * (mode == "ask")


@pytest.mark.parametrize("obstacle", ["no result", "too short", "another channel", "may not post"])
async def test_where_nothing_could_come_of_it_nothing_is_asked(world: StoryWorld, obstacle: str) -> None:
    above, text = await result(world), CHAT
    if obstacle == "no result":
        (above,) = world.answers(await world.mention_bot("help"))
    elif obstacle == "too short":
        text = "ok"
    elif obstacle == "another channel":
        await quota(world, "settings", allow_channel=world.env.guild.create_text_channel("elsewhere"))
    else:
        world.deny_bot("attach_files")
    message = await world.bob.send(world.channel, text, reply_to=above)

    assert world.answers(message) == []
    assert world.ledger(world.bob) == []
