"""The world of the stories: a simulated Discord server with three members, the real bot, and a stand-in for KIE."""

import sys
from collections.abc import AsyncGenerator, Generator, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord
from discord import app_commands
from simcord.backend.cdn import CdnStore
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType
from structlog.testing import capture_logs

from bot.app import Application
from bot.client import EaselClient
from bot.config.sections import DatabaseConfig
from bot.domain.errors import UserError
from demo.cdn import serve_cdn
from demo.kie import Code, KieStandIn
from demo.simulation import ignore_idle_connections
from tests.database import ON_POSTGRESQL, execute, fresh_database
from tests.discord_schema import problems_of
from tests.generation.doubles import ShiftedClock
from tests.kie.schema import caused, check_all
from tests.pings import pings_of
from tests.stories.rendered import Rendered, rendered
from tests.stories.restartable_bot import BotOptions, RestartableBot, config_of
from tests.waiting import until

Movements = list[tuple[str, Decimal]]

PAID: Movements = [("reserve", Decimal(-5)), ("settle", Decimal(0))]
"""The ledger of a member who paid for one image in 1K by pro."""
REFUNDED: Movements = [("reserve", Decimal(-5)), ("refund", Decimal(5))]
GOODWILL: Movements = [("reserve", Decimal(-5)), ("goodwill", Decimal(5))]
"""Refunded to the member, although KIE was paid."""


def bot_with(**options: Any) -> pytest.MarkDecorator:
    """Mark a story whose bot has other options than usual."""
    return pytest.mark.parametrize("bot_options", [BotOptions(**options)], ids=["options"])


class LossyCdn(CdnStore):
    """Discord's file store, without the files named in ``lost``."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[str] = set()

    def get(self, url: str) -> bytes | None:
        return None if url.rpartition("/")[2] in self.lost else super().get(url)


@dataclass(frozen=True)
class StoryWorld:
    """Everything a story may look at. A story names the errors and error logs that it provokes on purpose."""

    bot: RestartableBot
    env: simcord.Env
    kie: KieStandIn
    cdn: LossyCdn
    channel: simcord.ChannelHandle
    alice: simcord.MemberActor
    bob: simcord.MemberActor
    admin: simcord.MemberActor
    clock: ShiftedClock
    folder: Path
    expected_errors: list[type[Exception]] = field(default_factory=list[type[Exception]])
    expected_logs: list[str] = field(default_factory=list[str])

    @property
    def app(self) -> Application:
        """The running bot."""
        return self.bot.app

    @property
    def files(self) -> Path:
        """The folder in which the running process keeps files."""
        return self.folder / "process-1" if ON_POSTGRESQL else self.folder

    @property
    def mention(self) -> str:
        """What a member types to mention the bot."""
        return f"<@{self.env.backend.bot_user.id}>"

    async def restart(self) -> None:
        """End the bot when it has nothing to do, and start another."""
        await self.rest()
        await self.bot.restart(self.env)

    async def imagine(
        self, prompt: str = "a lighthouse in a storm", *, by: simcord.MemberActor | None = None, **options: Any
    ) -> simcord.InteractionResult:
        """Somebody (alice by default) uses the command in the channel."""
        return await (by or self.alice).slash(self.channel, "imagine", prompt=prompt, **options)

    async def outcome(self, command: simcord.InteractionResult) -> Rendered:
        """The card once it says how the request ended, and the store knows that it was posted."""

        def ended() -> Rendered | None:
            card = rendered(command.response) if command.response is not None else None
            return card if card is not None and has_ended(card) else None

        card = await until(ended, what="the outcome on the card")
        await self.rest()
        return card

    async def delivered(self, prompt: str = "a lighthouse in a storm", **options: Any) -> Rendered:
        """Use /imagine, and wait for the outcome."""
        return await self.outcome(await self.imagine(prompt, **options))

    async def in_progress(self, command: simcord.InteractionResult) -> simcord.ResponseMessage:
        """The card once KIE has all tasks, so that it is not edited again before the outcome."""
        response = response_of(command)
        await until(
            lambda: "🎨" in rendered(response).text and not rendered(response).buttons, what="KIE to have the tasks"
        )
        return response

    def answers(self, to: discord.Message) -> list[discord.Message]:
        """What replies to a message, as everybody sees it."""
        return [
            message
            for message in self.messages()
            if message.reference is not None and message.reference.message_id == to.id
        ]

    async def answer(self, to: discord.Message) -> discord.Message:
        """The reply to a message, once it says how the request ended."""

        def ended() -> discord.Message | None:
            return next((answer for answer in self.answers(to)[:1] if has_ended(rendered(answer))), None)

        answer = await until(ended, what="the answer to a message")
        await self.rest()
        return answer

    async def mention_bot(self, text: str, *, by: simcord.MemberActor | None = None, **options: Any) -> discord.Message:
        """Somebody (alice by default) sends a message to the bot in the channel."""
        return await (by or self.alice).send(self.channel, f"{self.mention} {text}", **options)

    @contextmanager
    def unfinished(self) -> Generator[None, None, None]:
        """Within the block KIE finishes no task; what else is scripted for tasks to come ends with it."""
        self.kie.script.always("recordInfo", Code(200, "success", {}))
        yield
        self.kie.script.clear()

    async def rest(self) -> None:
        """Wait until the bot has nothing to do in the background."""
        await until(lambda: not len(self.app.runtime.background), what="the bot's work in progress")

    def refusal(self, command: simcord.InteractionResult) -> Rendered:
        """What the requester alone sees; "thinking…" is gone, and nobody else saw more than that."""
        sent = command.followups or ([command.response] if command.response is not None else [])
        (message,) = sent
        refusal = rendered(message)
        assert refusal.ephemeral
        assert not refusal.thinking
        assert message.id not in {other.id for other in self.messages()}
        return refusal

    def ledger(self, member: simcord.MemberActor | simcord.UserHandle, *, server: bool = True) -> Movements:
        """A member's ledger entries, oldest first, straight from the table; of direct messages if not ``server``."""
        rows = execute(
            self.folder,
            "SELECT movement, credits FROM ledger WHERE user_id = ? AND guild_id = ? ORDER BY id",
            (member.id, self.env.guild.id if server else 0),
        )
        return [(movement, Decimal(thousandths) / 1000) for movement, thousandths in rows]

    def check_nothing_started(self, member: simcord.MemberActor | None = None) -> None:
        """KIE was asked for nothing, and the member (alice by default) paid nothing."""
        assert caused(self.kie) == []
        assert self.ledger(member or self.alice) == []

    def undelivered(self) -> int:
        """How many results wait for their member's next command, straight from the table."""
        ((count,),) = execute(self.folder, "SELECT count(*) FROM undelivered")
        return count

    def calls(self, method: str, ending: str = "") -> list[simcord.HttpLogEntry]:
        """The bot's calls of Discord so far with that method and ending of the path."""
        return [call for call in self.env.http_requests if call.method == method and call.path.endswith(ending)]

    def messages(self) -> list[discord.Message]:
        """What everybody sees in the channel."""
        return self.channel.history(viewer=self.admin)

    def deny_bot(self, *permissions: str) -> None:
        """An admin takes permissions away from the bot's role in the channel."""
        backend = self.env.backend
        (role,) = [role for role in backend.get_guild(self.env.guild.id).roles.values() if role.managed]
        denied = discord.Permissions(**dict.fromkeys(permissions, True))
        backend.set_overwrite(self.channel.id, Overwrite(role.id, OverwriteType.ROLE, deny=denied.value))


