"""Whom alerts reach, and that each comes once."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from bot.config.sections import OperatorConfig
from tests.stories.operator_setup import OperatorSetup
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld
from tests.waiting import until

REFUSALS = {"no permission": (403, 50013), "deleted": (404, 10003), "a category": (400, 50008)}


@pytest.mark.parametrize("refusal", [None, *REFUSALS])
async def test_without_a_channel_that_takes_it_an_alert_goes_to_the_applications_owner_once(
    world: StoryWorld, ops: OperatorSetup, monkeypatch: pytest.MonkeyPatch, refusal: str | None
) -> None:
    channel, of_team = 0, refusal == "deleted"
    if refusal is not None:
        channel, (status, code) = ops.alerts.id, REFUSALS[refusal]
        world.env.inject_error("POST", f"/channels/{channel}/messages", status=status, code=code, times=None)
    await ops.restart(operator=OperatorConfig(alert_channel=channel, alert_below=100))
    owner = ops.operator.user
    application = world.app.client.application
    assert application is not None
    # A team has an account as the application's owner to which nobody logs in.
    monkeypatch.setattr(application, "owner", SimpleNamespace(id=world.bob.id if of_team else owner.id))
    monkeypatch.setattr(application, "team", SimpleNamespace(owner_id=owner.id) if of_team else None)
    world.kie.balance = Decimal(50)
    await ops.balance_is_read()
    (alert,) = await until(owner.dm_channel.history, what="the alert")
    assert rendered(alert).text.startswith("⚠️ KIE's balance is low: 50 credits")

    for balance in (40, 30):
        world.kie.balance = Decimal(balance)
        await ops.balance_is_read()
    await world.restart()
    await ops.balance_is_read()
    await world.rest()
    assert len(owner.dm_channel.history()) == 1
    assert ops.alerts.history(viewer=ops.operator) == []
    assert len(world.calls("POST", "/users/@me/channels")) == 1, "to nobody else, nor again after a restart"
