import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import pytest
from PIL import Image
from simcord import ChannelHandle, InteractionResult, ResponseMessage
from simcord.actors import MemberActor

from tests.discord_schema import DiscordSchema
from tests.front import BotProcess, DiscordFront, Fault, answered, rate_limited
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Scene:
    """Alice, a channel, and the example bot on the other side of the front."""

    front: DiscordFront
    bot: BotProcess
    alice: MemberActor
    channel: ChannelHandle

    async def answer(self, result: InteractionResult) -> ResponseMessage:
        return await until(lambda: answered(result), what="an answer")


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    async with DiscordFront() as front:
        guild = front.env.create_guild("Studio")
        alice = guild.add_member(front.env.create_user("alice"))
        channel = guild.create_text_channel("pictures")
        async with example_bot(front) as bot:
            await until(lambda: front.connected or bot.returncode is not None, what="the bot to connect")
            assert front.connected, bot.output()
            yield Scene(front, bot, alice, channel)
        assert problems_of(front) == []


def example_bot(front: DiscordFront, token: str | None = None) -> AbstractAsyncContextManager[BotProcess]:
    return front.launch("tests.front.example_bot", environment={"EXAMPLE_BOT_TOKEN": token or front.token})


def problems_of(front: DiscordFront) -> list[str]:
    schema = DiscordSchema.load()
    if schema is None:
        return []
    calls = front.requests
    return [problem for call in calls for problem in schema.problems(call.method, call.path, call.body)]


def png(width: int, height: int) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (width, height)).save(packed, "PNG")
    return packed.getvalue()


async def fetch(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url, raise_for_status=True) as response:
        return await response.read()


async def test_deferred_picture_arrives(scene: Scene) -> None:
    shown = await scene.alice.slash(scene.channel, "paint", picture=("sketch.png", png(40, 30)))
    answer = await scene.answer(shown)

    (picture,) = answer.attachments
    assert answer.flags.components_v2
    assert (picture.width, picture.height) == (40, 30)
    assert picture.url.startswith(scene.front.cdn_url)
    with Image.open(io.BytesIO(await fetch(picture.url))) as image:
        assert image.size == (40, 30)
    text, gallery, _ = answer.components[0]["components"]
    assert text["content"] == "sketch.png 40x30 limit 10485760"
    assert gallery["items"][0]["media"]["url"] == picture.url
    edit = scene.front.calls("PATCH", "/@original")[-1]
    assert [file.name for file in edit.files] == ["picture.png"]


async def test_time_to_acknowledge_is_measured(scene: Scene) -> None:
    shown = await scene.alice.slash(scene.channel, "secret")
    await scene.answer(shown)

    acknowledged = scene.front.time_to_acknowledge(shown)
    assert acknowledged is not None
    assert 0 < acknowledged < 3


async def test_button_of_a_message_works(scene: Scene) -> None:
    card = await scene.answer(await scene.alice.slash(scene.channel, "paint", picture=("a.png", png(4, 4))))
    again = await scene.answer(await scene.alice.click(card, label="Again"))

    assert again.components[0]["components"][0]["content"] == "round 1"
    assert scene.channel.history()[-1].id == again.id


async def test_ephemeral_answer_is_edited_by_its_own_id(scene: Scene) -> None:
    shown = await scene.alice.slash(scene.channel, "secret")
    await until(lambda: shown.response is not None and shown.response.content == "for your eyes", what="the edit")

    assert shown.ephemeral
    assert scene.channel.history() == []
    assert len(scene.channel.history(viewer=scene.alice)) == 1


async def test_same_nonce_sends_one_message(scene: Scene) -> None:
    told = [
        (await scene.answer(await scene.alice.slash(scene.channel, "post", nonce=nonce))).content
        for nonce in ("one", "one", "two")
    ]

    assert told[0] == told[1] != told[2]
    assert [str(message.id) for message in scene.channel.history()] == [told[0], told[2]]


async def test_upload_limit_depends_on_the_server(scene: Scene) -> None:
    refused = await scene.answer(await scene.alice.slash(scene.channel, "upload", size=10_485_761))
    scene.front.upload_limits.guilds[scene.alice.guild.id] = 20_000_000
    taken = await scene.answer(await scene.alice.slash(scene.channel, "upload", size=10_485_761))

    assert refused.content == "413 40005"
    assert taken.content == "uploaded"
    assert taken.attachments[0].size == 10_485_761


@pytest.mark.parametrize("code", [4000, None], ids=["closed", "cut"])
async def test_interaction_during_a_broken_connection_is_replayed(scene: Scene, code: int | None) -> None:
    await scene.front.drop_gateway(code)
    answer = await scene.answer(await scene.alice.slash(scene.channel, "secret"))

    assert answer.ephemeral
    assert (scene.front.gateway.identified, scene.front.gateway.resumed) == (1, 1)


async def test_forgotten_session_is_begun_anew(scene: Scene) -> None:
    await scene.front.drop_gateway(forget=True)
    await until(lambda: scene.front.gateway.identified == 2, what="a second session")

    assert (await scene.answer(await scene.alice.slash(scene.channel, "secret"))).ephemeral


async def test_rate_limit_is_waited_out(scene: Scene) -> None:
    limited = scene.front.faults.on("POST", "/channels/*/messages", rate_limited(0.05))
    answer = await scene.answer(await scene.alice.slash(scene.channel, "post", nonce="n"))

    first, second = scene.front.calls("POST", f"/channels/{scene.channel.id}/messages")
    assert limited.hits == 1
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= 0.05
    assert answer.content == str(scene.channel.history()[-1].id)


