"""A process that starts while PostgreSQL is down: it waits, and goes on or ends."""

import asyncio
from pathlib import Path

import pytest

from bot.web.health import is_healthy
from tests.cluster.test_takeover import wait_for_log
from tests.database import server
from tests.ports import free_port
from tests.process.deployment import log_entries, open_deployment
from tests.waiting import until


@pytest.mark.long
async def test_a_process_waits_for_its_database_and_can_be_ended_meanwhile(tmp_path: Path, postgresql: str) -> None:
    port = free_port()
    settings = {
        "EASEL__DATABASE__URL": postgresql,
        "EASEL__DATABASE__FOLDER": str(tmp_path / "files"),
        "EASEL__WEB__PORT": str(port),
    }
    server().stop()
    async with open_deployment(tmp_path, None) as deployment:
        try:
            async with deployment.start(**settings) as waiting:
                await wait_for_log(waiting, "database unavailable")
                assert await asyncio.to_thread(is_healthy, "127.0.0.1", port)
                assert not await asyncio.to_thread(is_healthy, "127.0.0.1", port, "/readyz")
                assert await waiting.terminate(within=5) == 0
                assert log_entries(waiting.output())[-1]["event"] == "stopped"
            async with deployment.start(**settings) as bot:
                await wait_for_log(bot, "database unavailable")
                server().ensure_postgres_running()
                await until(lambda: deployment.front.gateway.identified == 1, within=30, what="the bot to connect")
                await deployment.wait_for_image(await deployment.imagine("a map"))
                await until(lambda: asyncio.to_thread(is_healthy, "127.0.0.1", port, "/readyz"), what="readiness")
                assert await bot.terminate(within=20) == 0
        finally:
            server().ensure_postgres_running()
