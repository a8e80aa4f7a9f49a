"""A Discord and a KIE on loopback addresses, and a configuration with which every check succeeds."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simcord import ChannelHandle, GuildHandle

from bot.checks import check_everything
from bot.checks.lines import CheckLine, CheckOutcome
from bot.config import Config
from demo.kie import KieStandIn
from tests.front import DiscordFront

KIE_KEY = "kie-key-that-nobody-may-read"
Settings = dict[str, dict[str, Any]]
Break = Callable[["Surroundings"], object]
"""Makes one thing go wrong."""


@dataclass
class Surroundings:
    """What the bot depends on, to be broken by a test. ``settings`` are the configuration's, by section."""

    front: DiscordFront
    kie: KieStandIn
    guild: GuildHandle
    channel: ChannelHandle
    folder: Path
    settings: Settings = field(default_factory=Settings)

    async def check(self) -> list[CheckLine]:
        return await check_everything(Config.model_validate(deepcopy(self.settings)))

    async def failures(self) -> list[CheckLine]:
        return [line for line in await self.check() if line.outcome is CheckOutcome.FAILED]


def setting(name: str, value: object) -> Break:
    """Changes a setting, named as ``section.key``."""
    section, _, key = name.partition(".")
    return lambda world: world.settings.setdefault(section, {}).update({key: value})


@asynccontextmanager
async def open_surroundings(folder: Path) -> AsyncGenerator[Surroundings]:
    async with KieStandIn(api_key=KIE_KEY) as kie, DiscordFront() as front:
        guild = front.env.create_guild("Studio")
        channel = guild.create_text_channel("alerts")
        settings: Settings = {
            "discord": {"token": front.token, "api_url": front.api_url},
            "kie": {
                "api_key": KIE_KEY,
                "base_url": kie.base_url,
                "upload_url": kie.base_url,
                "result_hosts": [kie.base_url.removeprefix("http://")],
            },
            "database": {"url": f"sqlite:///{folder / 'easel.db'}"},
            "web": {"port": 0},
            "limits": {"daily_budget": 500},
            "operator": {"guild": guild.id, "alert_channel": channel.id},
        }
        yield Surroundings(front, kie, guild, channel, folder, settings)
