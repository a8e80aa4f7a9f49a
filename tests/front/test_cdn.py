import importlib
import io

import aiohttp
import discord
import simcord
from PIL import Image

from demo.cdn import serve_cdn

_SIMCORDS_OWN = "https://cdn.simcord.invalid"


def png() -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (3, 2)).save(packed, "PNG")
    return packed.getvalue()


async def test_attachments_are_served_and_previewed() -> None:
    async with simcord.run(discord.Client(intents=discord.Intents.all())) as env, serve_cdn(env) as cdn_url:
        guild = env.create_guild()
        channel = guild.create_text_channel("pictures")
        alice = guild.add_member(env.create_user("alice"))
        message = await alice.send(channel, attachments=[("a.png", png())])
        (attachment,) = message.attachments

        assert attachment.url.startswith(f"{cdn_url}/attachments/")
        assert await attachment.read() == png()
        async with aiohttp.ClientSession() as session:
            async with session.get(attachment.url) as response:
                assert (response.status, response.content_type) == (200, "image/png")
                assert await response.read() == png()
            async with session.get(f"{cdn_url}/attachments/1/2/none.png") as response:
                assert response.status == 404
        async with env.preview(channel, viewers=[alice], layout="channel") as preview:
            assets = (await preview.snapshot())["assets"].values()
        assert [asset["available"] for asset in assets if asset["filename"] == "a.png"] == [True]


async def test_simcords_address_is_restored() -> None:
    modules = [
        importlib.import_module(f"simcord.{name}") for name in ("backend.cdn", "preview._pages", "preview._assets")
    ]
    async with simcord.run(discord.Client(intents=discord.Intents.none())) as env:
        async with serve_cdn(env) as cdn_url:
            assert {module.CDN_BASE for module in modules} == {cdn_url}
        assert {module.CDN_BASE for module in modules} == {_SIMCORDS_OWN}
