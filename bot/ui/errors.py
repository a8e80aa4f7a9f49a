"""One reporter for the command tree, views, modals and buttons: a sentence for the member, the rest for the log."""

import secrets
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Protocol

import aiohttp
import discord
import structlog
from discord import app_commands, ui

from bot.domain.errors import DiskError, NotEnoughCredits, StoreUnavailable, UserError
from bot.domain.ids import PendingCardId, UserId, to_base36
from bot.generation.pending_cards import PendingCardJournal
from bot.ui.buttons import ask_button
from bot.ui.interactions import ALREADY_ACKNOWLEDGED, NO_MESSAGE
from bot.ui.texts import refusals

log = structlog.stdlib.get_logger(__name__)

_GONE = {10015, 10062, 40060, 50027}
"""Discord's codes for an interaction or token that is no more, or was answered before."""


class Tell(Protocol):
    """How a sentence is told where there is no interaction."""

    async def __call__(self, text: str, *, can_ask: bool) -> None:
        """Tell it, with a button to ask for more credits if that helps."""
        ...


class ErrorReporter:
    """Tells members what went wrong: privately where there is an interaction, on the reply's card otherwise."""

    def __init__(self, openings: PendingCardJournal) -> None:
        self._openings = openings

    def reporting(self, interaction: discord.Interaction[Any]) -> "_Reporting":
        """A block whose errors are reported instead of raised."""

        async def report(error: Exception) -> None:
            await self.report(interaction, error)

        return _Reporting(report)

    def telling(self, tell: "Tell") -> "_Reporting":
        """A block about a message, where the sentence is told by other means."""

        async def report(error: Exception) -> None:
            can_ask = isinstance(error, NotEnoughCredits) and error.can_ask
            await tell(_sentence("message", error), can_ask=can_ask)

        return _Reporting(report)

    def noting(self) -> "_Reporting":
        """A block about a message that may not be answerable at all: nobody can be told, so it is only logged."""

        async def report(error: Exception) -> None:
            if isinstance(error, discord.HTTPException | aiohttp.ClientError | OSError):
                log.info("a message could not be answered", error=type(error).__name__)
            else:
                _sentence("message", error)

        return _Reporting(report)

    async def report(self, interaction: discord.Interaction[Any], error: BaseException) -> None:
        """Answer the interaction with what a member can use of the error; log what only the operator can."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        try:
            await _answer(interaction, _sentence(_name(interaction), cause), _way_out(interaction, cause))
        except discord.HTTPException as failure:
            log.warning("an error could not be told", status=failure.status, code=failure.code)
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as failure:
            # RuntimeError: the session is closed, since the process is ending. The next one tells whose card is open.
            log.warning("an error could not be told", error=type(failure).__name__)
            return
        self._openings.remove(PendingCardId(interaction.id))


def _sentence(what: str, error: BaseException) -> str:
    match error:
        case UserError():
            return refusals.refusal(error)
        case StoreUnavailable() | DiskError():
            log.error("the store is not to be had", command=what, error=str(error))
            return refusals.NO_STORE
        case app_commands.CheckFailure():
            return refusals.FORBIDDEN
        case app_commands.TransformerError():
            return refusals.UNKNOWN_CHOICE
        case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
            return refusals.OUTDATED
        case discord.HTTPException(code=code) if code == NO_MESSAGE:
            return refusals.MESSAGE_GONE
        case discord.HTTPException() if error.code in _GONE:
            log.info("an interaction was gone before it could be answered", code=error.code)
            return refusals.OUTDATED
        case _:
            reference = to_base36(secrets.randbits(24))
            log.error("an interaction failed", ref=reference, command=what, exc_info=error)
            return refusals.broken(reference)


def _name(interaction: discord.Interaction[Any]) -> str:
    return interaction.command.qualified_name if interaction.command else interaction.type.name


class _Reporting:
    def __init__(self, report: Callable[[Exception], Awaitable[None]]) -> None:
        self._report = report

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(exc, Exception):
            return False
        await self._report(exc)
        return True


def _way_out(interaction: discord.Interaction[Any], error: BaseException) -> ui.View:
    """The button that helps with an error, if there is one."""
    view = ui.View(timeout=None)
    if isinstance(error, NotEnoughCredits) and error.can_ask:
        view.add_item(ask_button(UserId(interaction.user.id)))
    view.stop()
    return view


async def _answer(interaction: discord.Interaction[Any], text: str, way_out: ui.View) -> None:
    nobody = discord.AllowedMentions.none()
    thinking = interaction.response.type is discord.InteractionResponseType.deferred_channel_message
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(text, ephemeral=True, allowed_mentions=nobody, view=way_out)
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED:
                raise
            # Discord took the acknowledgement, and its answer was lost.
            thinking = (await interaction.original_response()).flags.loading
        else:
            return
    if thinking:
        # A follow-up would take the place of "thinking…" and be seen by everybody, unless that has become a message.
        await interaction.edit_original_response(content=refusals.TOLD_PRIVATELY, allowed_mentions=nobody)
    await interaction.followup.send(text, ephemeral=True, allowed_mentions=nobody, view=way_out)
    if thinking:
        await interaction.delete_original_response()
