"""Decisions that could not be told at once, and requests whose card somebody deleted."""

from decimal import Decimal

import pytest

from bot.ui.texts.quota import YOU_GOT_NOTHING
from tests.stories.begging import ASKED, approved, begged, letters, posted, request_card
from tests.stories.managing import DECIDED
from tests.stories.pressing import custom_id_of, forge, told
from tests.stories.stage import Stage
from tests.waiting import until

YOU_GOT_5 = "Your request was approved: 5 credits more, besides your allowance. They do not expire."


@pytest.mark.parametrize("granted", [True, False], ids=["approved", "denied"])
async def test_a_decision_that_could_not_be_told_is_told_by_the_next_process(stage: Stage, *, granted: bool) -> None:
    card = await request_card(stage)
    stage.env.inject_error("POST", f"/channels/{stage.alice.user.dm_channel.id}/messages", status=503)
    if granted:
        await approved(stage, card, "5")
    else:
        await stage.admin.click(card, label="Deny")
    assert letters(stage.alice) == []
    await stage.restart()
    await until(lambda: letters(stage.alice), what="the letter")
    await stage.rest()
    await stage.restart()
    await until(lambda: stage.app.workers, what="the third process to be at work")
    await stage.rest()

    assert letters(stage.alice) == [YOU_GOT_5 if granted else YOU_GOT_NOTHING]
    assert [amount for _, amount in stage.ledger(stage.alice)] == [5 if granted else 0]


async def test_who_closed_the_door_is_not_written_to_again(stage: Stage) -> None:
    card = await request_card(stage)
    for channel in (stage.alice.user.dm_channel, stage.channel):
        stage.env.inject_error("POST", f"/channels/{channel.id}/messages", status=403, code=50007)
    await approved(stage, card, "5")
    await stage.restart()
    await until(lambda: stage.app.workers, what="the next process to be at work")
    await stage.rest()

    assert letters(stage.alice) == []
    assert stage.ledger(stage.alice) == [("grant", Decimal(5))]


async def test_a_card_that_was_deleted_keeps_nobody_from_asking_anew(stage: Stage) -> None:
    old = await request_card(stage)
    forged = custom_id_of(old, "Approve")
    await stage.admin.delete(old)
    assert (await begged(stage)).text == ASKED
    (new,) = posted(stage)

    assert new.id != old.id
    assert custom_id_of(new, "Approve") != forged
    assert (await begged(stage)).text.startswith("The admins have your last request.")
    forge(stage, new, "Deny", forged)
    assert told(await stage.admin.click(new, label="Deny")).text == DECIDED
    await approved(stage, new, "5")
    assert stage.ledger(stage.alice) == [("grant", Decimal(5))]


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (500, 0)])
async def test_a_card_that_cannot_be_looked_at_still_counts(stage: Stage, status: int, code: int) -> None:
    await request_card(stage)
    stage.env.inject_error("GET", "/channels/*/messages/*", status=status, code=code)

    assert (await begged(stage)).text.startswith("The admins have your last request.")
    assert len(posted(stage)) == 1
    assert stage.env.backend.faults == []
