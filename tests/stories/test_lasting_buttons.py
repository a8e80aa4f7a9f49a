"""Buttons months later, after a loss, in another process, on private cards, and with forged ids."""

import sqlite3

import discord
import pytest
import simcord

from demo.kie import Succeed
from tests.stories.asked import PAID, worked_from
from tests.stories.pictures import pixels, png
from tests.stories.pressing import (
    TOO_OLD,
    USUAL,
    custom_id_of,
    fields_of,
    forge,
    forget_everything,
    long_ago,
    made,
    pressed,
    told,
)
from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage, fetched, given
from tests.waiting import until

SKETCHES = [png(), png((9, 9, 9))]
GONE = "The pictures that this was made from are no longer kept. Attach them again with /imagine. Nothing was charged."
EDIT = {"prompt": "at night", **USUAL, "ratio": ["auto"]}


async def test_buttons_work_months_later(stage: Stage) -> None:
    card = await long_ago(stage)
    again = await pressed(stage, stage.bob, card, "Again")
    larger = await pressed(stage, stage.bob, card, "2K")
    edited = await edit(stage, stage.bob, card)

    assert [len(one.pictures) for one in (again, larger, edited)] == [1, 1, 1]
    await stage.alice.click(card, label="Delete")
    assert card.id not in {one.id for one in stage.cards()}


async def test_again_months_later_uses_the_references_that_were_kept(stage: Stage) -> None:
    card = await long_ago(stage, "as a woodcut", image=("a.png", SKETCHES[0]), image2=("b.png", SKETCHES[1]))
    stage.cdn.loses |= {"a.png", "b.png"}
    again = await pressed(stage, stage.bob, card, "Again")

    assert worked_from(stage.kie) == [pixels(sketch) for sketch in SKETCHES]
    assert "2 references" in again.small_print
    assert len([call for call in stage.kie.requests if call.files]) == 4
    assert stage.ledger(stage.bob) == PAID


@pytest.mark.parametrize("lost", [1, 2])
async def test_again_without_its_references_is_refused_kindly(stage: Stage, lost: int) -> None:
    card = await long_ago(stage, "as a woodcut", image=("a.png", SKETCHES[0]), image2=("b.png", SKETCHES[1]))
    for kept in sorted((stage.database.parent / "references").iterdir())[:lost]:
        kept.unlink()
    refused = await stage.refusal(await stage.bob.click(card, label="Again"))

    assert refused.text == GONE
    assert stage.ledger(stage.bob) == []
    assert len(stage.kie.tasks) == 1


async def test_references_of_before_they_were_kept_are_refused_kindly(stage: Stage) -> None:
    card = await made(stage, "as a woodcut", image=("a.png", SKETCHES[0]))
    connection = sqlite3.connect(stage.database)
    with connection:
        connection.execute("UPDATE generation_references SET digest = NULL")
    connection.close()

    assert (await stage.refusal(await stage.bob.click(card, label="Again"))).text == GONE


@pytest.mark.parametrize("label", ["Again", "Edit", "2K", "Delete"])
async def test_where_nothing_is_known_of_a_card_it_is_said_kindly(stage: Stage, label: str) -> None:
    card = await made(stage)
    forget_everything(stage)
    asked = await stage.alice.click(card, label=label)

    assert told(asked).text == TOO_OLD
    assert [one.id for one in stage.cards()] == [card.id]
    assert stage.ledger(stage.alice) == []


async def test_a_moderator_deletes_a_card_of_which_nothing_is_known(stage: Stage) -> None:
    card = await made(stage)
    forget_everything(stage)
    await stage.admin.click(card, label="Delete")

    assert stage.cards() == []


async def test_a_form_on_a_card_of_which_nothing_is_known_is_answered_kindly(stage: Stage) -> None:
    card = await made(stage)
    asked = await stage.alice.click(card, label="Edit")
    forget_everything(stage)

    assert told(await stage.alice.submit_modal(asked, EDIT)).text == TOO_OLD


async def test_buttons_work_in_the_next_process(stage: Stage) -> None:
    card = await made(stage, image=("a.png", SKETCHES[0]))
    await stage.restart()
    again = await pressed(stage, stage.bob, card, "Again")
    larger = await pressed(stage, stage.bob, card, "2K")
    edited = await edit(stage, stage.bob, card)

    assert [len(one.pictures) for one in (again, larger, edited)] == [1, 1, 1]
    await stage.alice.click(card, label="Delete")
    assert len(stage.cards()) == 3


