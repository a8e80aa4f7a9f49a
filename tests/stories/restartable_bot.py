"""The bot of a story: its settings, and one process after another on the same database."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal, final

import simcord

from bot.app import Application
from bot.assembly import assemble
from bot.config import Config
from bot.config.sections import (
    AssistantConfig,
    DatabaseConfig,
    DiscordConfig,
    KieConfig,
    PreviewsConfig,
    QuotaConfig,
    TrackerConfig,
)
from bot.domain.ports import Clock
from demo.simulation import ignore_idle_connections
from tests.waiting import until

_POLL_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class BotOptions:
    """What a story may set differently."""

    credits: int = 50
    open_generations: int = 10
    new_tasks: int = 20
    new_tasks_window: float = 10
    flex_controls: bool = False
    deadline: float = 600
    give_up_submitting: float = 180
    sees_all: bool = False
    """Whether Discord grants the message-content intent."""
    previews: int = 0
    """Megabytes: few stories look at them."""
    user_install: bool = False
    direct_messages: Literal["auto", "on", "off"] = "auto"
    assistant: AssistantConfig = field(default_factory=AssistantConfig)


def config_of(options: BotOptions, kie_url: str, database: DatabaseConfig) -> Config:
    """The bot's configuration with these options."""
    return Config(
        discord=DiscordConfig(
            cdn_hosts=("127.0.0.1",), user_install=options.user_install, direct_messages=options.direct_messages
        ),
        kie=KieConfig.model_validate(
            {
                "api_key": "test-key",
                "base_url": kie_url,
                "upload_url": kie_url,
                "result_hosts": ("127.0.0.1",),
                "new_tasks": options.new_tasks,
                "new_tasks_window": options.new_tasks_window,
                "flex_controls": options.flex_controls,
            }
        ),
        database=database,
        previews=PreviewsConfig(keep_megabytes=options.previews),
        assistant=options.assistant,
        quota=QuotaConfig(credits=options.credits, open_generations=options.open_generations),
        tracker=TrackerConfig(
            poll_every=_POLL_INTERVAL,
            late_every=_POLL_INTERVAL,
            deadline=options.deadline,
            give_up_submitting=options.give_up_submitting,
        ),
    )


@final
class RestartableBot:
    """One bot at a time. A changed ``config`` applies from the next start."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self._clock = clock
        self._resources = AsyncExitStack()
        self._app: Application | None = None
        self._workers: asyncio.Task[None] | None = None

    @property
    def app(self) -> Application:
        """The running bot."""
        assert self._app is not None, "the bot was not started"
        return self._app

    async def assemble(self) -> Application:
        """Open what the bot needs; its client can then be connected."""
        self._app = await self._resources.enter_async_context(assemble(self.config, clock=self._clock))
        return self._app

    async def work(self, env: simcord.Env) -> None:
        """Start the workers, which find the simulated Discord in their context."""
        with env.time_context():
            self._workers = asyncio.create_task(self.app.work())
        # The simulated time of a command is not the workers', who would see the clock jump if they began after one.
        await until(self.app.working.is_set, within=30, what="the workers")

    def check(self) -> None:
        """Fail if the workers died."""
        assert self._workers is not None
        assert not self._workers.done(), f"the workers died: {self._workers}"

    async def stop(self) -> None:
        """End the workers."""
        if self._workers is not None:
            self._workers.cancel()
            await asyncio.wait({self._workers})
            self._workers = None

    async def close(self) -> None:
        """Close everything that the bot holds."""
        await self.stop()
        await self._resources.aclose()

    async def restart(self, env: simcord.Env) -> None:
        """End the bot, start another one, and connect it to the same Discord."""
        self.check()
        await self.close()
        await env.restart_bot((await self.assemble()).client)
        ignore_idle_connections()
        await self.work(env)
