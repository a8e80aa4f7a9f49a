"""Where the outcome goes when the card cannot be edited, and where nobody else is."""

from decimal import Decimal

import simcord

from bot.ui.cards import GREEN
from demo.kie import Succeed
from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage, balance, given
from tests.waiting import until

PAID = [("reserve", Decimal(-5)), ("settle", Decimal(0))]
TOKEN_IS_DEAD_AFTER = 16 * 60


async def test_a_dead_token_moves_the_picture_to_a_new_message(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.8))
    old = await painting(await stage.imagine("a red fox in snow"))
    await stage.env.advance_time(TOKEN_IS_DEAD_AFTER)
    card = await moved(stage, old)

    assert card.colour == GREEN
    assert card.headline == "**a red fox in snow**"
    assert len(card.pictures) == 1
    assert card.small_print[0] == stage.alice.mention
    (post,) = stage.sent("POST", f"/channels/{stage.channel.id}/messages")
    assert post.json is not None
    assert post.json["allowed_mentions"] == {"parse": [], "users": [stage.alice.id]}
    assert post.json["enforce_nonce"] is True
    assert stage.ledger(stage.alice) == PAID


@given(deadline=3600)
async def test_a_token_known_to_be_dead_is_not_tried(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.8))
    old = await painting(await stage.imagine("a red fox in snow"))
    edits = len(stage.sent("PATCH"))
    await stage.env.advance_time(TOKEN_IS_DEAD_AFTER)
    stage.clock.advance(TOKEN_IS_DEAD_AFTER)
    card = await moved(stage, old)

    assert len(card.pictures) == 1
    assert len(stage.sent("PATCH")) == edits
    assert stage.ledger(stage.alice) == PAID


async def test_a_card_deleted_meanwhile_is_posted_anew(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.8))
    old = await painting(await stage.imagine("a red fox in snow"))
    await stage.admin.delete(old)
    card = await moved(stage, old)

    assert len(card.pictures) == 1
    assert stage.ledger(stage.alice) == PAID


async def test_a_private_picture_with_a_dead_token_comes_by_direct_message(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.8))
    await painting(await stage.imagine("a secret garden", private=True))
    await stage.env.advance_time(TOKEN_IS_DEAD_AFTER)
    inbox = stage.alice.user.dm_channel
    message = await until(lambda: inbox.last_message, what="a direct message")
    await stage.rest()

    assert len(seen(message).pictures) == 1
    assert stage.cards() == []
    assert stage.ledger(stage.alice) == PAID


async def test_a_picture_that_can_be_posted_nowhere_costs_nothing(stage: Stage) -> None:
    stage.expected_logs.append("generation given up: nowhere to post it")
    stage.kie.script.next_tasks(Succeed(duration=0.8))
    await painting(await stage.imagine("a red fox in snow"))
    await stage.env.advance_time(TOKEN_IS_DEAD_AFTER)
    stage.env.inject_error("POST", "/channels/*/messages", status=403, code=50013, times=None)

    given_back = [("reserve", Decimal(-5)), ("goodwill", Decimal(5))]
    await until(lambda: stage.ledger(stage.alice) == given_back, what="the credits to be given back")


async def test_when_the_channel_is_closed_the_picture_comes_as_a_direct_message(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.8))
    await painting(await stage.imagine("a red fox in snow"))
    await stage.env.advance_time(TOKEN_IS_DEAD_AFTER)
    stage.env.inject_error("POST", f"/channels/{stage.channel.id}/messages", status=403, code=50013, times=None)

    paid = [("reserve", Decimal(-5)), ("settle", Decimal(0))]
    await until(lambda: stage.ledger(stage.alice) == paid, what="the picture to be posted")
    assert len(stage.alice.user.dm_channel.history()) == 1


async def test_direct_messages_have_an_allowance_of_their_own(stage: Stage) -> None:
    await stage.delivered("in the server", model="flex", count=2)
    asked = await stage.alice.user.slash("imagine", prompt="between us", model="flex", count=3)
    card = await stage.outcome(asked)

    assert len(card.pictures) == 3
    assert card.small_print[-1:] == ["42 credits"]
    assert len(stage.alice.user.dm_channel.history()) == 1
    assert len(stage.ledger(stage.alice.user, server=False)) == 6
    assert "**22** of 50" in (await balance(stage, stage.alice)).text
    here = await stage.alice.user.slash("balance")
    assert "**8** of 50" in seen(here.response).text


async def painting(asked: simcord.InteractionResult) -> simcord.ResponseMessage:
    """The card, once KIE has what it shows and there is nothing to edit until the outcome."""
    response = asked.response
    assert response is not None
    await until(
        lambda: "🎨" in seen(response).text and not seen(response).buttons,
        what="the card to say that KIE paints",
    )
    return response


async def moved(stage: Stage, old: simcord.ResponseMessage) -> Seen:
    """The card at its new place, when nothing is left of the old one."""
    message = await until(
        lambda: next((one for one in stage.cards() if one.id != old.id), None), what="a new message in the channel"
    )
    await stage.rest()
    assert [one.id for one in stage.cards()] == [message.id]
    return seen(message)
