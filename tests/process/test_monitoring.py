"""A real process: where Prometheus may read its metrics, and its end while Sentry hangs."""

import socket

import aiohttp
import pytest

from tests.ports import free_port
from tests.process.deployment import Deployment
from tests.process.test_lifecycle import web_address
from tests.waiting import until


async def get(url: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


@pytest.mark.long
async def test_metrics_have_a_port_of_their_own(deployment: Deployment) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as sentry:
        settings = {
            "EASEL__METRICS__PORT": str(port),
            "EASEL__SENTRY__DSN": f"http://key@127.0.0.1:{sentry.getsockname()[1]}/1",
        }
        async with deployment.bot(**settings) as bot:

            async def connected() -> bool:
                _, text = await get(f"http://127.0.0.1:{port}/metrics")
                assert "\nprocess_resident_memory_bytes " in text
                return '\neasel_gateway_shard_up{shard="0"} 1.0\n' in text

            await until(connected, what="the shard to know its servers")
            assert (await get(await web_address(bot) + "/metrics"))[0] == 404


@pytest.mark.long
async def test_with_a_token_alone_metrics_are_on_the_web_server(deployment: Deployment) -> None:
    async with deployment.bot(EASEL__METRICS__TOKEN="hunter2") as bot:
        url = await web_address(bot) + "/metrics"
        assert (await get(url))[0] == 401
        assert "\neasel_leader 1.0\n" in (await get(url, "hunter2"))[1]
