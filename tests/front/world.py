"""A simcord world whose own bot does nothing, in real time."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
from PIL import Image
from simcord import Env
from simcord._clock import Clock
from simcord.backend import Backend
from simcord.backend.cdn import CdnStore
from simcord.backend.models import Message


class RealClock(Clock):
    """The time of day, plus whatever `env.advance_time` added to it."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.elapsed)


class CurrentBackend(Backend):
    """Simcord's, where it lags behind Discord.

    Simcord hides a reply to an interaction's answer from the bot that gave it, as Discord did until January 2023.
    Since then such a reply pings, and so is seen, like any other:
    https://github.com/discord/discord-api-docs/issues/5395
    """

    def commit_message(self, message: Message, *, broadcast: bool = True) -> Message:
        """Publish a message."""
        message.reply_author_interaction = False
        return super().commit_message(message, broadcast=broadcast)


class MeasuringCdn(CdnStore):
    """Gives images their width and height, as Discord does."""

    def store_attachment(
        self, attachment_id: int, channel_id: int, filename: str, data: bytes, description: str | None
    ) -> dict[str, Any]:
        attachment = super().store_attachment(attachment_id, channel_id, filename, data, description)
        return attachment | _size_of(data)


def _size_of(data: bytes) -> dict[str, int]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return {"width": image.width, "height": image.height}
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):
        return {}


def quiet_world() -> Env:
    """An environment, not started yet, whose own client only keeps simcord's results readable."""
    env = Env(discord.Client(intents=discord.Intents.all()))
    env.backend = CurrentBackend(clock=RealClock())
    env.backend.cdn = MeasuringCdn()
    return env
