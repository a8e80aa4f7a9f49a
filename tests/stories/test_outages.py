"""A server that Discord cannot show for a while, and one that comes back."""

from collections.abc import Mapping
from typing import Any

from simcord.backend import serializers

from tests.stories.asked import PAID
from tests.stories.pictures import png
from tests.stories.pressing import made, told
from tests.stories.seen import seen
from tests.stories.stage import Stage

NOT_READY = "I have just connected and do not know this server yet. Try again in a moment. Nothing was charged."


def outage(stage: Stage) -> None:
    """Discord loses sight of the server, without the bot having left it."""
    stage.env.backend.emit("GUILD_DELETE", {"id": str(stage.env.guild.id), "unavailable": True})


def over(stage: Stage) -> None:
    """The server is back, described anew."""
    backend = stage.env.backend
    payload: Mapping[str, Any] = serializers.guild_create_payload(backend, backend.get_guild(stage.env.guild.id))
    backend.emit("GUILD_CREATE", {**payload, "unavailable": False})


async def test_in_an_outage_wishes_are_refused_and_afterwards_taken(stage: Stage) -> None:
    outage(stage)
    shown = await stage.refusal(await stage.imagine())
    assert shown.text == NOT_READY
    assert stage.ledger(stage.alice) == []
    over(stage)
    await stage.delivered()

    assert stage.ledger(stage.alice) == PAID


async def test_what_was_asked_for_before_an_outage_is_delivered_in_it(stage: Stage) -> None:
    asked = await stage.imagine()
    outage(stage)
    card = await stage.outcome(asked)

    assert len(card.pictures) == 1
    assert stage.ledger(stage.alice) == PAID


async def test_buttons_and_replies_of_an_outage_cost_nothing(stage: Stage) -> None:
    card = await made(stage)
    outage(stage)
    pressed = await stage.bob.click(card, label="Again")
    said = await stage.bob.send(stage.channel, f"{stage.mention} at night", attachments=[("a.png", png())])

    assert told(pressed).text == NOT_READY
    assert [seen(one).text for one in stage.answers(said)] == [NOT_READY]
    assert stage.ledger(stage.bob) == []
