"""A loopback Discord, a KIE, and a folder: everything that outlives one process of the bot."""

import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import discord
from simcord import ChannelHandle, InteractionResult, MemberActor

from demo.kie import KieStandIn
from tests.discord_schema import problems_of
from tests.fresh import put_fresh_database
from tests.front import BotProcess, DiscordFront
from tests.kie.schema import check_all, created
from tests.pings import pings_of
from tests.process.pictures import colour
from tests.stories.rendered import Rendered, rendered
from tests.waiting import until

KIE_KEY = "kie-key-that-nobody-may-read"
PAID = [("reserve", Decimal(-5)), ("settle", Decimal(0))]


@dataclass(frozen=True)
class Studio:
    """The world around the bot. ``printed`` holds what each ended process has written."""

    front: DiscordFront
    kie: KieStandIn
    channel: ChannelHandle
    alice: MemberActor
    bob: MemberActor
    folder: Path
    printed: list[str] = field(default_factory=list[str])

    @asynccontextmanager
    async def bot(self, **settings: str) -> AsyncGenerator[BotProcess]:
        """A running bot, connected; ``settings`` are further variables. It ends with the block, orderly if it can."""
        connections = self.front.gateway.identified
        async with self.start(**settings) as bot:
            await until(
                lambda: self.front.gateway.identified > connections or bot.returncode is not None,
                what="the bot to connect",
            )
            assert bot.returncode is None, bot.output()
            yield bot
            if bot.returncode is None:
                assert await bot.terminate() == 0

    @asynccontextmanager
    async def start(self, **settings: str) -> AsyncGenerator[BotProcess]:
        """The process, whatever becomes of it."""
        empty = self.folder / "empty.toml"
        empty.touch()
        environment = {**self.environment(), **settings}
        async with self.front.launch("bot", "--config", str(empty), "run", environment=environment) as bot:
            yield bot
            self.printed.append(bot.output())

    async def imagine(self, prompt: str, **options: Any) -> InteractionResult:
        """Alice uses the command."""
        return await self.alice.slash(self.channel, "imagine", prompt=prompt, **options)

    @property
    def mention(self) -> str:
        """How members write the bot's name."""
        return f"<@{self.front.env.backend.bot_user.id}>"

    async def reply(
        self, words: str, above: discord.Message, *attachments: tuple[str, bytes], by: MemberActor | None = None
    ) -> discord.Message:
        """Somebody (alice, unless said) replies to a message."""
        return await (by or self.alice).send(self.channel, words, reply_to=above, attachments=attachments)

    def answers(self, message: discord.Message) -> list[discord.Message]:
        """The replies to a message, the first one first."""
        posts = self.channel.history()
        return [one for one in posts if one.reference is not None and one.reference.message_id == message.id]

    async def answer(self, message: discord.Message, words: str) -> discord.Message:
        """Wait until a reply to a message says these words."""

        def found() -> discord.Message | None:
            return next((one for one in self.answers(message) if words in rendered(one).text), None)

        return await until(found, what=f"an answer that says: {words}")

    async def card(self, message: discord.Message) -> discord.Message:
        """Wait until a reply to a message shows a picture."""

        def found() -> discord.Message | None:
            return next((one for one in self.answers(message) if rendered(one).images), None)

        return await until(found, what="a picture on the card below a message")

    def shown(self, asked: InteractionResult) -> discord.Message:
        """The message that answers an interaction."""
        assert asked.response is not None
        return asked.response.message

    async def modal(self, asked: InteractionResult) -> InteractionResult:
        """Wait until a modal is open."""
        await until(lambda: asked.modal, what="a modal")
        return asked

    async def menu(self, message: discord.Message) -> InteractionResult:
        """Alice opens the message menu's modal; it can be sent off as soon as the draft is kept."""
        asked = await self.modal(await self.alice.context_menu(self.channel, "Edit image", message))
        await until(lambda: self.query("SELECT count(*) FROM drafts")[0], what="the draft to be kept")
        return asked

    async def painting(self, asked: InteractionResult) -> None:
        """Wait until the card says that KIE paints."""
        await until(lambda: _says(asked, "🎨") and not _card(asked).buttons, what="the card to say that KIE paints")

    async def waiting(self, asked: InteractionResult) -> None:
        """Wait until the card tells a place in line."""
        await until(lambda: _says(asked, "⏳"), what="the card to tell a place in line")

    async def told(self, asked: InteractionResult, words: str) -> None:
        """Wait until the card says these words."""
        await until(lambda: _says(asked, words), what=f"the card to say: {words}")

    async def delivered(self, asked: InteractionResult, *, within: float = 10) -> Rendered:
        """The card with its picture."""
        await until(
            lambda: asked.response is not None and _card(asked).images, within=within, what="a picture on the card"
        )
        return _card(asked)

    async def settled(self, *, generations: int = 1) -> None:
        """Wait until alice's credits have come to rest, for so many generations of one picture."""
        await until(lambda: len(self.ledger()) >= 2 * generations, what="the credits to come to rest")
        assert sorted(self.ledger()) == sorted(PAID * generations)

    def posts(self) -> list[Rendered]:
        """What is to be rendered in the channel."""
        return [rendered(message) for message in self.channel.history()]

    def ledger(self) -> list[tuple[str, Decimal]]:
        """Every movement in its order, straight from the table."""
        connection = sqlite3.connect(self.folder / "easel.db")
        try:
            rows = connection.execute("SELECT movement, credits FROM ledger ORDER BY id").fetchall()
        finally:
            connection.close()
        return [(movement, Decimal(thousandths) / 1000) for movement, thousandths in rows]

    def query(self, sql: str, *values: int) -> list[int]:
        """The first column of what the database answers, straight from the file."""
        connection = sqlite3.connect(self.folder / "easel.db")
        try:
            with connection:
                return [row[0] for row in connection.execute(sql, values).fetchall()]
        finally:
            connection.close()

    def references(self) -> list[list[tuple[int, int, int]]]:
        """The colours of each order's references, in the order in which KIE got them."""
        return [[colour(one) for one in task.references or ()] for task in self.kie.tasks.values()]

    def alarms(self) -> list[str]:
        """What the processes that have ended logged as errors."""
        entries = [line for printed in self.printed for line in lines(printed)]
        return [entry["event"] for entry in entries if entry["level"] in {"error", "critical"}]

    def orders(self) -> list[str]:
        """The prompt of every createTask, in the order in which they came."""
        bodies: list[Any] = [call.json for call in created(self.kie)]
        return [body["input"]["prompt"] for body in bodies]

    def environment(self) -> dict[str, str]:
        """The settings of every process, as variables."""
        return {
            "EASEL__DISCORD__TOKEN": self.front.token,
            "EASEL__DISCORD__API_URL": self.front.api_url,
            "EASEL__DISCORD__GATEWAY_URL": self.front.gateway_url,
            "EASEL__DISCORD__CDN_HOSTS": json.dumps(["127.0.0.1"]),
            "EASEL__KIE__API_KEY": KIE_KEY,
            "EASEL__KIE__BASE_URL": self.kie.base_url,
            "EASEL__KIE__UPLOAD_URL": self.kie.base_url,
            "EASEL__KIE__RESULT_HOSTS": json.dumps(["127.0.0.1"]),
            "EASEL__DATABASE__URL": f"sqlite:///{self.folder / 'easel.db'}",
            "EASEL__WEB__PORT": "0",
            "EASEL__TRACKER__POLL_EVERY": "0.1",
            "EASEL__LOG__LEVEL": "debug",
            "EASEL__LOG__FORMAT": "json",
        }


