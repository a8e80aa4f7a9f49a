"""The loopback Discord: interactions, uploads, nonces, faults and the gateway's refusals."""

import asyncio
import io

import aiohttp
import discord
import pytest
from discord.http import Route
from PIL import Image

from tests.discord_schema import problems_of
from tests.front import DiscordFront, Fault, answered, rate_limited
from tests.front.conftest import RawBot, raw_bot
from tests.waiting import until


def png(width: int, height: int) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (width, height)).save(packed, "PNG")
    return packed.getvalue()


async def fetch(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url, raise_for_status=True) as response:
        return await response.read()


async def test_an_interaction_is_acknowledged_answered_and_expires(bot: RawBot) -> None:
    result = await bot.alice.slash(bot.channel, "imagine")
    interaction = await bot.next("INTERACTION_CREATE")
    assert interaction["attachment_size_limit"] == 10 * 1024 * 1024
    assert bot.front.time_to_acknowledge(result) is None

    callback = f"/interactions/{interaction['id']}/{interaction['token']}/callback"
    status, created = await bot.call("POST", f"{callback}?with_response=1", {"type": 5, "data": {"flags": 64}})
    assert status == 200, created
    assert created["interaction"]["id"] == interaction["id"], created
    assert 0 < (bot.front.time_to_acknowledge(result) or 0) < 3
    assert answered(result) is None

    original = f"/webhooks/{interaction['application_id']}/{interaction['token']}/messages/@original"
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://copy.png"}}]}
    body = {"flags": 1 << 15, "components": [gallery], "attachments": [{"id": 0, "filename": "copy.png"}]}
    assert (await bot.call("PATCH", original, body, file=png(40, 30)))[0] == 200
    answer = answered(result)
    assert answer is not None
    (image,) = answer.attachments
    assert (image.width, image.height) == (40, 30)
    assert image.url.startswith(bot.front.cdn_url)
    assert await fetch(image.url) == png(40, 30)
    assert answer.components[0]["items"][0]["media"]["url"] == image.url
    assert bot.channel.history() == []
    assert len(bot.channel.history(viewer=bot.alice)) == 1
    assert [problem for call in bot.front.requests for problem in problems_of(call.method, call.path, call.body)] == []

    await bot.front.env.advance_time(16 * 60)
    status, late = await bot.call("PATCH", original, {"content": "late"})
    assert (status, late["code"]) == (404, 10015)


async def test_rate_limit_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By discord.py, with which the bot sends its messages."""
    async with DiscordFront() as front, discord.Client(intents=discord.Intents.none()) as client:
        monkeypatch.setattr(Route, "BASE", front.api_url)
        channel = front.env.create_guild().create_text_channel("images")
        limited = front.faults.on("POST", "/channels/*/messages", rate_limited(0.05))
        await client.login(front.token)
        message = await client.get_partial_messageable(channel.id).send("posted")

        first, second = front.calls("POST", "/messages")
        assert limited.hits == 1
        assert (first.status, second.status) == (429, 200)
        assert second.at - first.at >= 0.05
        assert [posted.id for posted in channel.history()] == [message.id]


@pytest.mark.parametrize(("token", "extra_intents", "code"), [("wrong", 0, 4004), (None, 1 << 15, 4014)])
async def test_a_wrong_token_and_intents_that_were_not_granted_are_refused(
    token: str | None, extra_intents: int, code: int
) -> None:
    intents = discord.Intents.default()
    async with (
        DiscordFront(approved_intents=intents) as front,
        aiohttp.ClientSession() as session,
        session.ws_connect(front.gateway_url) as socket,
    ):
        assert (await socket.receive_json())["op"] == 10
        identity = {"token": token or front.token, "intents": intents.value | extra_intents}
        await socket.send_json({"op": 2, "d": identity})
        assert (await socket.receive()).data == code


async def test_a_message_whose_answer_is_lost_can_be_sent_again(bot: RawBot) -> None:
    bot.front.faults.on("POST", "/channels/*", Fault(cut=True, performed=True))
    with pytest.raises(aiohttp.ClientError):
        await bot.send(content="hi", nonce="7", enforce_nonce=True)
    status, message = await bot.send(content="hi", nonce="7", enforce_nonce=True)

    (posted,) = bot.channel.history()
    assert (status, message["id"], message["nonce"]) == (200, str(posted.id), "7")
    assert [call.status for call in bot.front.calls("POST")] == [None, 200]
    # Another nonce, or one that is not enforced, makes another message.
    await bot.send(content="hi", nonce="8", enforce_nonce=True)
    await bot.send(content="hi", nonce="8")
    assert len(bot.channel.history()) == 3


async def test_the_upload_limit_depends_on_the_server(bot: RawBot) -> None:
    path, limit = f"/channels/{bot.channel.id}/messages", 10 * 1024 * 1024
    assert (await bot.call("POST", path, {}, file=bytes(limit)))[0] == 200
    status, refused = await bot.call("POST", path, {}, file=bytes(limit + 1))
    assert (status, refused["code"]) == (413, 40005)
    bot.front.upload_limits.guilds[bot.alice.guild.id] = 2 * limit
    _, message = await bot.call("POST", path, {}, file=bytes(limit + 1))
    assert message["attachments"][0]["size"] == limit + 1


async def test_faults_come_as_scripted(bot: RawBot) -> None:
    bot.front.faults.on("POST", "/channels/*", Fault(status=403, code=50013, message="Missing Permissions"))
    bot.front.faults.on("*", "*", Fault(status=502, html=True))
    bot.front.faults.on("*", "*", Fault(delay=0.05))

    assert await bot.send(content="hi") == (403, {"code": 50013, "message": "Missing Permissions"})
    status, page = await bot.send(content="hi")
    assert (status, page[:6]) == (502, "<html>")
    assert bot.channel.history() == []
    assert (await bot.send(content="hi"))[0] == 200
    late = bot.front.requests[-1]
    assert late.answered_at is not None
    assert late.answered_at - late.at >= 0.05


async def test_a_hanging_call_ends_with_the_front() -> None:
    async with raw_bot() as bot:
        bot.front.faults.on("POST", "/channels/*", Fault(hang=True))
        hanging = asyncio.create_task(bot.send(content="hi"))
        await until(lambda: bot.front.calls("POST"), what="the call")
        assert not hanging.done()
        await bot.front.__aexit__(None, None, None)
        with pytest.raises(aiohttp.ClientError):
            await hanging
    assert bot.front.calls("POST")[0].status is None


async def test_a_call_that_simcord_cannot_answer_is_an_error() -> None:
    with pytest.raises(AssertionError, match="GET /sessions"):
        async with raw_bot() as bot:
            assert (await bot.call("GET", "/sessions"))[0] == 404


async def test_a_file_with_an_unusual_name_is_served(bot: RawBot) -> None:
    message = await bot.alice.send(bot.channel, attachments=[("a b%.png", png(2, 3))])
    assert await fetch(message.attachments[0].url) == png(2, 3)