async def test_forms_opened_before_a_restart_are_taken_after_it(stage: Stage) -> None:
    card = await made(stage, count=2)
    opened = [await stage.alice.click(card, label=label) for label in ("Edit", "2K")]
    opened.append(await stage.alice.context_menu(stage.channel, "Edit image", card))
    second = fields_of(opened[1])["picture"]["options"][1]["value"]
    await stage.restart()
    answers = [{"prompt": "at night", "picture": [second], **USUAL}, {"picture": [second]}, EDIT]
    cards = [
        await stage.outcome(await stage.alice.submit_modal(asked, one))
        for asked, one in zip(opened, answers, strict=True)
    ]

    assert [len(one.pictures) for one in cards] == [1, 1, 1]
    pictures = [pixels(await fetched(one.url)) for one in seen(card).pictures]
    assert worked_from(stage.kie) == pictures


@pytest.mark.parametrize(
    "custom_id",
    ["easel:nonsense:7", "easel:draft:7", "easel:again:0", "easel:again:1y2p0ij32e8e7", "easel:again:zzzzzzzzzzzzz"],
)
async def test_a_forged_button_is_answered_kindly(stage: Stage, custom_id: str) -> None:
    card = await made(stage)
    forge(stage, card, "Again", custom_id)

    assert told(await stage.bob.click(card, custom_id=custom_id)).text == TOO_OLD
    assert stage.ledger(stage.bob) == []


@pytest.mark.parametrize("custom_id", ["easel:again:zzzzzzzzzzzzzz", "easel:again:-1", "easel:again:", "other:7"])
async def test_what_is_no_button_of_ours_starts_nothing(stage: Stage, custom_id: str) -> None:
    card = await made(stage)
    forge(stage, card, "Again", custom_id)
    await stage.bob.click(card, custom_id=custom_id)

    assert stage.ledger(stage.bob) == []
    assert len(stage.kie.tasks) == 1


@pytest.mark.parametrize("label", ["Again", "Edit", "2K", "Delete"])
async def test_somebody_elses_private_wish_is_not_had_by_its_id(stage: Stage, label: str) -> None:
    secret = await private(stage)
    card = await made(stage, "in the open", by=stage.bob)
    forge(stage, card, label, custom_id_of(secret.message, label))

    assert told(await stage.bob.click(card, label=label)).text == TOO_OLD
    assert len(stage.kie.tasks) == 2
    assert seen(secret).pictures


async def test_what_is_made_from_a_private_card_is_private(stage: Stage) -> None:
    secret = await private(stage)
    again = await pressed(stage, stage.alice, secret.message, "Again")
    larger = await pressed(stage, stage.alice, secret.message, "2K")
    modal = await stage.alice.click(secret, label="Edit")
    answers = {"prompt": "at night", **USUAL, "ratio": ["auto"]}
    edited = await stage.outcome(await stage.alice.submit_modal(modal, answers))

    assert [one.ephemeral for one in (again, larger, edited)] == [True, True, True]
    assert stage.cards() == []


async def test_a_private_card_is_deleted_by_its_owner(stage: Stage) -> None:
    secret = await private(stage)
    await stage.alice.click(secret, label="Delete")

    assert stage.channel.history(viewer=stage.alice) == []


async def test_in_direct_messages_a_press_is_paid_from_their_own_allowance(stage: Stage) -> None:
    alice = stage.alice.user
    asked = await alice.slash("imagine", prompt="between us")
    await stage.outcome(asked)
    again = await alice.click(asked.response, label="Again")
    assert len((await stage.outcome(again)).pictures) == 1
    await alice.click(asked.response, label="Delete")

    assert [one.id for one in alice.dm_channel.history()] == [again.response.id]
    assert stage.ledger(alice, server=False) == PAID * 2
    assert stage.ledger(alice) == []


@given(deadline=0.3)
async def test_a_picture_that_came_late_can_be_built_upon(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=1.0))
    await made(stage)
    await until(stage.second_post, what="the picture after all")
    await stage.rest()
    late = stage.cards()[1]
    larger = await pressed(stage, stage.bob, late, "2K")

    assert larger.small_print[-1] == f"edit of [this picture]({late.jump_url})"
    await stage.alice.click(late, label="Delete")
    assert late.id not in {one.id for one in stage.cards()}


async def private(stage: Stage) -> simcord.ResponseMessage:
    """A card that Alice alone sees."""
    asked = await stage.imagine("a secret garden", private=True)
    await stage.outcome(asked)
    assert asked.response is not None
    return asked.response


async def edit(stage: Stage, member: simcord.MemberActor, card: discord.Message) -> Seen:
    """The card of an edit by button."""
    asked = await member.click(card, label="Edit")
    return await stage.outcome(await member.submit_modal(asked, EDIT))