def response_of(command: simcord.InteractionResult) -> simcord.ResponseMessage:
    """The message that answers an interaction, which there must be."""
    assert command.response is not None
    return command.response


async def balance(world: StoryWorld, member: simcord.MemberActor) -> Rendered:
    """What /balance shows to a member."""
    return rendered(response_of(await member.slash(world.channel, "balance")))


def has_ended(card: Rendered) -> bool:
    """Whether a card shows an outcome."""
    return not (card.thinking or any(sign in text for text in card.texts for sign in "👀🎨⏳"))


@asynccontextmanager
async def open_world(
    folder: Path, kie: KieStandIn, options: BotOptions | None = None
) -> AsyncGenerator[StoryWorld, None]:
    """A world with its database in ``folder``; at the end, all that the bot sent is checked."""
    options = options or BotOptions()
    database = DatabaseConfig(url=fresh_database(folder), folder=str(folder))
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        logs = stack.enter_context(_captured_logs())
        if options.sees_all:
            stack.enter_context(_granted(discord.ApplicationFlags(gateway_message_content=True)))
        bot = RestartableBot(config_of(options, kie.base_url, database), clock)
        stack.push_async_callback(bot.close)
        # A first chart, or eight images, take seconds on a machine with other work.
        env = simcord.Env((await bot.assemble()).client, shard_count=1, settle_timeout=30)
        await env.start()
        ignore_idle_connections()
        stack.push_async_callback(env.shutdown)
        env.backend.cdn = cdn = LossyCdn()
        await stack.enter_async_context(serve_cdn(env))
        guild = env.create_guild("Studio")
        channel = guild.create_text_channel("studio")
        admins = guild.create_role("Admin", permissions=discord.Permissions(manage_guild=True, manage_messages=True))
        alice = guild.add_member(env.create_user("alice"))
        bob = guild.add_member(env.create_user("bob"))
        admin = guild.add_member(env.create_user("ada"), roles=[admins])
        # simcord.run would leave the simulated Discord in the fixture's context, where the workers do not find it.
        await bot.work(env)
        stack.push_async_callback(bot.stop)
        world = StoryWorld(bot, env, kie, cdn, channel, alice, bob, admin, clock, folder)
        yield world
        bot.check()
        await world.rest()
        check_all(kie, controls=options.flex_controls)
        assert _problems(env.http_requests) == []
        assert _unexpected(env.errors, world.expected_errors) == []
        alarms = [entry["event"] for entry in logs if entry["log_level"] in {"error", "critical"}]
        assert alarms == world.expected_logs


@contextmanager
def _granted(flags: discord.ApplicationFlags) -> Generator[None, None, None]:
    """simcord's developer portal grants no intents, and has no switch for it."""
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
