"""Requests for more credits as messages: the button that asks, the admins' card, and how the member is told."""

import re
from typing import Any

import aiohttp
import discord
import structlog
from discord import ui

from bot.domain.credit_requests import CreditRequest
from bot.domain.credits import Credits
from bot.domain.errors import AlreadyRequested, BadAmount, CreditRequestClosed, NoRequestsChannel, NotYours
from bot.domain.ids import ChannelId, CreditRequestId, MessageId, UserId
from bot.quota.credit_requests import CreditRequests, NewCreditRequest
from bot.ui.buttons import decision_buttons
from bot.ui.cards import AMBER, GREEN, GREY, finished_view
from bot.ui.custom_ids import CustomId
from bot.ui.interactions import requester
from bot.ui.modals import amount_modal, read_amount
from bot.ui.permissions import check_manager
from bot.ui.services import Services
from bot.ui.texts import quota, statement

log = structlog.stdlib.get_logger(__name__)

_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+")
_AMOUNT_MAX = Credits(1_000_000)
_NOBODY = discord.AllowedMentions.none()


async def ask(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The refused member presses "Ask for more"."""
    if button.number != interaction.user.id:
        raise NotYours
    await interaction.response.defer(ephemeral=True, thinking=True)
    asked = await _asked(services, interaction)
    channel = interaction.client.get_partial_messageable(asked.channel_id)
    try:
        message = await channel.send(view=_open_view(asked), allowed_mentions=_NOBODY)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        await services.credit_requests.discard(asked)
        log.info("a request could not be posted", error=type(error).__name__)
        raise NoRequestsChannel from error
    await services.credit_requests.mark_posted(asked, MessageId(message.id))
    await interaction.edit_original_response(content=quota.ASKED)


async def open_approval(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """An admin presses Approve: ask how much."""
    await _open_request(services, interaction, button)
    await interaction.response.send_modal(amount_modal(button, quota.AMOUNT_TITLE, quota.AMOUNT_LABEL))


async def approve(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """An admin sends off the amount."""
    found = await _open_request(services, interaction, modal)
    amount = _amount(read_amount(interaction))
    await interaction.response.defer()
    by = UserId(interaction.user.id)
    words = quota.you_got(amount)
    request = await services.credit_requests.approve(
        found.id, _message(interaction), by, amount, quota.GRANT_NOTE, words
    )
    await _close(interaction, quota.approved(request.account.user_id, amount, by), GREEN)
    await _tell(interaction.client, services.credit_requests, request, words)


async def deny(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """An admin presses Deny."""
    found = await _open_request(services, interaction, button)
    await interaction.response.defer()
    by = UserId(interaction.user.id)
    words = quota.denied(found.account.user_id, by)
    request = await services.credit_requests.deny(found.id, _message(interaction), by, words, quota.YOU_GOT_NOTHING)
    await _close(interaction, words, GREY)
    await _tell(interaction.client, services.credit_requests, request, quota.YOU_GOT_NOTHING)


async def notify_decisions(client: discord.Client, asking: CreditRequests) -> None:
    """Tell the decisions that an earlier process did not come to tell."""
    for request, words in await asking.pending_notifications():
        await _tell(client, asking, request, words)


async def _open_request(services: Services, interaction: discord.Interaction[Any], pressed: CustomId) -> CreditRequest:
    """The request, if it is open and whoever decides manages its server; raises NotAManager or CreditRequestClosed."""
    guild_id = await check_manager(services.quotas, interaction)
    request = await services.credit_requests.find(CreditRequestId(pressed.number), _message(interaction))
    if request.account.guild_id != guild_id:
        raise CreditRequestClosed
    return request


def _open_view(asked: NewCreditRequest) -> ui.LayoutView:
    request, standing = asked.request, asked.quota
    words = quota.request(request.account.user_id, standing.rule, statement.allowance(standing.balance))
    buttons = ui.ActionRow[Any](*decision_buttons(request.id))
    return finished_view(AMBER, ui.TextDisplay(words), buttons)


async def _close(interaction: discord.Interaction[Any], words: str, colour: int) -> None:
    """The card says what was decided, and cannot be pressed any more; it may have been deleted meanwhile."""
    try:
        await interaction.edit_original_response(
            view=finished_view(colour, ui.TextDisplay(words)), allowed_mentions=_NOBODY
        )
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        log.info("a decided request still looks open", error=type(error).__name__)


async def _asked(services: Services, interaction: discord.Interaction[Any]) -> NewCreditRequest:
    """The request, anew if the card of an earlier one was deleted, so that nobody could decide it."""
    who, where = requester(interaction), ChannelId(interaction.channel_id or 0)
    try:
        return await services.credit_requests.create(who, where)
    except AlreadyRequested:
        earlier = await services.credit_requests.open_of(who)
        if earlier is None or not await _is_deleted(interaction.client, earlier):
            raise
        await services.credit_requests.close_deleted(earlier)
    return await services.credit_requests.create(who, where)


async def _is_deleted(client: discord.Client, request: CreditRequest) -> bool:
    if request.channel_id is None or request.message_id is None:
        return False
    try:
        await client.get_partial_messageable(request.channel_id).fetch_message(request.message_id)
    except discord.NotFound:
        return True
    except (discord.HTTPException, aiohttp.ClientError, OSError):
        return False
    return False


async def _tell(client: discord.Client, asking: CreditRequests, request: CreditRequest, words: str) -> None:
    """Tell the member: directly, or that there is news where they asked if their direct messages are closed."""
    member = discord.Object(request.account.user_id)
    try:
        try:
            await (await client.create_dm(member)).send(words, allowed_mentions=_NOBODY)
        except discord.Forbidden:
            pings = discord.AllowedMentions(everyone=False, users=[member], roles=False)
            channel = client.get_partial_messageable(request.asked_in)
            # Others read it as well, and may not even know of the request.
            await channel.send(f"<@{member.id}> {quota.ANSWERED}", allowed_mentions=pings)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        log.info("a member could not be told of a decision", error=type(error).__name__)
        if not isinstance(error, discord.Forbidden | discord.NotFound):
            return
    await asking.mark_notified(request)


def _message(interaction: discord.Interaction[Any]) -> MessageId:
    return MessageId(interaction.message.id if interaction.message else 0)


def _amount(typed: str) -> Credits:
    # 1,000 is a thousand, as the texts here write it; any other comma is somebody's decimal point.
    written = typed.replace(",", "" if _THOUSANDS.fullmatch(typed.strip()) else ".")
    try:
        amount = Credits(written.strip())
    except ArithmeticError as error:
        raise BadAmount(typed) from error
    if not amount.is_finite() or not 0 < amount <= _AMOUNT_MAX or amount != round(amount, 3):
        raise BadAmount(typed)
    return amount
