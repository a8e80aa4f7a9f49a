"""Two shards in one process, each with a server of its own."""

import pytest
from simcord import ChannelHandle, MemberActor

from tests.front import BotProcess
from tests.process.deployment import Deployment
from tests.process.test_discord_out_of_reach import answer
from tests.stories.rendered import rendered
from tests.waiting import until


def on_other_shard(deployment: Deployment) -> tuple[MemberActor, ChannelHandle]:
    """A member and a channel of a server that has the other shard of two."""
    env, home = deployment.front.env, deployment.alice.guild.id >> 22
    while ((guild := env.create_guild("Elsewhere")).id >> 22) % 2 == home % 2:
        pass
    return guild.add_member(env.create_user("zoe")), guild.create_text_channel("images")


async def readiness(bot: BotProcess) -> tuple[int, dict[str, bool]]:
    return await answer(bot, "/readyz")


def ready(**shards: bool) -> tuple[int, dict[str, bool]]:
    named = {name.replace("_", " "): live for name, live in shards.items()}
    return (200 if all(shards.values()) else 503), {"discord": all(shards.values()), "workers": True, **named}


@pytest.mark.long
async def test_one_shard_dies_and_resumes_while_the_other_serves(deployment: Deployment) -> None:
    front, gateway = deployment.front, deployment.front.gateway
    gateway.heartbeat_milliseconds = 1000
    zoe, elsewhere = on_other_shard(deployment)
    home = (deployment.alice.guild.id >> 22) % 2

    async with deployment.start(EASEL__CLUSTER__SHARDS="2") as bot:
        await until(lambda: gateway.identified == 2, within=30, what="both shards")

        async def is_ready(expected: tuple[int, dict[str, bool]]) -> bool:
            return await readiness(bot) == expected

        both = ready(shard_0=True, shard_1=True)
        await until(lambda: is_ready(both), within=30, what="readiness")
        (first, began), (second, followed) = gateway.identified_at
        assert ({first, second}, followed - began >= 5) == ({0, 1}, True)

        gateway.fall_silent(shard=1 - home)
        gateway.turn_away = 4
        without = ready(**{f"shard_{home}": True, f"shard_{1 - home}": False})
        await until(lambda: is_ready(without), within=30, what="the dead shard to be noticed")
        await deployment.wait_for_image(await deployment.imagine("a map"))

        await until(lambda: is_ready(both), within=60, what="the dead shard's return")
        assert (gateway.identified, gateway.resumed) == (2, 1)
        served = await zoe.slash(elsewhere, "imagine", prompt="a door")
        await until(
            lambda: served.response is not None and rendered(served.response.message).images,
            within=30,
            what="the image in the other server",
        )
        assert await bot.terminate() == 0
    acknowledged = [call.path for call in front.calls("POST", "/callback")]
    assert len(acknowledged) == len(set(acknowledged)) == 2
    assert deployment.logged_errors() == []


async def test_as_many_shards_as_discord_names(deployment: Deployment) -> None:
    deployment.front.name_shards(3, max_concurrency=3)
    gateway = deployment.front.gateway
    async with deployment.start() as bot:
        await until(lambda: gateway.identified == 3, within=30, what="three shards")
        shards, times = zip(*gateway.identified_at, strict=True)
        assert ({*shards}, max(times) - min(times) < 4) == ({0, 1, 2}, True)
        assert await bot.terminate() == 0
