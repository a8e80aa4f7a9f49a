"""Posts what the operator should know to a channel of theirs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import assert_never

import aiohttp
import discord
import structlog

from bot.domain.ids import ChannelId
from bot.domain.kie_account import Alert, LowBalance, Paused, Resumed
from bot.ui.cards import AMBER, GREEN, RED, finished_view
from bot.ui.texts import ops

log = structlog.stdlib.get_logger(__name__)

_SECONDS = 30.0


class DiscordAlerts:
    """The port :class:`bot.domain.ports.Announcer`. Without a channel it says nothing."""

    def __init__(
        self, client: discord.Client, channel_id: ChannelId | None, logged_in: Callable[[], Awaitable[None]]
    ) -> None:
        self._client = client
        self._channel_id = channel_id
        self._logged_in = logged_in

    async def send(self, alert: Alert) -> None:
        """Post the alert as soon as there is a way to Discord."""
        if self._channel_id is None:
            return
        await self._logged_in()
        channel = self._client.get_partial_messageable(self._channel_id)
        try:
            async with asyncio.timeout(_SECONDS):
                await channel.send(view=_view(alert), allowed_mentions=discord.AllowedMentions.none())
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the operator could not be told", alert=type(alert).__name__, error=type(error).__name__)


def _view(news: Alert) -> discord.ui.LayoutView:
    match news:
        case LowBalance():
            colour, text = AMBER, f"⚠️ {ops.low(news)}"
        case Paused():
            colour, text = RED, f"⏸️ {ops.paused(news)}"
        case Resumed():
            colour, text = GREEN, f"▶️ {ops.resumed(news)}"
        case _:
            assert_never(news)
    return finished_view(colour, discord.ui.TextDisplay(text))
