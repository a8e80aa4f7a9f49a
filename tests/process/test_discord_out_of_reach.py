"""Discord cannot be reached: at the start, in the middle of the run, and for good."""

import signal
from typing import Any

import aiohttp
import pytest

from demo.kie import Succeed
from tests.front import BotProcess, Fault
from tests.process.deployment import Deployment, log_entries
from tests.process.test_lifecycle import web_address
from tests.waiting import until

LONG = pytest.mark.long


async def answer(bot: BotProcess, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(await web_address(bot) + path) as response:
        return response.status, await response.json()


async def wait_until_ready(bot: BotProcess, *, ready: bool = True, within: float = 30) -> None:
    async def as_expected() -> bool:
        return await answer(bot, "/readyz") == (200 if ready else 503, {"discord": ready, "workers": True})

    await until(as_expected, within=within, what=f"readiness {ready}")


def events(bot: BotProcess, event: str) -> list[dict[str, Any]]:
    return [entry for entry in log_entries(bot.output()) if entry["event"] == event]


@pytest.mark.parametrize(
    ("path", "faults", "waits"),
    [
        pytest.param("/users/@me", [Fault(status=401, html=True), Fault(status=200, html=True)], [1, 2], marks=LONG),
        ("/users/@me", [Fault(cut=True), Fault(status=429, html=True, retry_after=2.4)], [1, 3]),
        pytest.param("/oauth2/applications/@me", [Fault(status=403, html=True), Fault(status=503)], [1, 2], marks=LONG),
    ],
    ids=["a proxy's pages", "Cloudflare's block, reset", "after the first call"],
)
async def test_a_discord_that_answers_later_is_waited_for(
    deployment: Deployment, path: str, faults: list[Fault], waits: list[int]
) -> None:
    for fault in faults:
        # aiohttp itself asks once more after a cut.
        deployment.front.faults.on("GET", path, fault, times=2 if fault.cut else 1)
    async with deployment.bot() as bot:
        await wait_until_ready(bot)
        assert [entry["retry_in"] for entry in events(bot, "Discord cannot be reached")] == waits
        await deployment.wait_for_image(await deployment.imagine("a map"))
    assert len(deployment.front.calls("PUT", "/commands")) == 1
    assert deployment.logged_errors() == []
    assert "Traceback" not in deployment.outputs[0]


@pytest.mark.parametrize(
    "api_url",
    [
        "http://127.0.0.1:1/api/v10",
        pytest.param("https://discord.invalid/api/v10", marks=LONG),
        pytest.param("https://{front}/api/v10", marks=LONG),
        "{hang}",
    ],
    ids=["refused", "no such name", "no TLS", "hanging"],
)
async def test_while_waiting_it_is_alive_and_ends_at_once(deployment: Deployment, api_url: str) -> None:
    front = deployment.front.api_url
    deployment.front.faults.on("GET", "/users/@me", Fault(hang=True), times=None)
    address = front if api_url == "{hang}" else api_url.format(front=front.split("/")[2])
    async with deployment.start(EASEL__DISCORD__API_URL=address) as bot:
        if api_url == "{hang}":
            await until(lambda: deployment.front.calls("GET", "/users/@me"), within=30, what="the login")
        else:
            await until(lambda: len(events(bot, "Discord cannot be reached")) > 1, within=30, what="two attempts")
        assert await answer(bot, "/healthz") == (200, {"status": "ok"})
        assert await answer(bot, "/readyz") == (503, {"discord": False, "workers": True})
        assert await bot.terminate() == 0
    assert deployment.logged_errors() == []
    assert "Traceback" not in deployment.outputs[0]


async def test_kie_is_polled_while_discord_is_waited_for(deployment: Deployment) -> None:
    def polls() -> int:
        return sum(call.path.endswith("recordInfo") for call in deployment.kie.requests)

    deployment.kie.script.next_tasks(Succeed(duration=3.0))
    async with deployment.bot() as first:
        interaction = await deployment.imagine("a map")
        await deployment.wait_until_running(interaction)
        first.send(signal.SIGKILL)
        await first.ended()
    asked, outage = polls(), deployment.front.faults.on("GET", "/users/@me", Fault(status=503), times=None)
    async with deployment.start() as second:
        await until(lambda: polls() > asked, within=30, what="KIE to be polled")
        await until(lambda: outage.hits > 1, within=30, what="two attempts to log in")
        outage.times = 0
        await deployment.wait_for_image(interaction)
        assert await second.terminate(within=20) == 0


@pytest.mark.long
async def test_what_discord_says_itself_about_the_token_is_believed(deployment: Deployment) -> None:
    refusal = Fault(status=401, message="401: Unauthorized", content_type="application/json; charset=utf-8")
    deployment.front.faults.on("GET", "/users/@me", Fault(status=503))
    deployment.front.faults.on("GET", "/users/@me", refusal)
    async with deployment.start() as bot:
        assert await bot.ended(within=30) == 78
        assert "easel: Discord refused discord.token" in bot.output()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(status=429, html=True), marks=LONG),
        pytest.param(Fault(status=503), marks=LONG),
        pytest.param(Fault(status=403, html=True), marks=LONG),
        Fault(status=400, code=50035),
    ],
    ids=["Cloudflare", "outage", "proxy", "refused"],
)
async def test_commands_that_discord_does_not_take_are_sent_again(deployment: Deployment, fault: Fault) -> None:
    deployment.front.faults.on("PUT", "/applications/*/commands", fault)
    async with deployment.bot() as bot:
        await wait_until_ready(bot)
        await until(lambda: events(bot, "commands synced"), within=30, what="the commands")
        await deployment.wait_for_image(await deployment.imagine("a map"))
    assert [call.status for call in deployment.front.calls("PUT", "/commands")] == [fault.status, 200]


