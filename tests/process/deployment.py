"""What outlives one process of the bot: a loopback Discord, the KIE stand-in, and the data folder."""

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
from tests.process.images import Colour, colour_of
from tests.stories.rendered import Rendered, rendered
from tests.waiting import until

KIE_KEY = "kie-key-that-nobody-may-read"
PAID = [("reserve", Decimal(-5)), ("settle", Decimal(0))]


def bot_settings(front: DiscordFront, kie: KieStandIn, kie_key: str, database_url: str) -> dict[str, str]:
    """The settings with which a bot finds the stand-ins, as environment variables."""
    return {
        "EASEL__DISCORD__TOKEN": front.token,
        "EASEL__DISCORD__API_URL": front.api_url,
        "EASEL__DISCORD__GATEWAY_URL": front.gateway_url,
        "EASEL__DISCORD__CDN_HOSTS": json.dumps(["127.0.0.1"]),
        "EASEL__KIE__API_KEY": kie_key,
        "EASEL__KIE__BASE_URL": kie.base_url,
        "EASEL__KIE__UPLOAD_URL": kie.base_url,
        "EASEL__KIE__RESULT_HOSTS": json.dumps(["127.0.0.1"]),
        "EASEL__DATABASE__URL": database_url,
        "EASEL__WEB__PORT": "0",
        "EASEL__LIMITS__DAILY_BUDGET": "0",
        "EASEL__TRACKER__POLL_EVERY": "0.1",
        "EASEL__LOG__FORMAT": "json",
    }


@dataclass(frozen=True)
class Deployment:
    """Starts processes of the bot, acts as its members, and reads what they see."""

    front: DiscordFront
    kie: KieStandIn
    channel: ChannelHandle
    alice: MemberActor
    bob: MemberActor
    folder: Path
    outputs: list[str] = field(default_factory=list[str])
    """What each ended process printed."""

    @property
    def settings(self) -> dict[str, str]:
        """Of every process, as environment variables."""
        settings = bot_settings(self.front, self.kie, KIE_KEY, f"sqlite:///{self.folder / 'easel.db'}")
        return settings | {"EASEL__LOG__LEVEL": "debug"}

    @asynccontextmanager
    async def start(self, **settings: str) -> AsyncGenerator[BotProcess]:
        """A process, whatever becomes of it; ``settings`` are further environment variables."""
        config = self.folder / "empty.toml"
        config.touch()
        environment = {**self.settings, **settings}
        async with self.front.launch("bot", "--config", str(config), "run", environment=environment) as bot:
            yield bot
            self.outputs.append(bot.output())

    @asynccontextmanager
    async def bot(self, **settings: str) -> AsyncGenerator[BotProcess]:
        """A process that is connected; unless it has ended, it is ended by SIGTERM with the block."""
        identified = self.front.gateway.identified
        async with self.start(**settings) as bot:
            await until(
                lambda: self.front.gateway.identified > identified or bot.returncode is not None,
                within=60,
                what="the bot to connect",
            )
            assert bot.returncode is None, bot.output()
            yield bot
            if bot.returncode is None:
                assert await bot.terminate(within=20) == 0

    async def imagine(self, prompt: str, **options: Any) -> InteractionResult:
        """Alice uses the command."""
        return await self.alice.slash(self.channel, "imagine", prompt=prompt, **options)

    @property
    def mention(self) -> str:
        return f"<@{self.front.env.backend.bot_user.id}>"

    async def mention_with(
        self, words: str, *files: tuple[str, bytes], by: MemberActor | None = None
    ) -> discord.Message:
        """Alice (or another member) mentions the bot and attaches files."""
        return await (by or self.alice).send(self.channel, f"{self.mention} {words}", attachments=files)

    async def reply(self, words: str, to: discord.Message, *files: tuple[str, bytes]) -> discord.Message:
        """Alice replies to a message."""
        return await self.alice.send(self.channel, words, reply_to=to, attachments=files)

    async def wait_for_question(self, message: discord.Message) -> discord.Message:
        """The question about a reply of words alone; it can be answered as soon as it is stored."""
        question = await self.wait_for_reply(message, "Edit this image?")
        await until(lambda: self.query("SELECT count(*) FROM drafts")[0], what="the question to be stored")
        return question

    def card(self, interaction: InteractionResult) -> discord.Message:
        """The message that answers an interaction."""
        assert interaction.response is not None
        return interaction.response.message

    def replies_to(self, message: discord.Message) -> list[discord.Message]:
        """The bot's replies, the first one first."""
        posts = self.channel.history()
        return [post for post in posts if post.reference is not None and post.reference.message_id == message.id]

    async def wait_for_reply(self, message: discord.Message, text: str) -> discord.Message:
        """Wait until a reply contains a text."""

        def reply() -> discord.Message | None:
            return next((reply for reply in self.replies_to(message) if text in rendered(reply).text), None)

        return await until(reply, within=20, what=f"a reply with the text {text!r}")

    async def wait_for_reply_with_image(self, message: discord.Message) -> discord.Message:
        def reply() -> discord.Message | None:
            return next((reply for reply in self.replies_to(message) if rendered(reply).images), None)

        return await until(reply, within=20, what="a reply with an image")

    async def wait_for_modal(self, interaction: InteractionResult) -> InteractionResult:
        await until(lambda: interaction.modal, what="a modal")
        return interaction

    async def open_edit_modal(self, message: discord.Message) -> InteractionResult:
        """Alice opens the message menu's modal; it can be submitted as soon as the draft is stored."""
        opened = await self.wait_for_modal(await self.alice.context_menu(self.channel, "Edit image", message))
        await until(lambda: self.query("SELECT count(*) FROM drafts")[0], what="the draft to be stored")
        return opened

    async def wait_until_running(self, interaction: InteractionResult) -> None:
        """Wait until the card says that KIE is at work, and cannot be cancelled."""
        await until(
            lambda: _shows(interaction, "🎨") and not rendered(self.card(interaction)).buttons,
            what="the card to say that KIE is at work",
        )

    async def wait_for_text(self, interaction: InteractionResult, text: str) -> None:
        """Wait until the card contains a text."""
        await until(lambda: _shows(interaction, text), within=20, what=f"a card with the text {text!r}")

    async def wait_for_image(self, interaction: InteractionResult) -> Rendered:
        """The card, once it has an image."""
        await until(
            lambda: interaction.response is not None and rendered(interaction.response).images,
            within=60,
            what="an image on the card",
        )
        return rendered(self.card(interaction))

    async def wait_until_settled(self, generations: int = 1) -> None:
        """Wait until so many generations of one image at 5 credits, and nothing else, were paid."""
        await until(lambda: len(self.ledger()) >= 2 * generations, within=20, what="the ledger to be settled")
        assert sorted(self.ledger()) == sorted(PAID * generations)

    def posts(self) -> list[Rendered]:
        """All messages of the channel."""
        return [rendered(message) for message in self.channel.history()]

    def ledger(self) -> list[tuple[str, Decimal]]:
        """All entries in order, straight from the table."""
        entries = self._rows("SELECT movement, credits FROM ledger ORDER BY id")
        return [(movement, Decimal(thousandths) / 1000) for movement, thousandths in entries]

    def query(self, sql: str, *values: int) -> list[int]:
        """The first column of a statement's rows, straight from the database."""
        return [row[0] for row in self._rows(sql, *values)]

    def _rows(self, sql: str, *values: int) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / "easel.db")
        try:
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def reference_colours(self) -> list[list[Colour]]:
        """Of each of KIE's tasks, the colours of its references in their order."""
        return [[colour_of(reference) for reference in task.references or ()] for task in self.kie.tasks.values()]

    def prompts(self) -> list[str]:
        """Of every createTask, in the order in which they came."""
        bodies: list[Any] = [call.json for call in created(self.kie)]
        return [body["input"]["prompt"] for body in bodies]

    def logged_errors(self) -> list[str]:
        """The events that ended processes logged as errors."""
        entries = [entry for output in self.outputs for entry in log_entries(output)]
        return [entry["event"] for entry in entries if entry["level"] in {"error", "critical"}]


