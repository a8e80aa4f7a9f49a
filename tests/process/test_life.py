"""One process from its start to its end."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
import pytest
import simcord
from PIL import Image

from demo.kie import Delay, Succeed
from tests.front import BotProcess, Fault
from tests.kie.schema import caused
from tests.process.studio import KIE_KEY, Studio, fetched, lines
from tests.stories.images import pixels, png
from tests.waiting import until

WORD = "quetzalcoatlus"
"""A word that stands in prompts and must stand nowhere else."""


async def test_a_picture_is_made(studio: Studio) -> None:
    async with studio.bot():
        asked = await studio.imagine(f"a {WORD} as in image 1", image=("sketch.png", png()))
        card = await studio.delivered(asked)
        await studio.settled()

    (picture,) = card.images
    assert picture.url.startswith(studio.front.cdn_url)
    with Image.open(io.BytesIO(await fetched(picture.url))) as image:
        assert image.format == "PNG"
    (task,) = studio.kie.tasks.values()
    assert [pixels(one) for one in task.references or ()] == [pixels(png())]
    acknowledged = studio.front.calls("POST", "/callback")[0]
    assert acknowledged.answered_at is not None
    assert all(acknowledged.answered_at <= call.at for call in caused(studio.kie))
    took = studio.front.time_to_acknowledge(asked)
    assert took is not None
    assert took < 1


async def test_health_and_readiness(studio: Studio) -> None:
    async with studio.bot() as bot, aiohttp.ClientSession() as session:
        base = await web_address(bot)

        async def answer(path: str) -> tuple[int, Any]:
            async with session.get(base + path) as response:
                return response.status, await response.json()

        async def ready() -> bool:
            return await answer("/readyz") == (200, {"discord": True, "workers": True})

        assert await answer("/healthz") == (200, {"status": "ok"})
        await until(ready, what="readiness")


async def test_nothing_secret_is_printed(studio: Studio) -> None:
    signed = "https://elsewhere.example.com/picture.png?signature=never-to-be-printed"
    studio.kie.script.next_tasks(Succeed(), Succeed(urls=(signed,)))
    async with studio.bot():
        await studio.delivered(await studio.imagine(f"a {WORD} in flight"))
        lost = await studio.imagine(f"a {WORD} at rest")
        await studio.told(lost, "without a usable image")
        studio.front.faults.on("PATCH", "/webhooks/*", Fault(status=400, code=50035, message=f"bad {WORD}"))
        await studio.imagine(f"a {WORD} on a tree", image=(f"{WORD}.png", b"no picture"))

    (printed,) = studio.printed
    events = {line["event"] for line in lines(printed)}
    assert {"generation delivered", "image lost"} <= events
    tokens = [call.path.split("/")[3] for call in studio.front.calls("POST", "/callback")]
    assert len(tokens) == 3
    for secret in (studio.front.token, KIE_KEY, WORD, "never-to-be-printed", *tokens):
        assert secret not in printed


async def test_flex_controls_are_offered_where_allowed(studio: Studio) -> None:
    async with studio.bot():
        with pytest.raises(simcord.OptionError):
            await studio.imagine("a map", model="flex", steps=20)
    async with studio.bot(EASEL__KIE__FLEX_CONTROLS="true"):
        card = await studio.delivered(await studio.imagine("a map", model="flex", steps=20, guidance=3.5))

    assert card.small_print[4:6] == ["20 steps", "guidance 3.5"]
    assert [len(call.body) for call in studio.front.calls("PUT", "/commands")] == [4, 4]


async def test_a_picture_over_the_limit_is_made_to_fit(studio: Studio) -> None:
    limits = studio.front.upload_limits
    limits.default = 1_500_000
    studio.kie.script.next_tasks(Succeed(noise_megabytes=2), Succeed(duration=1.0, noise_megabytes=2))
    async with studio.bot():
        card = await studio.delivered(await studio.imagine("static"))
        fitted = await fetched(card.images[0].url)
        assert len(fitted) <= limits.default
        asked = await studio.imagine("more static")
        await studio.painting(asked)
        # The place now takes less than it said when the command was used.
        limits.default = len(fitted) * 3 // 4
        card = await studio.delivered(asked)
        await studio.settled(generations=2)

    smaller = await fetched(card.images[0].url)
    assert len(smaller) <= limits.default
    for content in (fitted, smaller):
        assert len(content) > 50_000
        with Image.open(io.BytesIO(content)) as image:
            assert image.format == "WEBP"
    assert 413 in [call.status for call in studio.front.requests]


async def test_a_gateway_that_drops_is_resumed(studio: Studio) -> None:
    studio.kie.script.next_tasks(Succeed(duration=1.0))
    async with studio.bot():
        asked = await studio.imagine("a bridge")
        await studio.painting(asked)
        await studio.front.drop_gateway(None)
        during = await studio.imagine("another bridge")
        await studio.delivered(asked)
        await studio.delivered(during)
        await studio.settled(generations=2)

    assert (studio.front.gateway.identified, studio.front.gateway.resumed) == (1, 1)
    assert len(studio.posts()) == 2


async def test_whatever_the_gateway_says_the_next_command_is_answered(studio: Studio) -> None:
    gateway = studio.front.gateway
    says: list[Callable[[], object]] = [
        gateway.ask_to_reconnect,
        partial(gateway.invalidate, resumable=True),
        partial(gateway.invalidate, resumable=False),
    ]
    async with studio.bot():
        for number, say in enumerate(says, start=1):
            await studio.delivered(await studio.imagine(f"bridge number {number}"))
            say()
            await until(lambda told=number: gateway.identified + gateway.resumed > told, what="the bot to come back")
        await studio.delivered(await studio.imagine("a last bridge"))
        await studio.settled(generations=4)

    assert (gateway.identified, gateway.resumed) == (2, 2)
    assert studio.alarms() == []


@pytest.mark.parametrize(
    "fault",
    [Fault(status=502, html=True), Fault(status=502, html=True, performed=True), Fault(cut=True, performed=True)],
    ids=["not taken", "taken, answered 502", "taken, answer lost"],
)
async def test_an_outcome_that_discord_stumbles_over_settles_once(studio: Studio, fault: Fault) -> None:
    studio.kie.script.next_tasks(Succeed(duration=1.0))
    async with studio.bot():
        asked = await studio.imagine("a bridge")
        await studio.painting(asked)
        stumbled = studio.front.faults.on("PATCH", "/webhooks/*", fault)
        await studio.delivered(asked)
        await studio.settled()

    assert stumbled.hits == 1
    assert len(studio.posts()) == 1


async def test_a_post_whose_answer_is_lost_is_not_doubled(studio: Studio) -> None:
    studio.kie.script.next_tasks(Succeed(duration=1.0))
    async with studio.bot():
        await studio.painting(await studio.imagine("a bridge"))
        await studio.front.env.advance_time(16 * 60)
        lost = studio.front.faults.on("POST", "/channels/*/messages", Fault(cut=True, performed=True))
        await studio.settled()

    assert lost.hits == 1
    (post,) = studio.posts()
    assert len(post.images) == 1


async def test_a_wrong_token_is_said_in_a_sentence(studio: Studio) -> None:
    async with studio.start(EASEL__DISCORD__TOKEN="wrong.token.altogether") as bot:
        assert await bot.ended(within=10) == 78

    assert "easel: Discord refused discord.token: copy the bot's token anew." in studio.printed[0]
    assert "Traceback" not in studio.printed[0]
    assert "wrong.token" not in studio.printed[0]


async def web_address(bot: BotProcess) -> str:
    def port() -> int | None:
        found = [line["port"] for line in lines(bot.output()) if line["event"] == "web server listens"]
        return found[0] if found else None

    return f"http://127.0.0.1:{await until(port, what='the web server')}"


async def test_a_progress_edit_that_hangs_does_not_hold_up_the_picture(studio: Studio) -> None:
    hanging = studio.front.faults.on("PATCH", "/webhooks/*", Fault(hang=True))
    async with studio.bot():
        card = await studio.delivered(await studio.imagine("a map"), within=20)
    assert hanging.hits == 1
    assert len(card.images) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault(status=502, html=True, performed=True), Fault(cut=True, performed=True), Fault(cut=True)],
    ids=["502 although taken", "cut although taken", "cut"],
)
async def test_an_acknowledgement_whose_answer_is_lost_is_as_good(studio: Studio, fault: Fault) -> None:
    async with studio.bot():
        lost = studio.front.faults.on("POST", "/interactions/*/callback", fault)
        card = await studio.delivered(await studio.imagine("a map"), within=20)
    assert lost.hits == 1
    assert len(card.images) == 1


async def test_references_are_taken_to_their_end_before_it_ends(studio: Studio) -> None:
    studio.kie.script.on("upload", Delay(1.0))
    async with studio.bot() as bot:
        asked = await studio.imagine("as a woodcut", image=("sketch.png", png()))
        await until(lambda: any(call.path.endswith("upload") for call in studio.kie.requests), what="the upload")
        assert await bot.terminate() == 0
    async with studio.bot():
        assert len((await studio.delivered(asked)).images) == 1


async def test_references_that_take_too_long_are_broken_off_and_their_members_told(studio: Studio) -> None:
    studio.kie.script.on("upload", Delay(30.0))
    async with studio.bot() as bot:
        asked = await studio.imagine("as a woodcut", image=("sketch.png", png()))
        await until(lambda: any(call.path.endswith("upload") for call in studio.kie.requests), what="the upload")
        assert await bot.terminate() == 0
        assert [line for line in lines(bot.output()) if line["level"] in {"error", "critical"}] == []
    async with studio.bot():
        await studio.told(asked, "I was restarted before I could start on this.")


async def test_a_second_one_on_the_same_database_is_sent_away(studio: Studio) -> None:
    async with studio.bot(), studio.start() as second:
        assert await second.ended() == 78
        assert "is in use by another Easel" in second.output()
