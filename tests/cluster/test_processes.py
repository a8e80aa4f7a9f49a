"""Whole processes, side by side in this one: the one with the shards loses them, the one that stands by takes them."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot import process
from bot.assembly import assemble
from bot.cluster.ports import LocalLeases
from bot.config import Config, load
from bot.config.sections import ClusterConfig, DatabaseConfig, WebConfig
from demo.kie import Delay
from tests.ports import free_port
from tests.process.deployment import Deployment, open_deployment
from tests.stories.images import png
from tests.waiting import until


@pytest.fixture
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run of the bot changes of its process is put back."""
    monkeypatch.setattr(Route, "BASE", Route.BASE)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", DiscordWebSocket.DEFAULT_GATEWAY)
    for name in ("hide_memory", "_tune_garbage_collector"):
        monkeypatch.setattr(process, name, lambda: None)


async def readiness(config: Config) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{config.web.port}/readyz"
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.json()
    except aiohttp.ClientError:
        return 0, {}


def reads(config: Config, *expected: Any) -> Callable[[], Any]:
    async def as_expected() -> bool:
        return await readiness(config) == expected

    return as_expected


async def test_one_stands_by_and_serves_when_the_other_has_lost_the_shards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, only_loopback: None
) -> None:
    async with open_deployment(tmp_path, None) as deployment:
        await lose_and_take_over(deployment, monkeypatch, tmp_path)


async def lose_and_take_over(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    leases = LocalLeases()
    monkeypatch.setattr(process, "assemble", partial(assemble, leases=leases))
    gateway = deployment.front.gateway

    for name, value in deployment.settings.items():
        monkeypatch.setenv(name, value)

    def config(name: str) -> Config:
        (folder / name).mkdir()
        changes = {
            "web": WebConfig(port=free_port()),
            "database": DatabaseConfig(url=f"sqlite:///{folder / name / 'easel.db'}"),
            "cluster": ClusterConfig(lease=2),
        }
        return load(None).model_copy(update=changes)

    first_config, second_config = config("first"), config("second")
    first = asyncio.create_task(process.run(first_config))
    await until(reads(first_config, 200, {"discord": True, "workers": True}), within=30, what="the first one")
    second = asyncio.create_task(process.run(second_config))
    await until(reads(second_config, 200, {"standby": True, "workers": True}), within=30, what="the stand-by")
    assert gateway.identified == 1

    monkeypatch.setattr(process, "_DRAIN_SECONDS", 20)
    deployment.kie.script.on("upload", Delay(2))
    await deployment.imagine("with a reference", image=("sketch.png", png()))
    await until(lambda: any("upload" in call.path for call in deployment.kie.requests), what="the upload")

    # As if it had hung for longer than its lease: another one has had it in between.
    await leases.release("gateway:0", 1)
    assert await leases.acquire("gateway:0", 0.1) == 2
    assert await asyncio.wait_for(first, 30) is False
    with closing(sqlite3.connect(folder / "first" / "easel.db")) as database:
        assert database.execute("SELECT prompt FROM generations").fetchall() == [("with a reference",)]
    await until(reads(second_config, 200, {"discord": True, "workers": True}), within=30, what="the takeover")
    await deployment.wait_for_image(await deployment.imagine("a map"))
    assert gateway.identified == 2

    second.cancel()
    await asyncio.wait({second})
    assert not await leases.held("gateway:")