@asynccontextmanager
async def open_deployment(folder: Path, granted: discord.Intents | None = None) -> AsyncGenerator[Deployment]:
    """A deployment where Discord grants these intents (all of them for None).

    At the end everything that was sent to Discord and KIE is checked against their schemas, and for pings.
    """
    put_fresh_database(folder / "easel.db")
    async with AsyncExitStack() as stack:
        kie = await stack.enter_async_context(KieStandIn(api_key=KIE_KEY, durations=0.2, shrink=4))
        front = await stack.enter_async_context(DiscordFront(approved_intents=granted))
        guild = front.env.create_guild("Studio")
        alice, bob = (guild.add_member(front.env.create_user(name)) for name in ("alice", "bob"))
        channel = guild.create_text_channel("studio")
        yield Deployment(front, kie, channel, alice, bob, folder)
        check_all(kie, controls=True)
        assert [problem for call in front.requests for problem in problems_of(call.method, call.path, call.body)] == []
        assert [ping for call in front.requests for ping in pings_of(call.method, call.path, call.body)] == []


def modal_values(prompt: str, **others: Any) -> dict[str, Any]:
    """The fields of a modal as submitted by a member who changes the prompt, and ``others``."""
    return {"prompt": prompt, "model": ["pro"], "ratio": ["auto"], "resolution": ["1K"], **others}


def log_entries(output: str) -> list[dict[str, Any]]:
    """What a process logged."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


async def fetched(url: str) -> bytes:
    """A file as a member's client loads it."""
    async with aiohttp.ClientSession() as session, session.get(url, raise_for_status=True) as response:
        return await response.read()


def _shows(interaction: InteractionResult, text: str) -> bool:
    return interaction.response is not None and text in rendered(interaction.response).text
