"""Posts alerts to the operator's channel."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, assert_never

import discord
import structlog

from bot.domain.ids import ChannelId
from bot.domain.kie_account import (
    Alert,
    DeliveryGivenUp,
    LowBalance,
    Paused,
    ResultsArriving,
    ResultsMissing,
    Resumed,
    ServerDeclined,
    UnknownResultHost,
)
from bot.ui.cards import AMBER, GREEN, RED, finished_view
from bot.ui.discord_errors import DISCORD_ERRORS, leave_out_words
from bot.ui.texts import ops

log = structlog.stdlib.get_logger(__name__)

_POST_TIMEOUT: Final = 30.0
"""Seconds."""


class DiscordAlerts:
    """The port :class:`bot.domain.ports.OperatorAlerts`. Without a channel it does nothing."""

    def __init__(
        self, client: discord.Client, channel_id: ChannelId | None, logged_in: Callable[[], Awaitable[None]]
    ) -> None:
        self._client = client
        self._channel_id = channel_id
        self._logged_in = logged_in

    async def send(self, alert: Alert) -> None:
        """Post the alert once the client is logged in; a failure is logged."""
        if self._channel_id is None:
            return
        await self._logged_in()
        channel = self._client.get_partial_messageable(self._channel_id)
        try:
            async with asyncio.timeout(_POST_TIMEOUT):
                nobody = discord.AllowedMentions.none()
                await leave_out_words(
                    lambda words: channel.send(
                        view=_view(alert if words else _without_names(alert)), allowed_mentions=nobody
                    )
                )
        except DISCORD_ERRORS as error:
            log.warning("alert not posted", alert=type(alert).__name__, error=type(error).__name__)


def _without_names(alert: Alert) -> Alert:
    match alert:
        case ServerDeclined():
            return replace(alert, name=ops.NAME_HIDDEN)
        case UnknownResultHost():
            return replace(alert, host=ops.NAME_HIDDEN)
        case _:
            return alert


def _view(alert: Alert) -> discord.ui.LayoutView:
    match alert:
        case LowBalance():
            colour, text = AMBER, f"⚠️ {ops.low(alert)}"
        case Paused():
            colour, text = RED, f"⏸️ {ops.paused(alert)}"
        case Resumed():
            colour, text = GREEN, f"▶️ {ops.resumed(alert)}"
        case ServerDeclined():
            colour, text = AMBER, f"🚪 {ops.declined(alert)}"
        case UnknownResultHost():
            colour, text = AMBER, f"⚠️ {ops.unknown_host(alert)}"
        case ResultsMissing():
            colour, text = RED, f"⏸️ {ops.RESULTS_MISSING}"
        case ResultsArriving():
            colour, text = GREEN, f"▶️ {ops.results_arriving(alert)}"
        case DeliveryGivenUp():
            colour, text = AMBER, f"⚠️ {ops.delivery_given_up(alert)}"
        case _:
            assert_never(alert)
    return finished_view(colour, discord.ui.TextDisplay(text))
