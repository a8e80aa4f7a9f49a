"""The bot's service in the Compose file, as a process of this machine with its environment, secrets and checks."""

import asyncio
import subprocess
import sys
from os import environ
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.deploy.files import COMPOSE, ROOT, easel_services, environment, image
from tests.ports import free_port
from tests.process.deployment import KIE_KEY, open_deployment
from tests.waiting import until

pytestmark = pytest.mark.long


async def test_the_service_makes_an_image_and_shows_metrics(tmp_path: Path) -> None:
    service = easel_services(COMPOSE)["bot"]
    _cmd, _python, *health = service["healthcheck"]["test"]
    _python, _module, module, *arguments = image().command
    async with open_deployment(tmp_path, None) as deployment:
        for name, secret in {"discord_token": deployment.front.token, "kie_api_key": KIE_KEY}.items():
            (tmp_path / name).touch(mode=0o600)
            (tmp_path / name).write_text(secret)
        config = tmp_path / "config.toml"
        config.touch(mode=0o600)
        ports = {name: str(free_port()) for name in ("EASEL__WEB__PORT", "EASEL__METRICS__PORT")}
        given = {"EASEL__DISCORD__TOKEN", "EASEL__KIE__API_KEY"}
        settings = {name: value for name, value in deployment.settings.items() if name not in given}
        settings |= environment(service, tmp_path) | ports

        async def is_healthy() -> bool:
            check = await asyncio.create_subprocess_exec(
                sys.executable, *health, cwd=ROOT, env={**environ, **settings}, stdout=subprocess.DEVNULL
            )
            return await check.wait() == 0

        launched = deployment.front.launch(module, "--config", str(config), *arguments, environment=settings)
        async with launched as bot:
            await until(is_healthy, within=60, what="the service to be healthy")
            await deployment.imagine("a lighthouse")
            await deployment.wait_until_settled()
            async with aiohttp.ClientSession() as session:
                address = URL.build(scheme="http", host="127.0.0.1", port=int(ports["EASEL__METRICS__PORT"]))
                async with session.get(address / "metrics") as response:
                    assert 'easel_gateway_shard_up{shard="0"} 1.0' in await response.text()
            assert await bot.terminate(within=float(service["stop_grace_period"].removesuffix("s"))) == 0
