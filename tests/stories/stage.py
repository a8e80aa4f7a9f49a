"""The stage on which the stories play: one server, three members, the real bot, a KIE that obeys."""

import sqlite3
import sys
from collections.abc import AsyncGenerator, Generator, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest
import simcord
from discord import app_commands
from simcord.backend.cdn import CdnStore
from structlog.testing import capture_logs

from bot.app import Application
from bot.client import EaselClient
from bot.domain.errors import UserError
from demo.cdn import serve_cdn
from demo.kie import KieStandIn
from tests.discord_schema import problems_of
from tests.fresh import put_fresh_database
from tests.generation.doubles import ShiftedClock
from tests.kie.schema import check_all
from tests.pings import pings_of
from tests.stories.circumstances import Circumstances, configured
from tests.stories.running import Process
from tests.stories.seen import Seen, seen
from tests.waiting import until


def given(**changes: Any) -> pytest.MarkDecorator:
    """Mark a story that plays under other circumstances."""
    return pytest.mark.parametrize("circumstances", [Circumstances(**changes)], ids=["given"])


class LossyCdn(CdnStore):
    """Discord's file store, which loses the files whose names it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.loses: set[str] = set()

    def get(self, url: str) -> bytes | None:
        return None if url.rpartition("/")[2] in self.loses else super().get(url)


@dataclass(frozen=True)
class Stage:
    """Everything a story may look at. A story names the errors and the error logs that it provokes on purpose."""

    process: Process
    env: simcord.Env
    kie: KieStandIn
    cdn: LossyCdn
    channel: simcord.ChannelHandle
    alice: simcord.MemberActor
    bob: simcord.MemberActor
    admin: simcord.MemberActor
    clock: ShiftedClock
    database: Path
    expected_errors: list[type[Exception]] = field(default_factory=list[type[Exception]])
    expected_logs: list[str] = field(default_factory=list[str])

    @property
    def app(self) -> Application:
        """The bot that runs now."""
        return self.process.app

    @property
    def mention(self) -> str:
        """What a member types to mention the bot."""
        return f"<@{self.env.backend.bot_user.id}>"

    async def restart(self) -> None:
        """End the bot's process when it has nothing to do, and start another."""
        await self.rest()
        await self.process.restart(self.env)

    async def imagine(
        self, prompt: str = "a lighthouse in a storm", *, by: simcord.MemberActor | None = None, **options: Any
    ) -> simcord.InteractionResult:
        """Somebody (alice, unless said) uses the command in the channel."""
        return await (by or self.alice).slash(self.channel, "imagine", prompt=prompt, **options)

    async def outcome(self, asked: simcord.InteractionResult) -> Seen:
        """The card once it says how it ended, and the store knows that it was told."""
        shown = await until(lambda: _outcome(asked.response), what="the outcome on the card")
        await self.rest()
        return shown

    def answers(self, to: discord.Message) -> list[discord.Message]:
        """What replies to a message, as everybody sees it."""
        return [one for one in self.cards() if one.reference is not None and one.reference.message_id == to.id]

    async def answer(self, to: discord.Message) -> discord.Message:
        """The reply to a message, once it says how that ended."""

        def told() -> discord.Message | None:
            return next((one for one in self.answers(to)[:1] if has_ended(seen(one))), None)

        answer = await until(told, what="the answer to a message")
        await self.rest()
        return answer

    async def rest(self) -> None:
        """Wait until nothing is under way in the bot."""
        await until(lambda: not len(self.app.runtime.background), what="the bot's work under way")

    async def delivered(self, prompt: str = "a lighthouse in a storm", **options: Any) -> Seen:
        """Ask, and wait for the outcome."""
        return await self.outcome(await self.imagine(prompt, **options))

    async def refusal(self, asked: simcord.InteractionResult) -> Seen:
        """What the requester alone is told; "thinking…" is gone, and nobody else saw more than that."""
        told = asked.followups or ([asked.response] if asked.response is not None else [])
        (message,) = told
        shown = seen(message)
        assert shown.ephemeral
        assert not shown.thinking
        others = self.channel.history(viewer=self.admin)
        assert message.id not in {one.id for one in others}
        return shown

    def ledger(
        self, member: simcord.MemberActor | simcord.UserHandle, *, server: bool = True
    ) -> list[tuple[str, Decimal]]:
        """A member's movements in their order, straight from the table; in direct messages if not ``server``."""
        place = self.env.guild.id if server else 0
        connection = sqlite3.connect(self.database)
        try:
            rows = connection.execute(
                "SELECT movement, credits FROM ledger WHERE user_id = ? AND guild_id = ? ORDER BY id",
                (member.id, place),
            ).fetchall()
        finally:
            connection.close()
        return [(movement, Decimal(thousandths) / 1000) for movement, thousandths in rows]

    def sent(self, method: str, ending: str = "") -> list[simcord.HttpLogEntry]:
        """The bot's calls so far of that method whose path ends so."""
        return [call for call in self.env.http_requests if call.method == method and call.path.endswith(ending)]

    def second_post(self) -> Seen | None:
        """The message that followed the first one in the channel, if there is one."""
        posts = self.cards()
        return seen(posts[1]) if len(posts) > 1 else None

    def cards(self) -> list[discord.Message]:
        """What everybody sees in the channel."""
        return self.channel.history(viewer=self.admin)


