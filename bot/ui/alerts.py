"""Posts alerts in the operator's channel, or to the application's owner."""

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
    DiskLow,
    GatewayAway,
    GatewayReturned,
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
    """The port :class:`bot.domain.ports.OperatorAlerts`.

    Without a channel, or if Discord refuses to post there, the application's owner gets a direct message; of a team,
    its owner.
    """

    def __init__(
        self, client: discord.Client, channel_id: ChannelId | None, logged_in: Callable[[], Awaitable[None]]
    ) -> None:
        self._client = client
        self._channel_id = channel_id
        self._logged_in = logged_in

    async def send(self, alert: Alert) -> None:
        """Post the alert once the client is logged in; a failure is logged."""
        await self._logged_in()
        try:
            async with asyncio.timeout(_POST_TIMEOUT):
                if self._channel_id is None or not await self._post_in_channel(self._channel_id, alert):
                    await _post(await self._client.create_dm(discord.Object(self._owner_id())), alert)
        except DISCORD_ERRORS as error:
            log.warning("alert not posted", alert=type(alert).__name__, error=type(error).__name__)

    async def _post_in_channel(self, channel_id: ChannelId, alert: Alert) -> bool:
        """Whether Discord let the bot post there."""
        try:
            await _post(self._client.get_partial_messageable(channel_id), alert)
        except discord.DiscordServerError:
            raise
        except discord.HTTPException as error:
            log.warning("operator.alert_channel: the bot may not post there", channel=channel_id, code=error.code)
            return False
        return True

    def _owner_id(self) -> int:
        application = self._client.application
        if application is None:
            raise AssertionError("a client that is logged in knows its application")
        team = application.team
        return application.owner.id if team is None or team.owner_id is None else team.owner_id


async def _post(place: discord.abc.Messageable, alert: Alert) -> None:
    nobody = discord.AllowedMentions.none()
    await leave_out_words(
        lambda words: place.send(view=_view(alert if words else _without_names(alert)), allowed_mentions=nobody)
    )


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
        case DiskLow():
            colour, text = RED, f"⚠️ {ops.disk_low(alert)}"
        case GatewayAway():
            colour, text = RED, f"⚠️ {ops.gateway_away(alert)}"
        case GatewayReturned():
            colour, text = GREEN, f"▶️ {ops.gateway_returned(alert)}"
        case _:
            assert_never(alert)
    return finished_view(colour, discord.ui.TextDisplay(text))
