"""Forged custom ids: whatever they name, nothing of another server or member is seen, changed or spent."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import discord
import pytest
import simcord

from bot.domain.ids import to_base36
from bot.ui.custom_ids import Action
from tests.kie.schema import caused
from tests.stories.managing import elsewhere, form_anyway, holdings, pressed_anyway
from tests.stories.pictures import png
from tests.stories.pressing import forge, made
from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage
from tests.waiting import until

SECRET = "the hidden garden behind the seventh gate"
FORM: dict[str, str | list[str]] = {
    "prompt": "somebody else's picture",
    "model": ["pro"],
    "ratio": ["auto"],
    "resolution": ["1K"],
    "amount": "500",
}
ODD = [
    "easel:again:",
    "easel:again:-1",
    "easel:again:\uff11\uff12\uff13",
    "easel:again:\u0661\u0662\u0663",
    "easel:again:1\u0662",
    "easel:again:\u00b2",
    "easel:again:ABC",
    "easel:again:1_0",
    "easel:again: 1",
    "easel:again:1\n",
    "easel:again:0x1f",
    "easel:again:1.0",
    "easel:again:" + "1" * 14,
    "easel:again:" + "z" * 13,
    "easel:again:" + "1" * 88,
    "easel:again:1:2:3",
    "easel:again:1:" + "z" * 13,
    "easel:AGAIN:1",
    "easel:draw:1",
    "easel:\u0430gain:1",
    "Easel:again:1",
    "easel:" + "a" * 17 + ":1",
    "easel::1",
    "easel",
    "",
]

Deed = Callable[[Stage, simcord.MemberActor, discord.Message, str], Awaitable[simcord.InteractionResult]]


async def press(
    stage: Stage, who: simcord.MemberActor, card: discord.Message, custom_id: str
) -> simcord.InteractionResult:
    # A press on what the message does not carry never reaches the bot's code.
    forge(stage, card, "Delete", custom_id)
    return await pressed_anyway(stage, who, card, custom_id)


async def send_off(
    stage: Stage, who: simcord.MemberActor, card: discord.Message, custom_id: str
) -> simcord.InteractionResult:
    return await form_anyway(stage, who, card, custom_id, FORM)


def state(stage: Stage) -> dict[str, list[tuple[Any, ...]]]:
    """All that is of value in the database."""
    connection = sqlite3.connect(stage.database)
    try:
        tables = ("generations", "tasks", "images", "drafts")
        return holdings(stage) | {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    finally:
        connection.close()


def known_numbers(stage: Stage, *more: int) -> list[int]:
    """Every number that stands for something: generations, tasks, images, drafts, and whatever else."""
    numbers: set[int] = set(more)
    for table in ("generations", "tasks", "drafts"):
        numbers |= {row[0] for row in state(stage)[table]}
    return sorted(numbers)


async def answered(asked: simcord.InteractionResult, card: discord.Message, what: str) -> list[Seen]:
    """All that whoever did it is told, which must be something."""

    def said() -> list[Seen]:
        told = answers(asked, card)
        return told if told and not any(one.thinking for one in told) else []

    return await until(said, what=f"an answer to {what}", within=5)


def answers(asked: simcord.InteractionResult, card: discord.Message) -> list[Seen]:
    """All that whoever did it is told."""
    # To a press that only promised to look, the card itself counts as the response.
    shown: Sequence[simcord.ResponseMessage] = [*asked.followups, *([asked.response] if asked.response else [])]
    return [seen(one) for one in shown if one.id != card.id]


@pytest.mark.parametrize("deed", [press, send_off])
async def test_no_number_opens_what_is_in_another_server(stage: Stage, deed: Deed) -> None:
    """Eve manages a server of her own, where she may do anything; she knows every number of the other server."""
    hidden = await made(stage, SECRET)
    await stage.bob.context_menu(
        stage.channel, "Edit image", await stage.bob.send(stage.channel, attachments=[PICTURE])
    )
    await stage.rest()
    numbers = known_numbers(stage, hidden.id, stage.alice.id, stage.channel.id, stage.env.guild.id)
    assert len(numbers) == 7
    eve = elsewhere(stage)
    own = await eve.slash(eve.guild.channels["lobby"], "imagine", prompt="a plain hill")
    await stage.outcome(own)
    assert own.response is not None
    card = own.response.message
    before, orders, posts = state(stage), len(caused(stage.kie)), len(stage.cards())

    for action in Action:
        for number in numbers:
            asked = await deed(stage, eve, card, f"easel:{action}:{to_base36(number)}")
            for one in await answered(asked, card, f"{action} with {number}"):
                assert one.ephemeral, (action, number)
                assert one.text
                assert "broke" not in one.text
                assert SECRET not in one.text
                assert one.pictures == ()
            assert asked.modal is None, (action, number)
    assert state(stage) == before
    assert len(caused(stage.kie)) == orders
    assert len(stage.cards()) == posts


@pytest.mark.parametrize("deed", [press, send_off])
async def test_no_number_opens_what_another_member_did_in_private(stage: Stage, deed: Deed) -> None:
    asked = await stage.imagine(SECRET, private=True)
    await stage.outcome(asked)
    await stage.alice.context_menu(
        stage.channel, "Edit image", await stage.bob.send(stage.channel, attachments=[PICTURE])
    )
    await stage.rest()
    numbers = known_numbers(stage, stage.alice.id)
    card = await made(stage, "a plain hill", by=stage.bob)
    before, orders = state(stage), len(caused(stage.kie))

    for action in Action:
        for number in numbers:
            asked = await deed(stage, stage.bob, card, f"easel:{action}:{to_base36(number)}")
            told = await answered(asked, card, f"{action} with {number}")
            assert all(one.ephemeral and SECRET not in one.text and "broke" not in one.text for one in told)
    assert state(stage) == before
    assert len(caused(stage.kie)) == orders


@pytest.mark.parametrize("deed", [press, send_off])
async def test_numbers_that_are_none_start_nothing(stage: Stage, deed: Deed) -> None:
    card = await made(stage)
    before, orders = state(stage), len(caused(stage.kie))
    for custom_id in ODD:
        told = answers(await deed(stage, stage.alice, card, custom_id), card)
        await stage.rest()
        assert all(one.ephemeral and "broke" not in one.text for one in told), custom_id
    assert state(stage) == before
    assert len(caused(stage.kie)) == orders


async def test_a_prompt_full_of_mentions_pings_nobody(stage: Stage) -> None:
    """On the card, in the modal, on a refusal and on what is made from it; every message is judged at the end."""
    role = stage.env.guild.roles["Admin"]
    prompt = f"@everyone @here <@{stage.bob.id}> <@!{stage.admin.id}> <@&{role.id}> <#{stage.channel.id}> hello"
    card = await made(stage, prompt)
    assert "hello" in seen(card).headline
    await stage.outcome(await stage.bob.click(card, label="Again"))
    await stage.outcome(await stage.bob.click(card, label="2K"))
    asked = await stage.alice.click(card, label="Edit")
    await stage.outcome(await stage.alice.submit_modal(asked, {**FORM_OF_EDIT, "prompt": prompt}))
    message = await stage.bob.send(stage.channel, f"{stage.mention} {prompt}", attachments=[PICTURE])
    await stage.answer(message)

    posts = stage.cards()
    shown = [post for post in posts if post.author.id == stage.env.backend.bot_user.id]
    requesters = [stage.alice, stage.bob, stage.bob, stage.alice, stage.bob]
    for post, requester in zip(shown, requesters, strict=True):
        assert not post.mention_everyone
        assert post.role_mentions == []
        # A card names its requester in its small print; whether that pings is judged with every message.
        assert {one.id for one in post.mentions} <= {requester.id}


FORM_OF_EDIT = {"model": ["pro"], "ratio": ["auto"], "resolution": ["1K"]}
PICTURE = ("a.png", png())
