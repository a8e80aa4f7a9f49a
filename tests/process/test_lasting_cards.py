"""Buttons and modals that one process showed and another one answers."""

import signal
from collections import Counter

import discord
from simcord import MemberActor, ResponseMessage

from tests.process.deployment import Deployment, modal_values
from tests.process.images import GREEN, RED, plain_image
from tests.stories.rendered import rendered
from tests.waiting import until


async def test_buttons_of_an_earlier_process(deployment: Deployment) -> None:
    bob = deployment.bob
    async with deployment.bot() as bot:
        original = await deployment.imagine("a hill")
        await deployment.wait_for_image(original)
        await deployment.wait_until_settled()
        bot.send(signal.SIGKILL)
        await bot.ended()
    card = deployment.card(original)
    two_k = next(label for label in rendered(card).buttons if label.startswith("2K"))

    async with deployment.bot():
        modal = await deployment.wait_for_modal(await bob.click(card, label="Edit"))
        values = modal_values("image 1 like image 2", files=("two.png", plain_image(GREEN)))
        edited = await bob.submit_modal(modal, values)
        larger = await bob.click(card, label=two_k)
        again = await bob.click(card, label="Again")
        for interaction in (edited, larger, again):
            await deployment.wait_for_image(interaction)
        assert "Delete" not in rendered(await menu_of(deployment, bob, card)).buttons
        asked = await ask_to_delete(deployment, card)
        await deployment.alice.click(asked, label="Delete")
        await wait_for_deletions(deployment, card, 1)
        await until(lambda: len(deployment.ledger()) == 8, what="the ledger to be settled")

    assert card.id not in {post.id for post in deployment.channel.history()}
    assert len(deployment.posts()) == 3
    assert Counter(deployment.prompts())["a hill"] == 2
    assert sorted(len(references) for references in deployment.reference_colours()) == [0, 0, 1, 2]
    assert "2K" in rendered(deployment.card(larger)).small_print
    assert "Edit" in rendered(deployment.card(larger)).buttons
    assert spent_by(deployment, deployment.alice) == [5]
    assert sorted(spent_by(deployment, bob)) == [5, 5, 7]
    assert deployment.logged_errors() == []


async def test_two_members_click_at_the_same_instant(deployment: Deployment) -> None:
    members = (deployment.alice, deployment.bob)
    async with deployment.bot() as bot:
        original = await deployment.imagine("image 1 at night", image=("one.png", plain_image(RED)))
        await deployment.wait_for_image(original)
        await deployment.wait_until_settled()
        card = deployment.card(original)
        # A stopped process reads all that came meanwhile at once when it continues.
        bot.send(signal.SIGSTOP)
        clicks = [await member.click(card, label="Again") for member in members]
        bot.send(signal.SIGCONT)
        for interaction in clicks:
            await deployment.wait_for_image(interaction)
        await deployment.wait_until_settled(generations=3)

    assert len({card.id, *(deployment.card(interaction).id for interaction in clicks)}) == 3
    for member, interaction in zip(members, clicks, strict=True):
        assert rendered(deployment.card(interaction)).small_print[0] == member.mention
    assert deployment.reference_colours() == [[RED]] * 3
    assert [spent_by(deployment, member) for member in members] == [[5, 5], [5]]
    assert deployment.logged_errors() == []


async def test_delete_clicked_twice_deletes_once(deployment: Deployment) -> None:
    async with deployment.bot() as bot:
        original = await deployment.imagine("a hill")
        await deployment.wait_for_image(original)
        await deployment.wait_until_settled()
        card = deployment.card(original)
        asked = await ask_to_delete(deployment, card)
        bot.send(signal.SIGSTOP)
        clicks = [await deployment.alice.click(asked, label="Delete") for _ in range(2)]
        bot.send(signal.SIGCONT)
        await wait_for_deletions(deployment, card, 2)
        await until(lambda: rendered(asked).text == "Deleted.", what="the question to say so")

    assert deployment.posts() == []
    assert [interaction.followups for interaction in clicks] == [[], []]
    assert deployment.logged_errors() == []


async def menu_of(deployment: Deployment, member: MemberActor, card: discord.Message) -> ResponseMessage:
    """The private menu of a card, from its last button."""
    opened = await member.click(card, label="⋯")
    await deployment.wait_for_text(opened, "FLUX.2")
    assert opened.response is not None
    return opened.response


async def ask_to_delete(deployment: Deployment, card: discord.Message) -> ResponseMessage:
    """The question that Alice is asked before her card is deleted."""
    asked = await deployment.alice.click(await menu_of(deployment, deployment.alice, card), label="Delete")
    await deployment.wait_for_text(asked, "for everybody?")
    assert asked.response is not None
    return asked.response


async def wait_for_deletions(deployment: Deployment, card: discord.Message, count: int) -> None:
    """Wait until Discord was asked so often to delete a card, and has answered."""
    calls = f"/messages/{card.id}"
    await until(
        lambda: sum(bool(call.answered_at) for call in deployment.front.calls("DELETE", calls)) == count,
        what="the card to be deleted",
    )


def spent_by(deployment: Deployment, member: MemberActor) -> list[int]:
    """A member's reservations, in whole credits."""
    reserved = deployment.query("SELECT credits FROM ledger WHERE movement = 'reserve' AND user_id = ?", member.id)
    return [-thousandths // 1000 for thousandths in reserved]
