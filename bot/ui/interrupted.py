"""Cards whose process ended before it had accepted the request: they ask the member to send it again."""

from typing import Final

import discord
import structlog

from bot.domain.generation import InteractionToken, PendingCard
from bot.domain.ids import MessageId
from bot.ui.cards import interrupted_view
from bot.ui.discord_errors import DISCORD_ERRORS, INTERACTION_GONE
from bot.ui.texts import cards as texts

log = structlog.stdlib.get_logger(__name__)

_NOBODY: Final = discord.AllowedMentions.none()
_MESSAGES_SEARCHED: Final = 50
"""A reply is close below the message that it answers."""


async def show_interrupted(client: discord.Client, pending: PendingCard, *, token_alive: bool) -> None:
    """Say on the card that its request was lost, if it can still be reached; a failure is only logged."""
    token = pending.destination.token
    try:
        if token is None:
            await _edit_reply(client, pending)
        elif not token_alive or not await _answer_interaction(client, pending, token):
            await _replace_card(client, pending)
    except DISCORD_ERRORS as error:
        log.info("interrupted request not reported", pending_card=pending.id, error=type(error).__name__)


async def _answer_interaction(client: discord.Client, pending: PendingCard, token: InteractionToken) -> bool:
    """False when Discord no longer takes the token, which a clock that is behind cannot tell."""
    webhook = discord.Webhook.partial(token.application_id, token.value, client=client)
    view, message_id = interrupted_view(pending.user_id), pending.destination.message_id
    try:
        if message_id is not None:
            await webhook.edit_message(message_id, view=view, attachments=[], allowed_mentions=_NOBODY)
        else:
            # The first message sent replaces "thinking…", whose id is unknown; if there is none, Discord refuses.
            await webhook.send(view=view, allowed_mentions=_NOBODY, wait=True)
    except discord.HTTPException as error:
        if error.code not in INTERACTION_GONE:
            raise
        return False
    return True


async def _replace_card(client: discord.Client, pending: PendingCard) -> None:
    """The token has expired: an ephemeral card is out of reach, a public one is the bot's own message."""
    destination = pending.destination
    if destination.private or destination.message_id is None:
        return
    channel = client.get_partial_messageable(destination.channel_id)
    await channel.get_partial_message(destination.message_id).delete()
    member = discord.Object(pending.user_id)
    pings = discord.AllowedMentions(everyone=False, users=[member], roles=False)
    await channel.send(f"{texts.member(member.id)} {texts.INTERRUPTED}", allowed_mentions=pings)


async def _edit_reply(client: discord.Client, pending: PendingCard) -> None:
    message_id = pending.destination.message_id or await _find_reply(client, pending)
    if message_id is not None:
        channel = client.get_partial_messageable(pending.destination.channel_id)
        card = channel.get_partial_message(message_id)
        await card.edit(view=interrupted_view(pending.user_id), attachments=[], allowed_mentions=_NOBODY)


async def _find_reply(client: discord.Client, pending: PendingCard) -> MessageId | None:
    """The process died before it knew the card's id: the card is the bot's reply to that message, if there is one."""
    if pending.answers is None or client.user is None:
        return None
    channel = client.get_partial_messageable(pending.destination.channel_id)
    async for message in channel.history(after=discord.Object(pending.answers), limit=_MESSAGES_SEARCHED):
        replied_to = message.reference.message_id if message.reference is not None else None
        if message.author.id == client.user.id and replied_to == pending.answers:
            return MessageId(message.id)
    return None