async def balance(stage: Stage, member: simcord.MemberActor) -> Seen:
    """What /balance shows to a member."""
    asked = await member.slash(stage.channel, "balance")
    assert asked.response is not None
    return seen(asked.response)


def _outcome(message: simcord.ResponseMessage | None) -> Seen | None:
    if message is None:
        return None
    shown = seen(message)
    return shown if has_ended(shown) else None


def has_ended(card: Seen) -> bool:
    """Whether nothing more is to be waited for."""
    return not (card.thinking or any(sign in text for text in card.texts for sign in "👀🎨⏳"))


@asynccontextmanager
async def open_stage(
    folder: Path, kie: KieStandIn, circumstances: Circumstances | None = None
) -> AsyncGenerator[Stage, None]:
    """The bot in a world of its own, its database in ``folder``; at the end all that it sent is judged."""
    chosen = circumstances or Circumstances()
    database = folder / "easel.db"
    put_fresh_database(database)
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        logs = stack.enter_context(_captured_logs())
        if chosen.sees_all:
            stack.enter_context(_granted(discord.ApplicationFlags(gateway_message_content=True)))
        process = Process(configured(kie.base_url, database, chosen), clock)
        stack.push_async_callback(process.close)
        env = simcord.Env((await process.assemble()).client)
        await env.start()
        stack.push_async_callback(env.shutdown)
        env.backend.cdn = cdn = LossyCdn()
        await enter(serve_cdn(env))
        guild = env.create_guild("Studio")
        channel = guild.create_text_channel("studio")
        admins = guild.create_role("Admin", permissions=discord.Permissions(manage_guild=True, manage_messages=True))
        alice = guild.add_member(env.create_user("alice"))
        bob = guild.add_member(env.create_user("bob"))
        admin = guild.add_member(env.create_user("ada"), roles=[admins])
        # simcord.run would leave the simulated Discord in the fixture's context, where the workers do not find it.
        process.work(env)
        stack.push_async_callback(process.stop)
        stage = Stage(process, env, kie, cdn, channel, alice, bob, admin, clock, database)
        yield stage
        process.check()
        await stage.rest()
        check_all(kie, controls=chosen.flex_controls)
        assert _problems(env.http_requests) == []
        assert _unexpected(env.errors, stage.expected_errors) == []
        alarms = [entry["event"] for entry in logs if entry["log_level"] in {"error", "critical"}]
        assert alarms == stage.expected_logs


@contextmanager
def _granted(flags: discord.ApplicationFlags) -> Generator[None, None, None]:
    """simcord's developer portal grants nothing, and has no switch for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EaselClient, "application_flags", flags, raising=False)
        yield


@contextmanager
def _captured_logs() -> Generator[list[MutableMapping[str, Any]], None, None]:
    """What the bot logs; printed at the end, where pytest shows it beside a failure."""
    with capture_logs() as logs:
        try:
            yield logs
        finally:
            for entry in logs:
                sys.stdout.write(f"{entry}\n")


def _problems(calls: Sequence[simcord.HttpLogEntry]) -> list[str]:
    problems = [problem for call in calls for problem in problems_of(call.method, call.path, call.json)]
    return problems + [ping for call in calls for ping in pings_of(call.method, call.path, call.json)]


def _unexpected(errors: Sequence[BaseException], expected: Sequence[type[Exception]]) -> list[BaseException]:
    causes = [error.original if isinstance(error, app_commands.CommandInvokeError) else error for error in errors]
    return [error for error in causes if not isinstance(error, (UserError, *expected))]


async def fetched(url: str) -> bytes:
    """A file as a member's client loads it."""
    async with aiohttp.ClientSession() as session, session.get(url, raise_for_status=True) as response:
        return await response.read()
