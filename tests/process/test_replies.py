"""Replies and mentions: images that come in with messages."""

import signal

import discord
import pytest

from demo.kie import Succeed
from tests.front import Fault
from tests.process.deployment import PAID, Deployment, modal_values
from tests.process.images import BLUE, GREEN, RED, YELLOW, plain_image
from tests.stories.rendered import rendered
from tests.waiting import until

NO_MESSAGE_CONTENT = pytest.mark.parametrize("granted", [discord.Intents.default()], ids=["no message content"])
YES = "Edit · 5 credits"
OWN_IMAGE = ("own.png", plain_image(GREEN))


@NO_MESSAGE_CONTENT
async def test_without_the_intent_another_members_image_cannot_be_seen(deployment: Deployment) -> None:
    above = await deployment.bob.send(deployment.channel, attachments=[("bob.png", plain_image(RED))])
    async with deployment.bot():
        alone = await deployment.reply(f"{deployment.mention} at night", above)
        refusal = await deployment.wait_for_reply(alone, "other members' messages")
        with_own = await deployment.reply(f"{deployment.mention} at night", above, OWN_IMAGE)
        note = await deployment.wait_for_reply(with_own, "the message above")
        await deployment.wait_for_reply_with_image(with_own)
        modal = await deployment.open_edit_modal(above)
        await deployment.wait_for_image(await deployment.alice.submit_modal(modal, modal_values("in winter")))
        await deployment.wait_until_settled(generations=2)

    for message in (refusal, note):
        assert "Apps, Edit image" in rendered(message).text
    assert len(deployment.replies_to(alone)) == 1
    assert deployment.prompts() == ["at night", "in winter"]
    assert deployment.reference_colours() == [[GREEN], [RED]]
    assert deployment.front.gateway.identified == 1


@NO_MESSAGE_CONTENT
async def test_without_the_intent_its_own_images_and_mentions_work(deployment: Deployment) -> None:
    async with deployment.bot():
        interaction = await deployment.imagine("a hill", image=("sketch.png", plain_image(RED)))
        await deployment.wait_for_image(interaction)
        card = deployment.card(interaction)
        for words in (f"{deployment.mention} at night", "in winter"):
            reply = await deployment.reply(words, card)
            if words == "in winter":
                await deployment.alice.click(await deployment.wait_for_question(reply), label=YES)
            card = await deployment.wait_for_reply_with_image(reply)
        images = [("one.png", plain_image(BLUE)), ("two.png", plain_image(YELLOW))]
        await deployment.wait_for_reply_with_image(
            await deployment.mention_with("image 1 on image 2", *images, by=deployment.bob)
        )
        await deployment.wait_until_settled(generations=4)

    assert deployment.prompts() == ["a hill", "at night", "in winter", "image 1 on image 2"]
    assert deployment.reference_colours()[3] == [BLUE, YELLOW]
    assert deployment.logged_errors() == []


async def test_where_it_may_not_read_the_history_it_answers_without_a_reply(deployment: Deployment) -> None:
    refused = deployment.front.faults.on("POST", "/channels/*/messages", Fault(status=403, code=160002))
    async with deployment.bot():
        await deployment.mention_with("as a woodcut", OWN_IMAGE)
        card = await until(
            lambda: next((post for post in deployment.posts() if post.images), None), within=20, what="the card"
        )
        await deployment.wait_until_settled()

    assert refused.hits == 1
    assert card.headline == "**as a woodcut**"
    assert len(deployment.posts()) == 2
    assert deployment.logged_errors() == []


async def test_where_it_may_not_post_a_mention_starts_nothing(deployment: Deployment) -> None:
    refused = deployment.front.faults.on("POST", "/channels/*/messages", Fault(status=403, code=50013), times=None)
    async with deployment.bot():
        for words in ("as a woodcut", ""):
            await deployment.mention_with(words, OWN_IMAGE)
        await until(lambda: refused.hits >= 2, what="both answers to be refused")
        # A command needs no such permission: its answer is the interaction's.
        await deployment.wait_for_image(await deployment.imagine("a hill"))
        await deployment.wait_until_settled()

    assert deployment.prompts() == ["a hill"]
    assert deployment.logged_errors() == []


async def test_a_card_whose_answer_is_lost_is_not_posted_twice(deployment: Deployment) -> None:
    async with deployment.bot():
        for fault in (
            Fault(status=502, html=True, performed=True),
            Fault(cut=True, performed=True),
            Fault(status=200, html=True, performed=True),
        ):
            deployment.front.faults.on("POST", "/channels/*/messages", fault)
            message = await deployment.mention_with("as a woodcut", OWN_IMAGE)
            await deployment.wait_for_reply_with_image(message)
            assert len(deployment.replies_to(message)) == 1
        await deployment.wait_until_settled(generations=3)

    assert deployment.logged_errors() == []


async def test_a_global_limit_that_outlasts_an_edit_does_not_silence_the_bot(deployment: Deployment) -> None:
    limit = Fault(status=429, body='{"message": "Limited", "retry_after": 8, "global": true}')
    deployment.kie.script.next_tasks(Succeed(duration=2.0))
    async with deployment.bot():
        limited = deployment.front.faults.on("PATCH", "/channels/*/messages/*", limit)
        await deployment.wait_for_reply_with_image(await deployment.mention_with("as a woodcut", OWN_IMAGE))
        await deployment.wait_until_settled()
    assert limited.hits == 1


async def test_a_question_outlives_a_killed_process(deployment: Deployment) -> None:
    async with deployment.bot() as bot:
        card = await deployment.wait_for_reply_with_image(await deployment.mention_with("as a woodcut", OWN_IMAGE))
        reply = await deployment.reply("haha, thanks!", card)
        question = await deployment.wait_for_question(reply)
        bot.send(signal.SIGKILL)
        await bot.ended()
    assert deployment.ledger() == PAID

    async with deployment.bot():
        await deployment.alice.click(question, label=YES)
        assert (await deployment.wait_for_reply_with_image(reply)).id == question.id
        await deployment.wait_until_settled(generations=2)
    assert deployment.query("SELECT count(*) FROM drafts") == [0]
    assert deployment.logged_errors() == []


async def test_a_reply_of_a_killed_process_is_finished_by_the_next_one(deployment: Deployment) -> None:
    deployment.kie.script.next_tasks(Succeed(duration=2.0))
    async with deployment.bot() as bot:
        message = await deployment.mention_with("as a woodcut", OWN_IMAGE)
        running = await deployment.wait_for_reply(message, "🎨")
        bot.send(signal.SIGKILL)
        await bot.ended()
    assert deployment.ledger() == [("reserve", -5)]

    async with deployment.bot():
        card = await deployment.wait_for_reply_with_image(message)
        await deployment.wait_until_settled()
    assert card.id == running.id
    assert len(deployment.posts()) == 2
    assert deployment.ledger() == PAID
    assert deployment.prompts() == ["as a woodcut"]
