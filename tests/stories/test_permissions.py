"""Where the bot may not post, it says so before anything is done."""

import pytest

from bot.generation.pending_cards import read_pending_cards
from tests.kie.schema import caused
from tests.stories.asked import PAID
from tests.stories.permissions import MAY_NOT, deny
from tests.stories.pictures import png
from tests.stories.pressing import USUAL, made, told
from tests.stories.stage import Stage
from tests.stories.test_quota_places import thread_of

ATTACHED = [("sketch.png", png())]
NEEDED = pytest.mark.parametrize("missing", ["view_channel", "send_messages", "attach_files"])


def untouched(stage: Stage) -> None:
    """Nothing was asked of KIE, nobody paid, and no card was left open."""
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []
    assert read_pending_cards(stage.database.parent / "openings.journal") == []


@NEEDED
async def test_a_command_is_told_so_privately(stage: Stage, missing: str) -> None:
    deny(stage, missing)
    asked = await stage.imagine(image=ATTACHED[0])

    assert told(asked).text == MAY_NOT
    assert stage.cards() == []
    untouched(stage)


@NEEDED
async def test_a_private_wish_needs_no_permission(stage: Stage, missing: str) -> None:
    deny(stage, missing)
    card = await stage.outcome(await stage.imagine(private=True))

    assert len(card.pictures) == 1
    assert card.ephemeral
    assert stage.ledger(stage.alice) == PAID


async def test_a_thread_asks_for_its_own_permission(stage: Stage) -> None:
    thread = thread_of(stage, stage.channel)
    deny(stage, "send_messages")
    asked = await stage.alice.slash(thread, "imagine", prompt="a castle")
    assert len((await stage.outcome(asked)).pictures) == 1
    deny(stage, "send_messages_in_threads")
    refused = await stage.bob.slash(thread, "imagine", prompt="a castle")

    assert told(refused).text == MAY_NOT
    assert stage.ledger(stage.bob) == []
    assert len((await stage.delivered("in the channel itself")).pictures) == 1


@pytest.mark.parametrize("label", ["Again", "2K"])
async def test_a_button_is_told_so_privately(stage: Stage, label: str) -> None:
    card = await made(stage)
    deny(stage, "attach_files")
    before = len(stage.kie.tasks)

    assert told(await stage.bob.click(card, label=label)).text == MAY_NOT
    assert len(stage.kie.tasks) == before
    assert stage.ledger(stage.bob) == []


async def test_a_form_is_told_so_privately(stage: Stage) -> None:
    card = await made(stage)
    opened = await stage.bob.click(card, label="Edit")
    deny(stage, "attach_files")
    sent = await stage.bob.submit_modal(opened, {"prompt": "colder", "ratio": ["1:1"], **USUAL})

    assert told(sent).text == MAY_NOT
    assert stage.ledger(stage.bob) == []


async def test_a_reply_is_told_so_in_a_line(stage: Stage) -> None:
    deny(stage, "attach_files")
    said = await stage.alice.send(stage.channel, f"{stage.mention} at night", attachments=ATTACHED)

    assert [one.content for one in stage.answers(said)] == [MAY_NOT]
    untouched(stage)


@pytest.mark.parametrize("missing", ["send_messages", "view_channel"])
async def test_where_not_even_a_line_can_be_said_a_reply_starts_nothing(stage: Stage, missing: str) -> None:
    deny(stage, missing)
    said = await stage.alice.send(stage.channel, f"{stage.mention} at night", attachments=ATTACHED)

    assert stage.answers(said) == []
    untouched(stage)


async def test_direct_messages_need_no_permission(stage: Stage) -> None:
    asked = await stage.alice.user.slash("imagine", prompt="between us")

    assert len((await stage.outcome(asked)).pictures) == 1