async def test_content_is_hidden_unless_the_bot_is_mentioned(scene: Scene) -> None:
    me = scene.front.env.backend.bot_user.id
    await scene.alice.send(scene.channel, "hello, all")
    await scene.alice.send(scene.channel, f"<@{me}> hello")
    reply = await until(lambda: next((m for m in scene.channel.history() if m.author.id == me), None), what="a reply")

    assert reply.content == f"you said <@{me}> hello"


async def test_interaction_token_dies_after_fifteen_minutes(scene: Scene) -> None:
    await scene.answer(await scene.alice.slash(scene.channel, "secret"))
    await scene.front.env.advance_time(16 * 60)

    (_, interaction_token) = scene.front.calls("POST", "/callback")[0].path.split("/")[2:4]
    application = scene.front.env.backend.application_id
    url = f"{scene.front.api_url}/webhooks/{application}/{interaction_token}/messages/@original"
    async with aiohttp.ClientSession() as session, session.patch(url, json={"content": "late"}) as late:
        assert (late.status, (await late.json())["code"]) == (404, 10015)


async def test_sigterm_ends_the_bot(scene: Scene) -> None:
    assert await scene.bot.terminate() == 0
    await until(lambda: not scene.front.connected, what="the connection to end")


async def test_wrong_token_is_refused() -> None:
    async with DiscordFront() as front, example_bot(front, token="wrong") as bot:
        assert await bot.ended() != 0
        assert "LoginFailure" in bot.output()


async def test_intents_that_were_not_granted_are_refused() -> None:
    intents = discord.Intents.default()
    async with (
        DiscordFront(approved_intents=discord.Intents.default()) as front,
        aiohttp.ClientSession() as session,
        session.ws_connect(front.gateway_url) as socket,
    ):
        intents.message_content = True
        hello = await socket.receive_json()
        await socket.send_json({"op": 2, "d": {"token": front.token, "intents": intents.value}})

        assert hello["op"] == 10
        assert (await socket.receive()).data == 4014


@dataclass(frozen=True, slots=True)
class Caller:
    """Sends messages into a channel by bare HTTP."""

    front: DiscordFront
    channel: ChannelHandle
    session: aiohttp.ClientSession

    async def send(self, **fields: Any) -> tuple[int, Any]:
        url = f"{self.front.api_url}/channels/{self.channel.id}/messages"
        headers = {"Authorization": f"Bot {self.front.token}"}
        async with self.session.post(url, json=fields, headers=headers) as response:
            if response.headers["Content-Type"] == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()


@pytest.fixture
async def caller() -> AsyncGenerator[Caller]:
    async with DiscordFront() as front, aiohttp.ClientSession() as session:
        channel = front.env.create_guild().create_text_channel("pictures")
        yield Caller(front, channel, session)


async def test_message_whose_answer_is_lost_can_be_sent_again(caller: Caller) -> None:
    caller.front.faults.on("POST", "/channels/*", Fault(cut=True, performed=True))

    with pytest.raises(aiohttp.ClientError):
        await caller.send(content="hi", nonce="7", enforce_nonce=True)
    status, message = await caller.send(content="hi", nonce="7", enforce_nonce=True)

    (kept,) = caller.channel.history()
    assert (status, message["id"], message["nonce"]) == (200, str(kept.id), "7")
    assert [call.status for call in caller.front.requests] == [None, 200]


async def test_nonce_without_enforcement_repeats(caller: Caller) -> None:
    for _ in range(2):
        await caller.send(content="hi", nonce="7")

    assert len(caller.channel.history()) == 2


async def test_faults_come_as_scripted(caller: Caller) -> None:
    faults = caller.front.faults
    faults.on("POST", "/channels/*", Fault(status=403, code=50013, message="Missing Permissions"))
    faults.on("*", "*", Fault(status=502, html=True))
    faults.on("*", "*", Fault(delay=0.05))

    assert await caller.send(content="hi") == (403, {"code": 50013, "message": "Missing Permissions"})
    status, page = await caller.send(content="hi")
    assert (status, page[:6]) == (502, "<html>")
    assert caller.channel.history() == []
    assert (await caller.send(content="hi"))[0] == 200
    late = caller.front.requests[-1]
    assert late.answered_at is not None
    assert late.answered_at - late.at >= 0.05


async def test_hanging_call_ends_with_the_front() -> None:
    async with DiscordFront() as front, aiohttp.ClientSession() as session:
        channel = front.env.create_guild().create_text_channel("pictures")
        front.faults.on("POST", "/channels/*", Fault(hang=True))
        hanging = asyncio.create_task(Caller(front, channel, session).send(content="hi"))
        await until(lambda: front.requests, what="the call")
        assert not hanging.done()
    with pytest.raises(aiohttp.ClientError):
        await hanging
    assert front.requests[0].status is None


async def ask_for_what_simcord_lacks() -> None:
    async with DiscordFront() as front, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bot {front.token}"}
        async with session.get(f"{front.api_url}/sessions", headers=headers) as response:
            assert response.status == 404


async def test_what_simcord_lacks_is_an_error() -> None:
    with pytest.raises(AssertionError, match="GET /sessions"):
        await ask_for_what_simcord_lacks()


async def test_file_with_an_odd_name_is_served() -> None:
    async with DiscordFront() as front:
        channel = front.env.create_guild().create_text_channel("pictures")
        alice = front.env.guild.add_member(front.env.create_user("alice"))
        message = await alice.send(channel, attachments=[("a b%.png", png(2, 3))])

        assert await fetch(message.attachments[0].url) == png(2, 3)
