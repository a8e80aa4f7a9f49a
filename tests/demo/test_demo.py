"""The demo, as a visitor starts it."""

import asyncio
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from bot.domain.errors import OperatorError
from demo.run import Demo, open_demo
from tests.front import BotProcess
from tests.stories.rendered import rendered
from tests.waiting import until

LINK = re.compile(r"http://127\.0\.0\.1:\d+/#\S+")


async def test_a_visitor_makes_an_image(tmp_path: Path) -> None:
    async with open_demo(0, tmp_path) as demo:
        asked = await demo.simulation.run(
            lambda: demo.guild.alice.slash(demo.guild.channel, "imagine", prompt="a red fox in snow")
        )
        response = asked.response
        assert response is not None
        await until(lambda: rendered(response).images, within=40, what="an image on the card")
        await until(lambda: shown_on_page(demo, response.id), what="the image on the page")
        link = demo.url
        assert (await status_of(link)) == 200

    assert demo.working.done()
    with pytest.raises(aiohttp.ClientConnectionError):
        await status_of(link)


async def test_the_demo_starts_with_an_image_to_reply_to(tmp_path: Path) -> None:
    async with open_demo(0, tmp_path) as demo:
        welcome, lighthouse = demo.guild.channel.history(viewer=demo.guild.bob)
        assert "/imagine" in welcome.content
        (image,) = lighthouse.attachments
        assert (await status_of(image.url)) == 200
        assert [member.name for member in demo.guild.members] == ["alice", "bob", "ada"]


async def test_a_taken_port_is_reported(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OperatorError, match=f"port {port} is already in use"):
            async with open_demo(port, tmp_path):
                pass


async def test_the_command_prints_a_link_and_ends_on_ctrl_c() -> None:
    async with BotProcess.start(sys.executable, "-m", "demo") as process:
        await until(lambda: LINK.search(process.output()), within=20, what="a link")
        (link,) = LINK.findall(process.output())
        assert (await status_of(link)) == 200
        process.send(signal.SIGINT)
        assert await process.ended(within=10) == 0
        assert "The demo has ended" in process.output()
        assert "Traceback" not in process.output()


async def shown_on_page(demo: Demo, message_id: int) -> bool:
    """Whether the page shows the message with an image that it can load."""
    async with demo.simulation.turn():
        snapshot = await demo.preview.snapshot()
    message = snapshot["messages"].get(str(message_id))
    return message is not None and "**a red fox in snow**" in str(message) and "easel-" in str(snapshot["assets"])


async def status_of(link: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(link) as response:
        return response.status
