"""The README's last three steps, taken by somebody who has never seen Easel, with stand-ins for Discord and KIE."""

import asyncio
import sys
from decimal import Decimal
from os import environ
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

from tests.process.deployment import KIE_KEY, Deployment, bot_settings
from tests.waiting import until

_ROOT = Path(__file__).parents[2]


@pytest.mark.long
async def test_from_a_clone_to_a_bot_that_is_ready(deployment: Deployment, tmp_path: Path) -> None:
    """The stand-ins' addresses are all that is configured beside what `init` asks for."""
    port = unused_port()
    settings = bot_settings(deployment.front, deployment.kie, KIE_KEY, f"sqlite:///{tmp_path}/new/easel.db")
    addresses = {name: value for name, value in settings.items() if "TOKEN" not in name and "API_KEY" not in name}
    environment = environ | addresses | {"EASEL__WEB__PORT": str(port), "PYTHONPATH": str(_ROOT)}
    environment |= {"EASEL__LIMITS__DAILY_BUDGET": "500", "EASEL__LOG__FORMAT": "console"}
    deployment.kie.balance = Decimal(1240)

    async def run(*arguments: str, entered: str = "") -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *arguments),
            cwd=tmp_path,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate(entered.encode())
        return process.returncode, printed.decode()

    code, printed = await run("run")
    assert (code, "`python -m bot init`" in printed) == (78, True)
    code, printed = await run("init", entered=f"{deployment.front.token}\n{KIE_KEY}\n1\n")
    assert (code, "`make doctor`, then `make run`" in printed) == (0, True), printed
    code, printed = await run("check")
    assert (code, "\nNo problems found.\n" in printed) == (0, True), printed
    assert "✓ KIE credits             1,240 credits: 248 images" in printed
    config = tmp_path / "config.toml"
    async with deployment.front.launch("bot", "run", "--config", str(config), environment=environment) as bot:

        async def is_ready() -> bool:
            return bot.returncode is not None or (await run("health", "--ready"))[0] == 0

        await until(is_ready, within=30, what="the bot to be ready")
        assert bot.returncode is None, bot.output()
        code, printed = await run("check", "--config", str(config))
        assert (code, "is in use by a running Easel" in printed) == (0, True), printed
        assert await bot.terminate(within=20) == 0