@asynccontextmanager
async def open_studio(folder: Path, granted: discord.Intents | None = None) -> AsyncGenerator[Studio]:
    """A world for a test, where Discord grants those intents (all of them for None).

    At the end everything that was sent to Discord and KIE is judged.
    """
    put_fresh_database(folder / "easel.db")
    async with AsyncExitStack() as stack:
        kie = await stack.enter_async_context(KieStandIn(api_key=KIE_KEY, durations=0.2, shrink=4))
        front = await stack.enter_async_context(DiscordFront(approved_intents=granted))
        guild = front.env.create_guild("Studio")
        alice = guild.add_member(front.env.create_user("alice"))
        bob = guild.add_member(front.env.create_user("bob"))
        channel = guild.create_text_channel("studio")
        yield Studio(front, kie, channel, alice, bob, folder)
        check_all(kie, controls=True)
        assert [problem for call in front.requests for problem in problems_of(call.method, call.path, call.body)] == []
        assert [ping for call in front.requests for ping in pings_of(call.method, call.path, call.body)] == []


def filled(prompt: str, **others: Any) -> dict[str, Any]:
    """A modal as a member sends it off who only changes the prompt, and what ``others`` names."""
    return {"prompt": prompt, "model": ["pro"], "ratio": ["auto"], "resolution": ["1K"], **others}


def lines(printed: str) -> list[dict[str, Any]]:
    """What the bot logged, event by event."""
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


async def fetched(url: str) -> bytes:
    """A file as a member's client loads it."""
    async with aiohttp.ClientSession() as session, session.get(url, raise_for_status=True) as response:
        return await response.read()


def _card(asked: InteractionResult) -> Rendered:
    assert asked.response is not None
    return rendered(asked.response)


def _says(asked: InteractionResult, sign: str) -> bool:
    return asked.response is not None and sign in _card(asked).text
