"""download-url: another address for a result whose host is unknown."""

from typing import Any

import aiohttp
import pytest

from bot.domain.image_api_errors import PollFailed
from bot.kie.client import KieClient
from demo.kie import Behaviour, Code, CutBefore, Html, Http429, KieStandIn, Reply, Succeed
from tests.factories import make_task_input

ADDRESS = "https://tempfile.example.com/a.png"


async def test_a_result_elsewhere_gets_an_address_that_serves_it(
    client: KieClient, kie: KieStandIn, session: aiohttp.ClientSession
) -> None:
    kie.script.next_tasks(Succeed(urls=("https://cdn-eu.example.com/a.png",)))
    task = await client.create(make_task_input())
    address = await client.download_url("https://cdn-eu.example.com/a.png")
    assert address == f"{kie.base_url}/results/{task}-1.png"
    call = kie.requests[-1]
    async with session.get(address) as response:
        assert (response.status, response.content_type) == (200, "image/png")
    assert (call.method, call.path, call.json) == (
        "POST",
        "/api/v1/common/download-url",
        {"url": "https://cdn-eu.example.com/a.png"},
    )
    assert call.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("data", [ADDRESS, {"downloadUrl": ADDRESS}], ids=str)
async def test_the_address_is_the_data(client: KieClient, kie: KieStandIn, data: Any) -> None:
    kie.script.on("downloadUrl", Code(200, "success", data))
    assert await client.download_url("https://cdn.example.com/a") == ADDRESS


NO_ADDRESS: list[Any] = [None, "", 7, [], {}, "ftp://x/a", "javascript:a", {"downloadUrl": None}]


@pytest.mark.parametrize(
    "behaviour",
    [
        *(Code(200, "success", data) for data in NO_ADDRESS),
        *(Code(code, "no", ADDRESS) for code in (401, 404, 422, 429, 455, 500, 505)),
        *(Html(200), Html(502), Http429(), Reply(200, b""), CutBefore()),
    ],
    ids=str,
)
async def test_anything_else_is_an_error(client: KieClient, kie: KieStandIn, behaviour: Behaviour) -> None:
    kie.script.on("downloadUrl", behaviour)
    with pytest.raises(PollFailed):
        await client.download_url("https://cdn.example.com/a.png")


async def test_what_kie_did_not_make_has_none(client: KieClient) -> None:
    with pytest.raises(PollFailed):
        await client.download_url("https://elsewhere.example.com/a.png")
