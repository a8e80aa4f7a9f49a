"""Hands over what could not be posted: privately, beside the answer to the member's next command."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

import discord
import structlog
from discord import ui

from bot.domain.delivery_errors import ResultPending, TooLargeToPost
from bot.domain.ids import ChannelId, GenerationId, MessageId
from bot.domain.ports import Posted
from bot.generation.undelivered import HandOver, Undelivered
from bot.ui.alt_text import AltTexts
from bot.ui.cards import AMBER, finished_view, gallery, headline
from bot.ui.discord_errors import DISCORD_ERRORS, DiscordFault, fault_of, leave_out_words
from bot.ui.message_sender import open_files
from bot.ui.texts import cards as texts
from bot.ui.texts.refusals import passed_over

log = structlog.stdlib.get_logger(__name__)

_RETRY_DELAYS: Final = (0.2, 0.5, 1, 2, 5, 10, 20)
"""Seconds between looks at "thinking…", which becomes a card as soon as the command's request is accepted."""


async def hand_over(
    undelivered: Undelivered, alt_texts: AltTexts, interaction: discord.Interaction[Any], generation_id: GenerationId
) -> bool:
    """Send the member the result; False when it has to wait for another command."""
    if not await is_answered(interaction):
        return False
    limit = interaction.filesize_limit
    for smaller in (limit, limit * 3 // 4, limit // 2):
        with contextlib.suppress(TooLargeToPost):
            return await _hand_over(undelivered, alt_texts, interaction, generation_id, smaller)
    return False


async def _hand_over(
    undelivered: Undelivered,
    alt_texts: AltTexts,
    interaction: discord.Interaction[Any],
    generation_id: GenerationId,
    limit: int,
) -> bool:
    try:
        handed = await undelivered.load(generation_id, limit)
    except ResultPending as pending:
        log.info("undelivered image not fetched", generation=generation_id, error=type(pending.__cause__).__name__)
        return False
    if handed is None:
        return True
    alt_text = await alt_texts.of(handed.generation)
    try:
        posted = await leave_out_words(lambda words: _send(interaction, handed, alt_text, words=words))
    except discord.HTTPException as error:
        if fault_of(error) is DiscordFault.TOO_LARGE:
            raise TooLargeToPost from error
        raise
    undelivered.mark_delivered(handed, posted)
    return True


async def _send(interaction: discord.Interaction[Any], handed: HandOver, alt_text: str, *, words: bool) -> Posted:
    generation, images = handed.generation, handed.images
    shown_text = alt_text if words else texts.ALT_TEXT_HIDDEN
    reasons = [task.failure for task in generation.tasks if task.failure is not None]
    items: list[ui.Item[Any]] = [gallery(generation, images, shown_text)] if images else []
    text = texts.undelivered(reasons, len(images), len(handed.lost), handed.price)
    items += [ui.TextDisplay(headline(generation, words=words)), ui.TextDisplay(text)]
    message = await interaction.followup.send(
        view=finished_view(AMBER, *items),
        files=await open_files(images, shown_text),
        ephemeral=True,
        allowed_mentions=discord.AllowedMentions.none(),
        wait=True,
    )
    return Posted(ChannelId(interaction.channel_id or 0), MessageId(message.id))


async def tell_passed_over(interaction: discord.Interaction[Any], names: Sequence[str]) -> None:
    """Say privately, once the card is there, which files of a message were not used."""
    with contextlib.suppress(*DISCORD_ERRORS):
        if await is_answered(interaction):
            nobody = discord.AllowedMentions.none()
            await interaction.followup.send(passed_over(names), ephemeral=True, allowed_mentions=nobody)


async def is_answered(interaction: discord.Interaction[Any]) -> bool:
    """Wait until "thinking…" is over: anything sent before that takes its place, where everybody sees it."""
    if interaction.response.type is not discord.InteractionResponseType.deferred_channel_message:
        return True
    try:
        message_id = (await interaction.original_response()).id
        for delay in _RETRY_DELAYS:
            if not (await interaction.followup.fetch_message(message_id)).flags.loading:
                return True
            await asyncio.sleep(delay)
    except discord.NotFound as error:
        # The command was refused and "thinking…" deleted: there is no place left to take.
        return fault_of(error) is DiscordFault.MESSAGE_GONE
    return False
