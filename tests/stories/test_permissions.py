"""Where the bot may not post, or cannot see the server, it says so before anything is done."""

from collections.abc import Mapping
from typing import Any

import pytest
import simcord
from simcord.backend import serializers

from bot.domain.errors import MayNotPost
from bot.ui.texts.refusals import refusal
from tests.stories.components import EDIT_FORM, new_card, private_answer
from tests.stories.images import png
from tests.stories.pending_cards import pending_cards
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld

ATTACHED = [("sketch.png", png())]
MAY_NOT = refusal(MayNotPost())
NOT_READY = "I've just connected and don't know this server yet. Try again in a moment. Nothing was charged."
EVERY_PERMISSION = pytest.mark.parametrize("missing", ["view_channel", "send_messages", "attach_files"])


def check_untouched(world: StoryWorld) -> None:
    """Nothing was asked of KIE, nobody paid, and no card is pending."""
    world.check_nothing_started()
    assert pending_cards(world) == []


def thread_in(world: StoryWorld, channel: simcord.ChannelHandle) -> simcord.ChannelHandle:
    """A thread that a member opened there."""
    thread = world.env.backend.create_thread(channel.id, "details", owner_id=world.bob.id)
    return next(known for known in channel.threads if known.id == thread.id)


@EVERY_PERMISSION
async def test_a_command_is_told_so_privately(world: StoryWorld, missing: str) -> None:
    world.deny_bot(missing)
    command = await world.imagine(image=ATTACHED[0])

    assert private_answer(command).text == MAY_NOT
    assert world.messages() == []
    check_untouched(world)


@EVERY_PERMISSION
async def test_a_private_request_needs_no_permission(world: StoryWorld, missing: str) -> None:
    world.deny_bot(missing)
    card = await world.delivered(private=True)

    assert len(card.images) == 1
    assert card.ephemeral
    assert world.ledger(world.alice) == PAID


async def test_a_thread_asks_for_its_own_permission(world: StoryWorld) -> None:
    thread = thread_in(world, world.channel)
    world.deny_bot("send_messages")
    allowed = await world.alice.slash(thread, "imagine", prompt="a castle")
    assert len((await world.outcome(allowed)).images) == 1
    world.deny_bot("send_messages_in_threads")
    refused = await world.bob.slash(thread, "imagine", prompt="a castle")

    assert private_answer(refused).text == MAY_NOT
    assert world.ledger(world.bob) == []
    assert len((await world.delivered("in the channel itself")).images) == 1


async def test_buttons_and_forms_are_told_so_privately(world: StoryWorld) -> None:
    card = await new_card(world)
    opened = await world.bob.click(card, label="Edit")
    world.deny_bot("attach_files")
    refused = [await world.bob.click(card, label=label) for label in ("Again", "2K · 7")]
    refused.append(await world.bob.submit_modal(opened, {"prompt": "colder", **EDIT_FORM}))

    assert [private_answer(command).text for command in refused] == [MAY_NOT] * 3
    assert len(world.kie.tasks) == 1
    assert world.ledger(world.bob) == []


async def test_a_reply_is_told_so_in_a_line(world: StoryWorld) -> None:
    world.deny_bot("attach_files")
    message = await world.mention_bot("at night", attachments=ATTACHED)

    assert [answer.content for answer in world.answers(message)] == [MAY_NOT]
    check_untouched(world)


@pytest.mark.parametrize("missing", ["send_messages", "view_channel"])
async def test_where_not_even_a_line_can_be_said_a_reply_starts_nothing(world: StoryWorld, missing: str) -> None:
    world.deny_bot(missing)

    assert world.answers(await world.mention_bot("at night", attachments=ATTACHED)) == []
    check_untouched(world)


def begin_outage(world: StoryWorld) -> None:
    """Discord cannot show the server, which the bot has not left."""
    world.env.backend.emit("GUILD_DELETE", {"id": str(world.env.guild.id), "unavailable": True})


def end_outage(world: StoryWorld) -> None:
    """Discord describes the server again."""
    backend = world.env.backend
    payload: Mapping[str, Any] = serializers.guild_create_payload(backend, backend.get_guild(world.env.guild.id))
    backend.emit("GUILD_CREATE", {**payload, "unavailable": False})


async def test_in_an_outage_requests_are_refused_and_afterwards_accepted(world: StoryWorld) -> None:
    begin_outage(world)
    assert world.refusal(await world.imagine()).text == NOT_READY
    assert world.ledger(world.alice) == []
    end_outage(world)
    await world.delivered()

    assert world.ledger(world.alice) == PAID


async def test_what_was_requested_before_an_outage_is_delivered_in_it(world: StoryWorld) -> None:
    command = await world.imagine()
    begin_outage(world)

    assert len((await world.outcome(command)).images) == 1
    assert world.ledger(world.alice) == PAID


async def test_buttons_and_replies_of_an_outage_cost_nothing(world: StoryWorld) -> None:
    card = await new_card(world)
    begin_outage(world)
    pressed = await world.bob.click(card, label="Again")
    message = await world.mention_bot("at night", by=world.bob, attachments=ATTACHED)

    assert private_answer(pressed).text == NOT_READY
    assert [rendered(answer).texts[0] for answer in world.answers(message)] == [NOT_READY]
    assert world.ledger(world.bob) == []
