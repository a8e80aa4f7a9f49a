"""Edits of edits: every card links what it came from, and the store walks the line back."""

import discord

from bot.domain.ids import MessageId
from tests.stories.asked import PAID, worked_from
from tests.stories.pictures import pixels, png
from tests.stories.seen import seen
from tests.stories.stage import Stage, fetched


async def test_a_chain_of_five_replies_leads_back_to_the_first(stage: Stage) -> None:
    card = await made(stage)
    cards = [card]
    for number in range(1, 6):
        member = stage.alice if number % 2 else stage.bob
        said = await member.send(stage.channel, f"{stage.mention} change {number}", reply_to=card)
        before, card = card, await stage.answer(said)
        cards.append(card)

        assert seen(card).small_print[-1] == f"edit of [this picture]({before.jump_url})"
        assert worked_from(stage.kie) == [await shown(before)]
    messages = [MessageId(one.id) for one in cards]
    async with stage.app.runtime.store.read() as tx:
        (last,) = await tx.images.in_message(messages[-1])
        line = await tx.images.lineage(last.id)
    assert [image.message_id for image in line] == messages[::-1]
    assert [image.parent_id for image in line] == [image.id for image in line[1:]] + [None]
    assert stage.ledger(stage.alice) == PAID * 4


async def test_an_edit_from_the_menu_belongs_to_the_line(stage: Stage) -> None:
    card = await made(stage)
    asked = await stage.bob.context_menu(stage.channel, "Edit image", card)
    sent = await stage.bob.submit_modal(asked, {"prompt": "from the menu", **usual()})
    await stage.outcome(sent)
    assert sent.response is not None

    assert await parents(stage, sent.response.message) == [MessageId(card.id)]


async def test_an_edit_by_button_and_a_larger_one_belong_to_the_line(stage: Stage) -> None:
    card = await made(stage)
    asked = await stage.alice.click(card, label="Edit")
    edited = await stage.alice.submit_modal(asked, {"prompt": "by button", **usual()})
    await stage.outcome(edited)
    assert edited.response is not None
    larger = await stage.alice.click(edited.response, label="2K")
    await stage.outcome(larger)
    assert larger.response is not None

    messages = [MessageId(edited.response.id), MessageId(card.id)]
    assert await parents(stage, larger.response.message) == messages


async def test_the_same_again_has_the_same_parent(stage: Stage) -> None:
    card = await made(stage)
    edited = await stage.answer(await stage.alice.send(stage.channel, f"{stage.mention} colder", reply_to=card))
    again = await stage.bob.click(edited, label="Again")
    shown_again = await stage.outcome(again)
    assert again.response is not None

    assert shown_again.small_print[-1] == f"edit of [this picture]({card.jump_url})"
    assert await parents(stage, again.response.message) == [MessageId(card.id)]


async def test_a_picture_of_somebody_elses_begins_a_line(stage: Stage) -> None:
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", attachments=[("a.png", png())])

    assert await parents(stage, await stage.answer(said)) == []


async def made(stage: Stage) -> discord.Message:
    """A first picture of Alice's, on a card."""
    asked = await stage.imagine("a red fox in snow")
    await stage.outcome(asked)
    assert asked.response is not None
    return asked.response.message


async def parents(stage: Stage, card: discord.Message) -> list[MessageId]:
    """The messages that a card's picture comes from, the nearest first."""
    async with stage.app.runtime.store.read() as tx:
        (image,) = await tx.images.in_message(MessageId(card.id))
        return [one.message_id for one in (await tx.images.lineage(image.id))[1:]]


async def shown(card: discord.Message) -> tuple[tuple[int, int], bytes]:
    (picture,) = seen(card).pictures
    return pixels(await fetched(picture.url))


def usual() -> dict[str, list[str]]:
    """What a member leaves as it is in a modal."""
    return {"model": ["pro"], "ratio": ["auto"], "resolution": ["1K"]}
