"""Requests for more credits as messages: the button that asks, the admins' card, and telling the member."""

import re
from typing import Any

import discord
import structlog
from discord import ui

from bot.domain.credit_requests import CreditRequest
from bot.domain.credits import Credits
from bot.domain.errors import AlreadyRequested, BadAmount, CreditRequestClosed, NoRequestsChannel, NotYours
from bot.domain.ids import ChannelId, CreditRequestId, MessageId, UserId, to_base36
from bot.domain.ledger import Decision
from bot.quota.credit_requests import CreditRequests, NewCreditRequest
from bot.runtime import retry_until_available
from bot.ui.buttons import decision_buttons
from bot.ui.cards import AMBER, GREEN, GREY, finished_view
from bot.ui.custom_ids import CustomId
from bot.ui.discord_errors import DISCORD_ERRORS, NOT_HERE, DiscordFault, fault_of, retry_later
from bot.ui.interactions import check_manager, edit_answer, manages_by_role, requester
from bot.ui.modals import amount_modal, read_amount
from bot.ui.services import Services
from bot.ui.texts import quota as texts
from bot.ui.texts.amounts import AMOUNT_MAX
from bot.ui.texts.cards import member

log = structlog.stdlib.get_logger(__name__)

_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+")
_NOBODY = discord.AllowedMentions.none()


async def ask(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The refused member presses "Ask for more"."""
    if button.number != interaction.user.id:
        raise NotYours
    await interaction.response.defer(ephemeral=True, thinking=True)
    new = await _new_request(services, interaction)
    channel = interaction.client.get_partial_messageable(new.channel_id)
    try:
        nonce = f"credits-{to_base36(new.request.id)}"
        message = await retry_later(lambda: channel.send(view=_open_view(new), nonce=nonce, allowed_mentions=_NOBODY))
    except DISCORD_ERRORS as error:
        await services.credit_requests.discard(new)
        log.info("credit request not posted", error=type(error).__name__)
        raise NoRequestsChannel from error
    await services.credit_requests.mark_posted(new, MessageId(message.id))
    await interaction.edit_original_response(content=texts.ASKED)


async def open_approval(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """An admin presses Approve, and is asked for the amount."""
    await _open_request(services, interaction, button)
    await interaction.response.send_modal(amount_modal(button, texts.AMOUNT_TITLE, texts.AMOUNT_LABEL))


async def approve(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """An admin submits the amount."""
    request = await _open_request(services, interaction, modal)
    amount = _amount(read_amount(interaction))
    await interaction.response.defer()
    by_role = manages_by_role(interaction)
    request, decision = await services.credit_requests.approve(
        request.id, _message_id(interaction), UserId(interaction.user.id), amount, by_role=by_role
    )
    await _show_decision(interaction, decision, GREEN)
    await _notify_member(interaction.client, services.credit_requests, request, decision)


async def deny(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """An admin presses Deny."""
    request = await _open_request(services, interaction, button)
    await interaction.response.defer()
    request, decision = await services.credit_requests.deny(
        request.id, _message_id(interaction), UserId(interaction.user.id)
    )
    await _show_decision(interaction, decision, GREY)
    await _notify_member(interaction.client, services.credit_requests, request, decision)


async def notify_decisions(client: discord.Client, credit_requests: CreditRequests) -> None:
    """Tell members the decisions that an earlier process could not tell them."""
    for request, decision in await retry_until_available(credit_requests.pending_notifications):
        await _notify_member(client, credit_requests, request, decision)


async def _open_request(services: Services, interaction: discord.Interaction[Any], pressed: CustomId) -> CreditRequest:
    """The request that is being decided. Raises NotAManager, or CreditRequestClosed also for another server's."""
    guild_id = await check_manager(services.quotas, interaction)
    request = await services.credit_requests.find(CreditRequestId(pressed.number), _message_id(interaction))
    if request.account.guild_id != guild_id:
        raise CreditRequestClosed
    return request


def _open_view(new: NewCreditRequest) -> ui.LayoutView:
    request, quota = new.request, new.quota
    text = texts.request(request.account.user_id, quota.rule, quota.balance)
    return finished_view(AMBER, ui.TextDisplay(text), ui.ActionRow[Any](*decision_buttons(request.id)))


async def _show_decision(interaction: discord.Interaction[Any], decision: Decision, colour: int) -> None:
    """Replace the request's card, and its buttons with it; somebody may have deleted it meanwhile."""
    try:
        await edit_answer(interaction, lambda _: finished_view(colour, ui.TextDisplay(texts.decided(decision))))
    except DISCORD_ERRORS as error:
        log.info("decision not shown on the request's card", error=type(error).__name__)


async def _new_request(services: Services, interaction: discord.Interaction[Any]) -> NewCreditRequest:
    """A new request; it replaces an open one whose card was deleted, since nobody can decide that."""
    asker, asked_in = requester(interaction), ChannelId(interaction.channel_id or 0)
    try:
        return await services.credit_requests.create(asker, asked_in)
    except AlreadyRequested:
        earlier = await services.credit_requests.open_of(asker)
        if earlier is None or not await _is_deleted(interaction.client, earlier):
            raise
        await services.credit_requests.close_deleted(earlier)
    return await services.credit_requests.create(asker, asked_in)


async def _is_deleted(client: discord.Client, request: CreditRequest) -> bool:
    if request.channel_id is None or request.message_id is None:
        return False
    try:
        await client.get_partial_messageable(request.channel_id).fetch_message(request.message_id)
    except DISCORD_ERRORS as error:
        return fault_of(error) is DiscordFault.MESSAGE_GONE
    return False


async def _notify_member(
    client: discord.Client, credit_requests: CreditRequests, request: CreditRequest, decision: Decision
) -> None:
    """Write to the member directly; if that is closed, say where they asked that there is an answer."""
    user = discord.Object(request.account.user_id)
    try:
        try:
            await (await client.create_dm(user)).send(texts.decided_for_you(decision), allowed_mentions=_NOBODY)
        except discord.HTTPException as error:
            if fault_of(error) not in NOT_HERE:
                raise
            pings = discord.AllowedMentions(everyone=False, users=[user], roles=False)
            channel = client.get_partial_messageable(request.asked_in)
            # Others read this as well and may not know of the request: the decision stays private.
            await channel.send(f"{member(user.id)} {texts.DECIDED}", allowed_mentions=pings)
    except DISCORD_ERRORS as error:
        log.info("member not notified of the decision", error=type(error).__name__)
        if fault_of(error) not in NOT_HERE:
            return  # the next process tries again
    await credit_requests.mark_notified(request)


def _message_id(interaction: discord.Interaction[Any]) -> MessageId:
    return MessageId(interaction.message.id if interaction.message else 0)


def _amount(typed: str) -> Credits:
    # 1,000 is a thousand, as the texts here write it; any other comma is a decimal point.
    written = typed.replace(",", "" if _THOUSANDS.fullmatch(typed.strip()) else ".")
    try:
        amount = Credits(written.strip())
    except ArithmeticError as error:
        raise BadAmount(typed) from error
    if not amount.is_finite() or not 0 < amount <= AMOUNT_MAX or amount != round(amount, 3):
        raise BadAmount(typed)
    return amount
