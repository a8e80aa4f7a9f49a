"""What counts as this machine, and which requests share a connection."""

import pytest
from aiohttp import web

from bot.domain.ids import TaskId
from bot.domain.ports import TaskInput
from bot.domain.settings import Settings
from bot.kie.client import KieClient, KieOptions
from bot.network import client_session, is_loopback


async def test_create_task_has_a_connection_of_its_own() -> None:
    """One that died while the machine slept would leave in doubt what the task costs."""
    connections: dict[str, list[object]] = {}

    async def answer(request: web.Request) -> web.Response:
        connections.setdefault(request.path, []).append(request.transport)
        return web.json_response(
            {"code": 200, "msg": "success", "data": {"taskId": "k"} if request.can_read_body else 1}
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with client_session() as session, client_session(reuse=False) as create_session:
        client = KieClient(session, KieOptions("key", url, url), create_session=create_session)
        for _ in range(3):
            await client.create(TaskInput(TaskId(1), "a lighthouse", Settings(), ()))
            await client.balance()
    await runner.cleanup()
    assert [len(set(used)) for used in connections.values()] == [3, 1]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "10.0.0.1", "128.0.0.1", "::", "127.1", "127.0.0.1.example.com", "localhost.example.com", ""],
)
def test_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
