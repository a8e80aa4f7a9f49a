"""A simcord world in real time whose built-in bot does nothing."""

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
    """The current time, plus what `env.advance_time` added to it."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.elapsed)


class CurrentBackend(Backend):
    """Simcord's backend with a change that Discord made in January 2023.

    Until then, a bot did not see a reply to its answer to an interaction; now such a reply pings like any other:
    https://github.com/discord/discord-api-docs/issues/5395
    """

    def commit_message(self, message: Message, *, broadcast: bool = True) -> Message:
        """Publish a message."""
        message.reply_author_interaction = False
        return super().commit_message(message, broadcast=broadcast)


class MeasuringCdn(CdnStore):
    """Adds width and height to images, as Discord does."""

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
    """An environment that is not started yet; its client exists only because simcord needs one."""
    env = Env(discord.Client(intents=discord.Intents.all()))
    env.backend = CurrentBackend(clock=RealClock())
    env.backend.cdn = MeasuringCdn()
    return env