@pytest.mark.long
async def test_a_gateway_that_turns_the_bot_away_is_tried_again(deployment: Deployment) -> None:
    gateway = deployment.front.gateway
    gateway.turn_away = 2
    async with deployment.bot() as bot:
        await wait_until_ready(bot)
        # The session's connection ends, and the next ones are refused.
        gateway.turn_away = 3
        await deployment.front.drop_gateway(1001)
        await until(lambda: gateway.turn_away == 0, within=30, what="the attempts")
        await wait_until_ready(bot)
        assert (await answer(bot, "/healthz"))[0] == 200
    assert (gateway.identified, gateway.resumed) == (1, 1)
    assert deployment.logged_errors() == []
    assert "Traceback" not in deployment.outputs[0]


@pytest.mark.long
@pytest.mark.parametrize("acknowledges", [False, True], ids=["silent", "no session"])
async def test_a_connection_that_is_open_but_dead_is_replaced(deployment: Deployment, acknowledges: bool) -> None:
    gateway = deployment.front.gateway
    gateway.heartbeat_milliseconds = 1000
    async with deployment.bot() as bot:
        await wait_until_ready(bot)
        if acknowledges:
            gateway.endless_invalid_sessions = True
            gateway.invalidate(resumable=False)
            await wait_until_ready(bot, ready=False)
        else:
            sessions = gateway.identified + gateway.resumed
            gateway.fall_silent()
            # Until then it is not ready, which can be a moment.
            await until(lambda: gateway.identified + gateway.resumed > sessions, within=30, what="another connection")
        gateway.endless_invalid_sessions = False
        await wait_until_ready(bot, within=60)
        await deployment.wait_for_image(await deployment.imagine("a map"))
    assert deployment.logged_errors() == []


async def test_a_silent_gateway_does_not_hold_up_the_end(deployment: Deployment) -> None:
    async with deployment.bot() as bot:
        await wait_until_ready(bot)
        deployment.front.gateway.fall_silent()
        assert await bot.terminate() == 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(4004, "copy the bot's token again", marks=LONG),
        pytest.param(4011, "more shards", marks=LONG),
        pytest.param(4013, "update Easel", marks=LONG),
        (4014, "Message Content Intent"),
    ],
)
async def test_a_final_close_code_ends_the_process_with_a_sentence(
    deployment: Deployment, code: int, words: str
) -> None:
    async with deployment.bot() as bot:
        await wait_until_ready(bot)
        await deployment.front.drop_gateway(code)
        assert await bot.ended(within=20) == 78
    (output,) = deployment.outputs
    assert words in next(line for line in output.splitlines() if line.startswith("easel: "))
    assert "Traceback" not in output
