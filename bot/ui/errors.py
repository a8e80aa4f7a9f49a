"""One reporter for the command tree, views, modals and buttons: a sentence for the member, the rest for the log."""

import secrets
from types import TracebackType
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands

from bot.domain.errors import UserError
from bot.domain.ids import short
from bot.ui import texts
from bot.ui.interactions import ALREADY_ACKNOWLEDGED

log = structlog.stdlib.get_logger(__name__)

_GONE = {10008, 10015, 10062, 40060, 50027}
"""Discord's codes for an interaction, message or token that is no more, or was answered before."""


class Reporter:
    """Tells members what went wrong, privately."""

    def reporting(self, interaction: discord.Interaction[Any]) -> "_Reporting":
        """A block whose errors are reported instead of raised."""
        return _Reporting(self, interaction)

    async def report(self, interaction: discord.Interaction[Any], error: BaseException) -> None:
        """Answer the interaction with what a member can use of the error; log what only the operator can."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        try:
            await _answer(interaction, self._sentence(interaction, cause))
        except discord.HTTPException as failure:
            log.warning("an error could not be told", status=failure.status, code=failure.code)
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as failure:
            # RuntimeError: the session is closed, since the process is ending.
            log.warning("an error could not be told", error=type(failure).__name__)

    def _sentence(self, interaction: discord.Interaction[Any], error: BaseException) -> str:
        match error:
            case UserError():
                return texts.refusal(error)
            case app_commands.CheckFailure():
                return texts.FORBIDDEN
            case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
                return texts.OUTDATED
            case discord.HTTPException() if error.code in _GONE:
                log.info("an interaction was gone before it could be answered", code=error.code)
                return texts.OUTDATED
            case _:
                reference = short(secrets.randbits(24))
                log.error("an interaction failed", ref=reference, command=_name(interaction), exc_info=error)
                return texts.broken(reference)


def _name(interaction: discord.Interaction[Any]) -> str:
    return interaction.command.qualified_name if interaction.command else interaction.type.name


class _Reporting:
    def __init__(self, reporter: Reporter, interaction: discord.Interaction[Any]) -> None:
        self._reporter = reporter
        self._interaction = interaction

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(exc, Exception):
            return False
        await self._reporter.report(self._interaction, exc)
        return True


async def _answer(interaction: discord.Interaction[Any], text: str) -> None:
    nobody = discord.AllowedMentions.none()
    thinking = interaction.response.type is discord.InteractionResponseType.deferred_channel_message
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(text, ephemeral=True, allowed_mentions=nobody)
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED:
                raise
            # Discord took the acknowledgement, and its answer was lost.
            thinking = interaction.type is discord.InteractionType.application_command
        else:
            return
    if thinking:
        # A follow-up would take the place of "thinking…" and be seen by everybody, unless that has become a message.
        await interaction.edit_original_response(content=texts.TOLD_PRIVATELY, allowed_mentions=nobody)
    await interaction.followup.send(text, ephemeral=True, allowed_mentions=nobody)
    if thinking:
        await interaction.delete_original_response()
