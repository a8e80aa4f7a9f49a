"""A process that ends while references are being prepared: the next one tells the members, and nobody pays."""

import signal

import pytest

from bot.generation.pending_cards import JOURNAL_NAME, read_pending_cards
from bot.ui.texts.cards import INTERRUPTED
from demo.kie import Hang
from tests.front import Fault
from tests.process.deployment import PAID, Deployment
from tests.process.images import GREEN, RED, plain_image
from tests.stories.rendered import rendered
from tests.waiting import until


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
async def test_requests_interrupted_while_their_references_are_prepared(
    deployment: Deployment, number: signal.Signals
) -> None:
    deployment.kie.script.always("upload", Hang())
    async with deployment.bot() as bot:
        interaction = await deployment.imagine("as a woodcut", image=("sketch.png", plain_image(RED)))
        message = await deployment.mention_with("at night", ("own.png", plain_image(GREEN)), by=deployment.bob)
        pending = await deployment.wait_for_reply(message, "👀")
        await until(lambda: sum("upload" in call.path for call in deployment.kie.requests) == 2, what="uploads")
        bot.send(number)
        assert await bot.ended(within=20) == (0 if number is signal.SIGTERM else -number)
    deployment.kie.script.clear()

    async with deployment.bot():
        await deployment.wait_for_text(interaction, INTERRUPTED)
        reply = await deployment.wait_for_reply(message, INTERRUPTED)
        await deployment.wait_for_image(
            await deployment.imagine("as a woodcut", image=("sketch.png", plain_image(RED)))
        )
        await deployment.wait_until_settled()
    assert reply.id == pending.id
    assert len(deployment.replies_to(message)) == 1
    assert deployment.prompts() == ["as a woodcut"]
    assert deployment.logged_errors() == []
    assert read_pending_cards(deployment.folder / JOURNAL_NAME) == []


async def test_a_process_killed_before_discord_told_the_cards_ids(deployment: Deployment) -> None:
    async with deployment.bot() as bot:
        earlier = await deployment.imagine("a river")
        await deployment.wait_for_image(earlier)
        await deployment.wait_until_settled()
        lost = Fault(hang=True, performed=True)
        acknowledged = deployment.front.faults.on("POST", "/interactions/*/callback", lost, times=3)
        posted = deployment.front.faults.on("POST", "/channels/*/messages", lost)
        await deployment.imagine("a hill")
        secret = await deployment.imagine("a cave", private=True)
        await deployment.alice.click(deployment.card(earlier), label="Again")
        message = await deployment.mention_with("at night", ("own.png", plain_image(GREEN)), by=deployment.bob)
        await until(lambda: acknowledged.hits == 3 and posted.hits, what="the four cards")
        bot.send(signal.SIGKILL)
        await bot.ended()

    async with deployment.bot():
        await until(
            lambda: sum(INTERRUPTED in post.text for post in deployment.posts()) == 3, within=20, what="all reports"
        )
        await deployment.wait_for_text(secret, INTERRUPTED)
    assert [INTERRUPTED in rendered(reply).text for reply in deployment.replies_to(message)] == [True]
    assert len(deployment.posts()) == 5, "the river, Bob's message, and one card each"
    assert (deployment.ledger(), deployment.prompts(), deployment.logged_errors()) == (PAID, ["a river"], [])
