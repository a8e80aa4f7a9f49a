"""Cards whose process ended before it had accepted the request: they ask the member to send it again."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

import discord
import structlog
from discord.http import Route

from bot.domain.generation import InteractionToken, PendingCard
from bot.domain.ids import MessageId, to_base36
from bot.ui.cards import interrupted_view
from bot.ui.discord_errors import DISCORD_ERRORS, NOT_HERE, DiscordFault, fault_of, retry_later
from bot.ui.texts import cards as texts

log = structlog.stdlib.get_logger(__name__)

_NOBODY: Final = discord.AllowedMentions.none()
_MESSAGES_SEARCHED: Final = 50
"""A card is close below what it answers."""
_LOOK_AGAIN: Final = 5.0
"""Seconds: a process that hung longer than its lease may still post the card, and end before it says more."""


async def show_interrupted(client: discord.Client, pending: PendingCard, *, token_alive: bool) -> None:
    """Say on the card that its request was lost, if it can still be reached; a failure is only logged."""
    token = pending.destination.token
    try:
        try:
            if token is None:
                await _edit_reply(client, pending)
            elif token_alive:
                await _answer_interaction(client, pending, token)
            else:
                await _replace_card(client, pending)
        except discord.HTTPException as error:
            # A clock that is behind cannot tell that the token has expired; an archived thread takes only new messages.
            if fault_of(error) not in NOT_HERE - {DiscordFault.MESSAGE_GONE} or (token and not token_alive):
                raise
            await _replace_card(client, pending)
    except DISCORD_ERRORS as error:
        log.info("interrupted request not reported", pending_card=pending.id, error=type(error).__name__)


async def _answer_interaction(client: discord.Client, pending: PendingCard, token: InteractionToken) -> None:
    webhook = discord.Webhook.partial(token.application_id, token.value, client=client)
    view, message_id = interrupted_view(pending.user_id), pending.destination.message_id
    if message_id is None and not pending.destination.private:
        with suppress(*DISCORD_ERRORS):
            message_id = await find_card(client, pending)
    if message_id is None:
        message_id = await retry_later(partial(_first_answer, client, token))
    await retry_later(partial(webhook.edit_message, message_id, view=view, attachments=[], allowed_mentions=_NOBODY))


async def _first_answer(client: discord.Client, token: InteractionToken) -> MessageId:
    """A private card, or the question that a card was to follow; Discord refuses if there was no answer."""
    path = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
    route = Route("GET", path, webhook_id=token.application_id, webhook_token=token.value)
    return MessageId(int((await client.http.request(route))["id"]))


async def _replace_card(client: discord.Client, pending: PendingCard) -> None:
    """The card cannot be edited: an ephemeral one is out of reach, a public one is the bot's own message."""
    destination = pending.destination
    if destination.private or destination.message_id is None:
        return
    channel = client.get_partial_messageable(destination.channel_id)
    try:
        await retry_later(channel.get_partial_message(destination.message_id).delete)
    except discord.HTTPException as error:
        if fault_of(error) is DiscordFault.MESSAGE_GONE:
            raise
    member = discord.Object(pending.user_id)
    pings = discord.AllowedMentions(everyone=False, users=[member], roles=False)
    text, nonce = f"{texts.member(member.id)} {texts.INTERRUPTED}", f"lost-{to_base36(pending.id)}"
    await retry_later(partial(channel.send, text, nonce=nonce, allowed_mentions=pings))


async def _edit_reply(client: discord.Client, pending: PendingCard) -> None:
    message_id = pending.destination.message_id or await find_card(client, pending)
    if message_id is None:
        await asyncio.sleep(_LOOK_AGAIN)
        message_id = await find_card(client, pending)
    if message_id is not None:
        channel = client.get_partial_messageable(pending.destination.channel_id)
        card = channel.get_partial_message(message_id)
        view = interrupted_view(pending.user_id)
        await retry_later(partial(card.edit, view=view, attachments=[], allowed_mentions=_NOBODY))


async def find_card(client: discord.Client, pending: PendingCard) -> MessageId | None:
    """The card whose id the process didn't live to know: what the bot posted about that message or interaction."""
    if client.user is None:
        return None
    channel = client.get_partial_messageable(pending.destination.channel_id)
    async for message in channel.history(after=discord.Object(pending.id), limit=_MESSAGES_SEARCHED):
        about = message.reference.message_id if message.reference is not None else None
        if message.interaction_metadata is not None:
            about = message.interaction_metadata.id
        if message.author.id == client.user.id and about == pending.id:
            return MessageId(message.id)
    return None
