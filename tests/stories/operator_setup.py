"""The operator of a story: their server, their channel for alerts, and their commands."""

from typing import Any

import discord
import simcord

from bot.config.sections import OperatorConfig
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import StoryWorld, response_of
from tests.waiting import until

FORBIDDEN = "You're not allowed to do that here."


class OperatorSetup:
    """The world's server is the operator's; they are an administrator there, and alerts come to a channel of theirs."""

    def __init__(self, world: StoryWorld) -> None:
        self.world = world
        guild = world.env.guild
        self.alerts = guild.create_text_channel("alerts")
        administrators = guild.create_role("Operator", permissions=discord.Permissions(administrator=True))
        self.operator = guild.add_member(world.env.create_user("olga"), roles=[administrators])

    async def restart(self, **changes: Any) -> None:
        """Start the bot with the operator's settings, perhaps with others besides."""
        world = self.world
        operator = OperatorConfig(guild=world.env.guild.id, alert_channel=self.alerts.id, alert_below=100)
        kie = world.bot.config.kie.model_copy(update={"balance_every": 0.05, "balance_every_paused": 0.05})
        world.bot.config = world.bot.config.model_copy(update={"operator": operator, "kie": kie, **changes})
        await world.restart()

    async def balance_is_read(self) -> None:
        """Wait until the bot knows the present balance."""
        app, kie = self.world.app, self.world.kie
        await until(
            lambda: app.balance_monitor.reading and app.balance_monitor.reading.balance == kie.balance,
            what="the balance to be read",
        )

    async def command(self, name: str, by: simcord.MemberActor | None = None, **options: Any) -> Rendered:
        """The answer to one of the operator's commands."""
        answer = rendered(response_of(await (by or self.operator).slash(self.world.channel, f"ops {name}", **options)))
        assert answer.ephemeral
        return answer

    async def status(self, by: simcord.MemberActor | None = None) -> Rendered:
        """The answer to /ops status."""
        return await self.command("status", by)

    async def alerted(self, times: int) -> list[Rendered]:
        """What stands in the channel for alerts, once it is so many messages."""

        def posts() -> list[Rendered]:
            return [rendered(message) for message in self.alerts.history(viewer=self.operator)]

        await until(lambda: len(posts()) >= times, what=f"{times} alerts")
        await self.world.rest()
        return posts()
