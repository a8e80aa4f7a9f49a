"""What could be told nowhere is handed over, privately, at its member's next command."""

from decimal import Decimal

import pytest
import simcord

from bot.ui.cards import AMBER, GREEN
from demo.kie import Code, Fail, Reply, Succeed, TaskOutcome
from tests.stories.asked import PAID
from tests.stories.permissions import MAY_NOT, deny
from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage
from tests.waiting import until

GIVEN_BACK = [("reserve", Decimal(-5)), ("goodwill", Decimal(5))]
HERE_IT_IS = "This could not be posted where you asked for it. Here it is; nothing was charged."


async def left_over(stage: Stage, end: TaskOutcome | None = None, *, private: bool = False) -> None:
    """A wish of Alice's that ends when the token is dead and neither channel nor member take a message."""
    stage.expected_logs.append("generation given up: nowhere to post it")
    stage.kie.script.next_tasks(end or Succeed(duration=0.6))
    asked = await stage.imagine("a red fox in snow", private=private)
    response = asked.response
    assert response is not None
    await until(lambda: "🎨" in seen(response).text and not seen(response).buttons, what="KIE to paint")
    await stage.env.advance_time(16 * 60)
    stage.env.inject_error("POST", "/channels/*/messages", status=403, code=50001, times=None)
    await until(lambda: len(stage.ledger(stage.alice)) == 2, what="the credits to be given back")
    await stage.rest()
    stage.env.backend.faults.clear()


async def handed_over(stage: Stage, asked: simcord.InteractionResult) -> Seen:
    """What a command's answer is followed by, for its member alone."""
    (message,) = await until(lambda: asked.followups, what="what was left over")
    shown = seen(message)
    assert shown.ephemeral
    assert message.id not in {one.id for one in stage.cards()}
    return shown


async def test_the_next_command_brings_the_picture(stage: Stage) -> None:
    await left_over(stage)
    others = await stage.bob.slash(stage.channel, "balance")
    asked = await stage.alice.slash(stage.channel, "balance")
    shown = await handed_over(stage, asked)
    again = await stage.alice.slash(stage.channel, "balance")

    assert shown.texts == ("**a red fox in snow**", HERE_IT_IS)
    assert shown.colour == AMBER
    assert [picture.alt_text for picture in shown.pictures] == ["a red fox in snow"]
    assert asked.response is not None
    assert "**50** of 50" in seen(asked.response).text
    assert (others.followups, again.followups) == ([], [])
    assert stage.ledger(stage.alice) == GIVEN_BACK


async def test_the_next_process_brings_it_too(stage: Stage) -> None:
    await left_over(stage, private=True)
    await stage.restart()
    await until(lambda: stage.app.workers, what="the new process to have looked at what it found")
    shown = await handed_over(stage, await stage.alice.slash(stage.channel, "balance"))

    assert len(shown.pictures) == 1
    assert len([call for call in stage.kie.requests if call.path.startswith("/results/")]) == 1, "it was kept"
    assert stage.ledger(stage.alice) == GIVEN_BACK


async def test_it_never_takes_the_place_of_a_public_answer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.ui.undelivered._LOOKS", (60, 60))
    await left_over(stage)
    stage.kie.script.always("recordInfo", Code(200, "success", {}))
    # While no progress can be shown, the channel sees "thinking…": the next thing sent would take its place.
    stage.env.inject_error("PATCH", "/webhooks/*", status=403, code=50001, times=None)
    asked = await stage.imagine("a blue hare")
    assert asked.response is not None
    await until(lambda: len(stage.kie.tasks) == 2, what="KIE to be asked")
    assert seen(asked.response).thinking
    assert asked.followups == []
    stage.env.backend.faults.clear()
    stage.kie.script.clear()
    card = await stage.outcome(asked)
    assert asked.followups == []
    await stage.env.advance_time(61)
    shown = await handed_over(stage, asked)

    assert card.headline == "**a blue hare**"
    assert card.colour == GREEN
    assert not card.ephemeral
    assert shown.texts == ("**a red fox in snow**", HERE_IT_IS)
    assert stage.ledger(stage.alice) == GIVEN_BACK + PAID


async def test_a_command_that_is_refused_brings_it_too(stage: Stage) -> None:
    await left_over(stage)
    asked = await stage.imagine("ab ")
    refusal, handed = await until(lambda: asked.followups[1:] and asked.followups, what="what was left over")

    assert seen(refusal).text.startswith("A prompt has 3 to 5,000 characters")
    assert len(seen(handed).pictures) == 1
    assert seen(handed).ephemeral
    assert handed.id not in {one.id for one in stage.cards()}
    assert stage.ledger(stage.alice) == GIVEN_BACK


async def test_the_very_channel_that_is_closed_to_the_bot_is_no_hindrance(stage: Stage) -> None:
    await left_over(stage)
    deny(stage, "send_messages")
    asked = await stage.imagine("once more")
    shown = await handed_over(stage, asked)

    assert asked.response is not None
    assert seen(asked.response).text == MAY_NOT
    assert len(shown.pictures) == 1


@pytest.mark.parametrize("how", ["answer", "placeholder"])
async def test_what_discord_does_not_take_waits_for_the_command_after(stage: Stage, how: str) -> None:
    await left_over(stage)
    path = "/webhooks/*" if how == "answer" else "/webhooks/*/messages/@original"
    stage.env.inject_error("POST" if how == "answer" else "GET", path, status=404, code=10015)
    asked = await stage.alice.slash(stage.channel, "balance")
    assert asked.followups == []
    assert stage.env.backend.faults == []
    shown = await handed_over(stage, await stage.alice.slash(stage.channel, "balance"))

    assert len(shown.pictures) == 1


async def test_a_picture_that_is_lost_is_still_told_of(stage: Stage) -> None:
    await left_over(stage)
    for path in (stage.database.parent / "spool").iterdir():
        path.unlink()
    stage.kie.script.always("result", Reply(404, b""))
    shown = await handed_over(stage, await stage.alice.slash(stage.channel, "balance"))

    assert shown.pictures == ()
    assert shown.texts[-1] == (
        "This could not be told where you asked for it. The picture could not be posted here. Nothing was charged."
    )


async def test_a_failure_that_could_be_told_nowhere_is_told_as_well(stage: Stage) -> None:
    await left_over(stage, Fail("422", "flagged as sensitive", duration=0.6))
    shown = await handed_over(stage, await stage.alice.slash(stage.channel, "balance"))

    assert shown.texts[-1] == (
        "This could not be told where you asked for it. KIE's safety filter declined this. "
        "Try other words or another picture. Nothing was charged."
    )
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5)), ("refund", Decimal(5))]
