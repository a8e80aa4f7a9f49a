"""A process that ends while references are still on their way: the next one says so, and nobody pays."""

import signal

import pytest

from bot.generation.pending_cards import read_pending_cards
from demo.kie import Hang
from tests.front import Fault
from tests.process.pictures import GREEN, RED, field
from tests.process.studio import Studio
from tests.stories.rendered import rendered
from tests.waiting import until

INTERRUPTED = "I was restarted before I could start on this. Nothing was charged. Please send it again."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
async def test_who_waited_while_references_were_taken_is_told(studio: Studio, number: signal.Signals) -> None:
    studio.kie.script.always("upload", Hang())
    async with studio.bot() as bot:
        asked = await studio.imagine("as a woodcut", image=("sketch.png", field(RED)))
        said = await studio.bob.send(
            studio.channel, f"{studio.mention} at night", attachments=[("own.png", field(GREEN))]
        )
        looking = await studio.answer(said, "👀")
        await until(lambda: len([call for call in studio.kie.requests if "upload" in call.path]) == 2, what="uploads")
        bot.send(number)
        assert await bot.ended(within=10) == (0 if number is signal.SIGTERM else -number)
    studio.kie.script.clear()

    async with studio.bot():
        await studio.told(asked, INTERRUPTED)
        told = await studio.answer(said, INTERRUPTED)
        again = await studio.imagine("as a woodcut", image=("sketch.png", field(RED)))
        await studio.delivered(again)
        await studio.settled()
    assert told.id == looking.id
    assert len(studio.answers(said)) == 1
    assert studio.orders() == ["as a woodcut"]
    assert studio.alarms() == []
    assert read_pending_cards(studio.folder / "openings.journal") == []


async def test_a_process_killed_before_discord_told_the_cards_is_as_good(studio: Studio) -> None:
    taken = studio.front.faults.on("POST", "/interactions/*/callback", Fault(hang=True, performed=True))
    posted = studio.front.faults.on("POST", "/channels/*/messages", Fault(hang=True, performed=True))
    async with studio.bot() as bot:
        await studio.imagine("a hill")
        said = await studio.bob.send(
            studio.channel, f"{studio.mention} at night", attachments=[("own.png", field(GREEN))]
        )
        await until(lambda: taken.hits and posted.hits, what="both cards")
        bot.send(signal.SIGKILL)
        await bot.ended()

    async with studio.bot():
        await until(lambda: sum(INTERRUPTED in post.text for post in studio.posts()) == 2, what="both to be told")
    assert [rendered(answer).texts[0] for answer in studio.answers(said)] == [INTERRUPTED]
    assert len(studio.posts()) == 3
    assert (studio.ledger(), studio.orders(), studio.alarms()) == ([], [], [])
