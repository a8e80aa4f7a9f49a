"""Replies and mentions: pictures come in by messages."""

import signal

import discord
import pytest
from simcord import ResponseMessage

from demo.kie import Succeed
from tests.front import Fault
from tests.process.pictures import BLUE, GREEN, RED, YELLOW, field
from tests.process.studio import PAID, Studio, filled
from tests.stories.rendered import rendered
from tests.waiting import until

NO_MESSAGE_CONTENT = pytest.mark.parametrize("granted", [discord.Intents.default()], ids=["no message content"])


async def test_the_picture_above_comes_first_and_the_next_reply_builds_on_the_card(studio: Studio) -> None:
    above = await studio.bob.send(studio.channel, attachments=[("bob.png", field(RED))])
    async with studio.bot():
        asked = await studio.reply(f"{studio.mention} image 1 at night", above, ("own.png", field(GREEN)))
        card = await studio.card(asked)
        again = await studio.card(await studio.reply("now in winter", card))
        await studio.settled(generations=2)

    assert studio.references()[0] == [RED, GREEN]
    assert [len(one) for one in studio.references()] == [2, 1]
    assert studio.orders() == ["image 1 at night", "now in winter"]
    assert above.jump_url in rendered(card).small_print[-1]
    assert card.jump_url in rendered(again).small_print[-1]
    assert studio.front.gateway.identified == 1
    assert studio.alarms() == []


async def test_embedded_and_forwarded_pictures_are_used(studio: Studio) -> None:
    backend = studio.front.env.backend
    (proxied, attached) = backend.store_attachments(
        studio.channel.id, [("proxied.png", field(BLUE)), ("forwarded.png", field(YELLOW))]
    )
    picture = {"url": "https://elsewhere.example/cat.png", "proxy_url": proxied["url"]}
    embed = {"type": "image", "url": picture["url"], "thumbnail": picture}
    linked = backend.create_message(studio.channel.id, studio.bob.id, picture["url"], embeds=[embed])
    original = backend.create_message(studio.channel.id, studio.bob.id, attachments=[attached])
    source = ResponseMessage(studio.front.env, original).message
    forwarded = await studio.bob.forward(source, studio.channel)
    async with studio.bot():
        for above in (ResponseMessage(studio.front.env, linked).message, forwarded):
            await studio.card(await studio.reply(f"{studio.mention} brighter", above))
        await studio.settled(generations=2)

    assert studio.references() == [[BLUE], [YELLOW]]


@NO_MESSAGE_CONTENT
async def test_without_the_intent_another_members_picture_is_out_of_sight(studio: Studio) -> None:
    above = await studio.bob.send(studio.channel, attachments=[("bob.png", field(RED))])
    async with studio.bot():
        alone = await studio.reply(f"{studio.mention} at night", above)
        told = await studio.answer(alone, "Discord doesn't show me other members' messages.")
        beside = await studio.reply(f"{studio.mention} at night", above, ("own.png", field(GREEN)))
        noted = await studio.answer(beside, "I'm using only the images you attached")
        await studio.card(beside)
        menu = await studio.menu(above)
        await studio.delivered(await studio.alice.submit_modal(menu, filled("in winter")))
        await studio.settled(generations=2)

    for message in (told, noted):
        assert "Apps, Edit image" in rendered(message).text
    assert len(studio.answers(alone)) == 1
    assert studio.orders() == ["at night", "in winter"]
    assert studio.references() == [[GREEN], [RED]]
    assert studio.front.gateway.identified == 1


@NO_MESSAGE_CONTENT
async def test_without_the_intent_its_own_pictures_and_mentions_work(studio: Studio) -> None:
    async with studio.bot():
        asked = await studio.imagine("a hill", image=("sketch.png", field(RED)))
        await studio.delivered(asked)
        below_command = await studio.card(await studio.reply("at night", studio.shown(asked)))
        await studio.card(await studio.reply("in winter", below_command))
        pictures = [("one.png", field(BLUE)), ("two.png", field(YELLOW))]
        mentioned = await studio.bob.send(studio.channel, f"{studio.mention} image 1 on image 2", attachments=pictures)
        await studio.card(mentioned)
        await studio.settled(generations=4)

    assert studio.orders() == ["a hill", "at night", "in winter", "image 1 on image 2"]
    assert studio.references()[3] == [BLUE, YELLOW]
    assert studio.alarms() == []


async def test_where_it_may_not_read_back_it_answers_beside(studio: Studio) -> None:
    refused = studio.front.faults.on("POST", "/channels/*/messages", Fault(status=403, code=160002))
    async with studio.bot():
        await studio.alice.send(
            studio.channel, f"{studio.mention} as a woodcut", attachments=[("own.png", field(GREEN))]
        )
        card = await until(lambda: next((one for one in studio.posts() if one.images), None), what="the card")
        await studio.settled()

    assert refused.hits == 1
    assert card.headline == "**as a woodcut**"
    assert len(studio.posts()) == 2
    assert studio.alarms() == []


async def test_where_it_may_not_speak_it_keeps_quiet_and_charges_nothing(studio: Studio) -> None:
    silenced = studio.front.faults.on("POST", "/channels/*/messages", Fault(status=403, code=50013), times=None)
    async with studio.bot():
        for words in ("as a woodcut", ""):
            await studio.alice.send(
                studio.channel, f"{studio.mention} {words}", attachments=[("own.png", field(GREEN))]
            )
        await until(lambda: silenced.hits >= 2, what="both answers to be refused")
        # The command needs no right to speak: its answer is the interaction's.
        await studio.delivered(await studio.imagine("a hill"))
        await studio.settled()

    assert studio.orders() == ["a hill"]
    assert studio.alarms() == []


async def test_a_card_whose_answer_is_lost_is_not_doubled(studio: Studio) -> None:
    async with studio.bot():
        for fault in (Fault(status=502, html=True, performed=True), Fault(cut=True, performed=True)):
            studio.front.faults.on("POST", "/channels/*/messages", fault)
            asked = await studio.alice.send(
                studio.channel, f"{studio.mention} as a woodcut", attachments=[("own.png", field(GREEN))]
            )
            await studio.card(asked)
            assert len(studio.answers(asked)) == 1
        await studio.settled(generations=2)

    assert studio.alarms() == []


async def test_a_mention_is_no_text_command(studio: Studio) -> None:
    async with studio.bot():
        await studio.card(
            await studio.alice.send(
                studio.channel, f"{studio.mention} quetzalcoatlus", attachments=[("own.png", field(GREEN))]
            )
        )

    assert "quetzalcoatlus" not in studio.printed[0]


async def test_a_killed_bots_card_is_finished_by_the_next_process(studio: Studio) -> None:
    studio.kie.script.next_tasks(Succeed(duration=2.0))
    async with studio.bot() as bot:
        asked = await studio.alice.send(
            studio.channel, f"{studio.mention} as a woodcut", attachments=[("own.png", field(GREEN))]
        )
        begun = await studio.answer(asked, "🎨")
        bot.send(signal.SIGKILL)
        await bot.ended()
    assert studio.ledger() == [("reserve", -5)]

    async with studio.bot():
        card = await studio.card(asked)
        await studio.settled()
    assert card.id == begun.id
    assert len(studio.posts()) == 2
    assert studio.ledger() == PAID
    assert studio.orders() == ["as a woodcut"]
