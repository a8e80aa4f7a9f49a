"""One reporter for commands, buttons, modals and messages: a text for the member, the details for the log."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Protocol

import discord
import structlog
from discord import app_commands, ui

from bot.domain.errors import DiskError, Ignored, NotEnoughCredits, StoreUnavailable, UserError
from bot.domain.ids import PendingCardId, UserId, to_base36
from bot.domain.store_errors import OutcomeUnknown
from bot.generation.pending_cards import PendingCards
from bot.ui.buttons import ask_button
from bot.ui.discord_errors import (
    ALREADY_ACKNOWLEDGED,
    DISCORD_ERRORS,
    INVALID_FORM,
    DiscordFault,
    fault_of,
    leave_out_words,
)
from bot.ui.texts import refusals

log = structlog.stdlib.get_logger(__name__)


class SendRefusal(Protocol):
    """How a refusal reaches the member where there is no interaction."""

    async def __call__(self, text: str, *, can_ask: bool) -> None:
        """Send it, with a button to ask for more credits if ``can_ask``."""
        ...


class ErrorReporter:
    """Tells members what went wrong: privately where there is an interaction, otherwise on the reply's card."""

    def __init__(self, pending_cards: PendingCards) -> None:
        self._pending_cards = pending_cards

    def for_interaction(self, interaction: discord.Interaction[Any]) -> "_ErrorBoundary":
        """A block whose errors are answered to the interaction instead of raised."""

        async def report(error: Exception) -> None:
            await self.report(interaction, error)

        return _ErrorBoundary(report)

    def for_message(self, send: SendRefusal) -> "_ErrorBoundary":
        """A block about a message, whose errors are sent as refusals instead of raised."""

        async def report(error: Exception) -> None:
            await send(_member_text("message", error), can_ask=_can_ask(error))

        return _ErrorBoundary(report)

    def log_only(self) -> "_ErrorBoundary":
        """A block whose errors are logged instead of raised, since there may be no way to answer the member."""

        async def report(error: Exception) -> None:
            if isinstance(error, DISCORD_ERRORS):
                log.info("message not answered", error=type(error).__name__)
            else:
                _member_text("message", error)

        return _ErrorBoundary(report)

    async def report(self, interaction: discord.Interaction[Any], error: BaseException) -> None:
        """Answer the interaction with what the member can act on; log what only the operator can."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        if isinstance(cause, Ignored):
            log.info("interaction ignored", interaction=interaction.id)
            return
        try:
            text, can_ask = _member_text(_name(interaction), cause), _can_ask(cause)
            await leave_out_words(
                lambda words: _answer(interaction, text if words else refusals.WORDS_BLOCKED, can_ask=can_ask)
            )
        except (*DISCORD_ERRORS, RuntimeError) as failure:
            # RuntimeError: the session is closed because the process is ending.
            fault = fault_of(failure)
            log.warning("error not reported to the member", error=type(failure).__name__, fault=fault)
            if fault is DiscordFault.LATER:
                return  # The next process reports the open card.
        self._pending_cards.remove(PendingCardId(interaction.id))


class _ErrorBoundary:
    def __init__(self, report: Callable[[Exception], Awaitable[None]]) -> None:
        self._report = report

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(exc, Exception):
            return False
        if isinstance(exc, Ignored):
            log.info("event ignored")
            return True
        await self._report(exc)
        return True


def _member_text(command: str, error: BaseException) -> str:
    """What the member reads; logs errors that are not the member's."""
    match error:
        case UserError():
            return refusals.refusal(error)
        case StoreUnavailable() | DiskError():
            log.error("database or disk unavailable", command=command, error=str(error))
            return refusals.NOT_ANSWERED if isinstance(error, OutcomeUnknown) else refusals.NO_STORE
        case app_commands.CheckFailure():
            return refusals.FORBIDDEN
        case app_commands.TransformerError():
            return refusals.UNKNOWN_CHOICE
        case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
            return refusals.OUTDATED
        case discord.HTTPException(code=code) if code != INVALID_FORM and (text := _REFUSED.get(fault_of(error))):
            log.info("call refused by Discord", command=command, code=code)
            return text
        case _:
            reference = to_base36(secrets.randbits(24))
            log.error("unexpected error", ref=reference, command=command, exc_info=error)
            return refusals.broken(reference)


_REFUSED: Final[Mapping[DiscordFault, str]] = {
    DiscordFault.MESSAGE_GONE: refusals.MESSAGE_GONE,
    DiscordFault.INTERACTION_GONE: refusals.OUTDATED,
    DiscordFault.REFUSED: refusals.NOT_HERE,
    DiscordFault.CONTENT: refusals.WORDS_BLOCKED,
}


def _can_ask(error: BaseException) -> bool:
    return isinstance(error, NotEnoughCredits) and error.can_ask


def _name(interaction: discord.Interaction[Any]) -> str:
    return interaction.command.qualified_name if interaction.command else interaction.type.name


async def _answer(interaction: discord.Interaction[Any], text: str, *, can_ask: bool) -> None:
    view = ui.View(timeout=None)
    if can_ask:
        view.add_item(ask_button(UserId(interaction.user.id)))
    view.stop()  # else discord.py keeps the view in memory
    nobody = discord.AllowedMentions.none()
    thinking = interaction.response.type is discord.InteractionResponseType.deferred_channel_message
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(text, ephemeral=True, allowed_mentions=nobody, view=view)
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED:
                raise
            # Discord took the acknowledgement, but its answer was lost.
            thinking = (await interaction.original_response()).flags.loading
        else:
            return
    if thinking:
        # The next follow-up would replace a "thinking…" that everybody sees, unless that has become a message.
        await interaction.edit_original_response(content=refusals.TOLD_PRIVATELY, allowed_mentions=nobody)
    await interaction.followup.send(text, ephemeral=True, allowed_mentions=nobody, view=view)
    if thinking:
        await interaction.delete_original_response()
