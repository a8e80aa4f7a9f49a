"""What becomes of cards whose process died before it had accepted the wish: a line that asks to send it again."""

import aiohttp
import discord
import structlog

from bot.domain.generation import Destination, InteractionToken, PendingCard
from bot.domain.ids import MessageId
from bot.ui.cards import interrupted_view
from bot.ui.texts import cards as texts

log = structlog.stdlib.get_logger(__name__)

_NOBODY = discord.AllowedMentions.none()
_LOOKED_THROUGH = 50
"""Messages; a reply stands close below the message that it answers."""


async def show_interrupted(client: discord.Client, opening: PendingCard, *, token_alive: bool) -> None:
    """Turn the card into the apology, wherever it can still be reached; what cannot be told is only logged."""
    destination = opening.destination
    try:
        if destination.token is None:
            await _on_reply(client, opening)
        elif token_alive:
            await _by_token(client, destination.token, destination.message_id)
        else:
            await _too_late(client, opening, destination)
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
        log.info("an interrupted wish could not be told of", pending_card=opening.id, error=type(error).__name__)


async def _by_token(client: discord.Client, token: InteractionToken, message_id: MessageId | None) -> None:
    webhook = discord.Webhook.partial(token.application_id, token.value, client=client)
    if message_id is not None:
        await webhook.edit_message(message_id, view=interrupted_view(), attachments=[], allowed_mentions=_NOBODY)
    else:
        # The first message sent takes the place of "thinking…", whose id was not told; without one Discord refuses.
        await webhook.send(view=interrupted_view(), allowed_mentions=_NOBODY, wait=True)


async def _too_late(client: discord.Client, opening: PendingCard, destination: Destination) -> None:
    """The token is dead. An ephemeral card is out of reach; a public one is the bot's own message."""
    if destination.private or destination.message_id is None:
        return
    channel = client.get_partial_messageable(destination.channel_id)
    await channel.get_partial_message(destination.message_id).delete()
    member = discord.Object(opening.user_id)
    pings = discord.AllowedMentions(everyone=False, users=[member], roles=False)
    await channel.send(f"<@{member.id}> {texts.INTERRUPTED}", allowed_mentions=pings)


async def _on_reply(client: discord.Client, opening: PendingCard) -> None:
    card = opening.destination.message_id or await _find_reply(client, opening)
    if card is not None:
        channel = client.get_partial_messageable(opening.destination.channel_id)
        await channel.get_partial_message(card).edit(view=interrupted_view(), attachments=[], allowed_mentions=_NOBODY)


async def _find_reply(client: discord.Client, opening: PendingCard) -> MessageId | None:
    """The process died before Discord told the card's id: it is the bot's reply to that message, if there is one."""
    if opening.answers is None or client.user is None:
        return None
    channel = client.get_partial_messageable(opening.destination.channel_id)
    async for message in channel.history(after=discord.Object(opening.answers), limit=_LOOKED_THROUGH):
        above = message.reference.message_id if message.reference is not None else None
        if message.author.id == client.user.id and above == opening.answers:
            return MessageId(message.id)
    return None
