"""One process from its start to its end."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
import pytest
from PIL import Image
from simcord import InteractionResult

from bot.domain.install import install_link
from bot.ui.texts.cards import INTERRUPTED
from bot.web.health import is_healthy
from demo.kie import Behaviour, Code, Delay, Hang, Html, Succeed
from tests.front import BotProcess, Fault
from tests.kie.schema import caused
from tests.process.deployment import KIE_KEY, Deployment, fetched, log_entries
from tests.stories.images import pixels, png
from tests.test_permissions import open_to_others
from tests.waiting import until

WORD = "quetzalcoatlus"
"""A word of prompts and file names, which must never be logged."""
NOT_DISCORDS = [
    Fault(status=200, html=True, performed=True),
    Fault(status=200, body='{"id": "12', performed=True),
    Fault(status=429, body='{"message": "slow down"}'),
    Fault(status=403, body='{"message": null, "errors": ["denied"], "code": ["x"]}'),
]
NAMES = ["taken, page with 200", "taken, half the answer", "429 without a pause", "a proxy's JSON"]


async def test_an_image_is_made_and_all_say_what_runs(deployment: Deployment) -> None:
    async with deployment.bot() as bot:
        card = await deployment.wait_for_image(
            await deployment.imagine(f"a {WORD} as in image 1", image=("sketch.png", png()))
        )
        await deployment.wait_until_settled()
        await until(lambda: '"event": "ready"' in bot.output(), what="readiness")
        await check_health(await web_address(bot))

    (image,) = card.images
    assert image.url.startswith(deployment.front.cdn_url)
    with Image.open(io.BytesIO(await fetched(image.url))) as opened:
        assert opened.format == "PNG"
    assert open_to_others(deployment.folder) <= {"empty.toml"}
    (task,) = deployment.kie.tasks.values()
    assert [pixels(reference) for reference in task.references or ()] == [pixels(png())]
    acknowledged_at = deployment.front.calls("POST", "/callback")[0].answered_at
    assert acknowledged_at is not None
    assert all(acknowledged_at <= call.at for call in caused(deployment.kie))
    check_log(deployment)


def check_log(deployment: Deployment) -> None:
    """What runs, when it is ready, and who asked."""
    logged = {entry["event"]: entry for entry in reversed(log_entries(deployment.outputs[0]))}
    assert logged["started"]["timestamp"] <= logged["ready"]["timestamp"]
    started, backend = logged["started"], deployment.front.env.backend
    assert {
        "bot": f"{backend.bot_user.name} ({backend.application_id})",
        "servers": "1",
        "direct_messages": "on",
        "message_content": "on",
        "budget": "unlimited credits for all servers together",
        "kie_balance": "1,000 credits",
        "database": f"SQLite, {deployment.folder / 'easel.db'}",
        "alerts": "to the application's owner by direct message",
        "ops": "off: set operator.guild to your server's id to have /ops",
        "install_link": install_link(backend.application_id),
    }.items() <= started.items()
    assert {"version", "prices", "allowance", "web"} <= started.keys()
    assert logged["ready"]["role"] == "all"
    accepted = logged["generation accepted"]
    assert (accepted["user"], accepted["guild"]) == (deployment.alice.id, deployment.alice.guild.id)


async def check_health(base: str) -> None:
    """Health and readiness, by each address of this machine."""
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, Any]:
            async with session.get(base + path) as response:
                return response.status, await response.json()

        async def ready() -> bool:
            return await get("/readyz") == (200, {"discord": True, "workers": True})

        assert await get("/healthz") == (200, {"status": "ok"})
        port = base.rpartition(":")[2]
        for host in ("127.0.0.1", "0.0.0.0", "localhost"):
            assert await asyncio.to_thread(is_healthy, host, int(port))
        await until(ready, what="readiness")


async def web_address(bot: BotProcess) -> str:
    def port() -> int | None:
        entries = log_entries(bot.output())
        return next((entry["port"] for entry in entries if entry["event"] == "web server listening"), None)

    return f"http://127.0.0.1:{await until(port, what='the web server')}"


async def test_no_secrets_and_prompts_are_logged(deployment: Deployment) -> None:
    signed = "https://elsewhere.example.com/picture.png?signature=never-to-be-printed"
    deployment.kie.script.next_tasks(Succeed(), Succeed(urls=(signed,)))
    async with deployment.bot():
        await deployment.wait_for_image(await deployment.imagine(f"a {WORD} in flight"))
        await deployment.wait_for_image(await deployment.imagine(f"a {WORD} at rest"))
        deployment.front.faults.on("PATCH", "/webhooks/*", Fault(status=400, code=50035, message=f"bad {WORD}"))
        await deployment.imagine(f"a {WORD} on a tree", image=(f"{WORD}.png", b"not an image"))
        # discord.py would log a mention as an unknown text command.
        await deployment.wait_for_reply_with_image(await deployment.mention_with(WORD, ("own.png", png())))

    (output,) = deployment.outputs
    assert {"generation delivered", "result on a host that is not allowed"} <= {
        entry["event"] for entry in log_entries(output)
    }
    tokens = [call.path.split("/")[3] for call in deployment.front.calls("POST", "/callback")]
    assert len(tokens) == 3
    for secret in (deployment.front.token, KIE_KEY, WORD, "never-to-be-printed", *tokens):
        assert secret not in output


@pytest.mark.long
async def test_an_image_over_the_upload_limit_is_made_to_fit(deployment: Deployment) -> None:
    limits = deployment.front.upload_limits
    limits.default = 1_500_000
    deployment.kie.script.next_tasks(Succeed(noise_megabytes=2), Succeed(duration=1.0, noise_megabytes=2))
    async with deployment.bot():
        card = await deployment.wait_for_image(await deployment.imagine("static"))
        fitted = await fetched(card.images[0].url)
        assert len(fitted) <= limits.default
        interaction = await deployment.imagine("more static")
        await deployment.wait_until_running(interaction)
        # The limit is lower now than Discord said when the command was used.
        limits.default = len(fitted) * 3 // 4
        card = await deployment.wait_for_image(interaction)
        await deployment.wait_until_settled(generations=2)

    smaller = await fetched(card.images[0].url)
    assert len(smaller) <= limits.default
    for content in (fitted, smaller):
        assert len(content) > 50_000
        with Image.open(io.BytesIO(content)) as image:
            assert image.format == "WEBP"
    assert 413 in [call.status for call in deployment.front.requests]


async def test_whatever_the_gateway_says_or_does_no_command_is_lost(deployment: Deployment) -> None:
    front, gateway = deployment.front, deployment.front.gateway

    async def said(send: Callable[[], object]) -> None:
        send()

    interruptions: list[Callable[[], Awaitable[None]]] = [
        partial(said, gateway.ask_to_reconnect),
        partial(said, partial(gateway.invalidate, resumable=True)),
        partial(said, partial(gateway.invalidate, resumable=False)),
        *(partial(front.drop_gateway, code) for code in (1000, 4000, 4009)),
    ]
    deployment.kie.script.next_tasks(Succeed(duration=1.0))
    async with deployment.bot():
        for number, interrupt in enumerate(interruptions, start=1):
            await interrupt()
            await until(
                lambda number=number: gateway.identified + gateway.resumed > number,
                within=30,
                what="the bot to come back",
            )
        first = await deployment.imagine("a bridge")
        await deployment.wait_until_running(first)
        await front.drop_gateway(None)
        meanwhile = await deployment.imagine("another bridge")
        for interaction in (first, meanwhile):
            await deployment.wait_for_image(interaction)
        await deployment.wait_until_settled(generations=2)

    assert (gateway.identified, gateway.resumed) == (2, 6)
    assert len(deployment.posts()) == 2
    assert deployment.logged_errors() == []


@pytest.mark.long
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=502, html=True),
        Fault(status=502, html=True, performed=True),
        Fault(cut=True, performed=True),
        Fault(status=403, html=True),
        Fault(status=404, html=True, performed=True),
        Fault(status=401, message="401: Unauthorized"),
        *NOT_DISCORDS,
    ],
    ids=["not taken", "taken, answered 502", "taken, answer lost", "proxy's 403", "taken, proxy's 404", "401", *NAMES],
)
async def test_a_fault_while_posting_the_outcome_settles_once(deployment: Deployment, fault: Fault) -> None:
    deployment.kie.script.next_tasks(Succeed(duration=1.0))
    async with deployment.bot():
        interaction = await deployment.imagine("a bridge")
        await deployment.wait_until_running(interaction)
        scripted = deployment.front.faults.on("PATCH", "/webhooks/*", fault)
        await deployment.wait_for_image(interaction)
        await deployment.wait_until_settled()

    assert scripted.hits == 1
    assert len(deployment.posts()) == 1
    assert deployment.logged_errors() == []


@pytest.mark.long
@pytest.mark.parametrize(
    "answer", [Fault(cut=True, performed=True), Fault(status=403, html=True, performed=True), *NOT_DISCORDS]
)
async def test_a_message_whose_answer_is_lost_is_not_posted_twice(deployment: Deployment, answer: Fault) -> None:
    deployment.kie.script.next_tasks(Succeed(duration=1.0))
    async with deployment.bot():
        await deployment.wait_until_running(await deployment.imagine("a bridge"))
        await deployment.front.env.advance_time(16 * 60)
        lost = deployment.front.faults.on("POST", "/channels/*/messages", answer)
        await deployment.wait_until_settled()

    assert lost.hits == 1
    (post,) = deployment.posts()
    assert len(post.images) == 1


async def test_a_wrong_token_ends_the_process_with_a_sentence(deployment: Deployment) -> None:
    async with deployment.start(EASEL__DISCORD__TOKEN="wrong.token.altogether") as bot:
        assert await bot.ended(within=30) == 78

    (output,) = deployment.outputs
    assert "easel: Discord refused discord.token: copy the bot's token again." in output
    assert "Traceback" not in output
    assert "wrong.token" not in output


async def test_a_wrong_key_ends_the_process_with_a_sentence(deployment: Deployment) -> None:
    async with deployment.start(EASEL__KIE__API_KEY="not-the-key") as bot:
        assert await bot.ended(within=30) == 78

    (output,) = deployment.outputs
    assert "easel: KIE refused kie.api_key: copy the key again from https://kie.ai/api-key." in output
    assert "Traceback" not in output
    assert "not-the-key" not in output


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Html(502), marks=pytest.mark.long),
        Hang(),
        pytest.param(Code(403, "forbidden"), marks=pytest.mark.long),
    ],
    ids=str,
)
async def test_kie_in_trouble_at_start_does_not_end_the_process(deployment: Deployment, trouble: Behaviour) -> None:
    deployment.kie.script.on("credit", trouble)
    async with deployment.bot():
        card = await deployment.wait_for_image(await deployment.imagine("a map"))
    assert len(card.images) == 1


async def test_a_progress_edit_that_hangs_does_not_hold_up_the_image(deployment: Deployment) -> None:
    hanging = deployment.front.faults.on("PATCH", "/webhooks/*", Fault(hang=True))
    async with deployment.bot():
        card = await deployment.wait_for_image(await deployment.imagine("a map"))
    assert hanging.hits == 1
    assert len(card.images) == 1


async def test_an_acknowledgement_whose_answer_is_lost_changes_nothing(deployment: Deployment) -> None:
    async with deployment.bot():
        for fault in (
            Fault(status=502, html=True, performed=True),
            Fault(cut=True, performed=True),
            Fault(cut=True),
            Fault(status=200, html=True, performed=True),
            Fault(status=200, html=True),
        ):
            lost = deployment.front.faults.on("POST", "/interactions/*/callback", fault)
            card = await deployment.wait_for_image(await deployment.imagine("a map"))
            assert lost.hits == 1, fault
            assert len(card.images) == 1, fault


@pytest.mark.parametrize("seconds", [0.3, 30.0], ids=["finished", "cancelled"])
async def test_references_in_progress_at_shutdown_are_finished_or_reported(
    deployment: Deployment, seconds: float
) -> None:
    deployment.kie.script.on("upload", Delay(seconds))
    async with deployment.bot() as bot:
        interaction = await deployment.imagine("as a woodcut", image=("sketch.png", png()))
        await until(lambda: any(call.path.endswith("upload") for call in deployment.kie.requests), what="the upload")
        assert await bot.terminate(within=20) == 0
    assert deployment.logged_errors() == []
    async with deployment.bot():
        await wait_for_outcome(deployment, interaction, finished=seconds < 1)


async def test_a_command_that_is_not_acknowledged_at_shutdown_is_accepted(deployment: Deployment) -> None:
    slow = deployment.front.faults.on("POST", "/interactions/*/callback", Fault(delay=0.5))
    async with deployment.bot() as bot:
        interaction = await deployment.imagine("a map")
        await until(lambda: slow.hits, what="the acknowledgement")
        assert await bot.terminate(within=20) == 0
    assert deployment.logged_errors() == []
    async with deployment.bot():
        await deployment.wait_for_image(interaction)


async def wait_for_outcome(deployment: Deployment, interaction: InteractionResult, *, finished: bool) -> None:
    if finished:
        await deployment.wait_for_image(interaction)
    else:
        await deployment.wait_for_text(interaction, INTERRUPTED)


async def test_a_second_process_on_the_same_database_is_refused(deployment: Deployment) -> None:
    async with deployment.bot(), deployment.start() as second:
        assert await second.ended(within=30) == 78
        assert "is in use by another Easel" in second.output()
