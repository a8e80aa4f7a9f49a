"""Answers to messages: a card or a line, as a reply that pings nobody."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import discord

from bot.domain.generation import Destination
from bot.domain.ids import ChannelId, MessageId, UserId, to_base36
from bot.ui.buttons import ask_button
from bot.ui.cards import received_view, refusal_view
from bot.ui.discord_errors import (
    CANNOT_REPLY,
    DISCORD_ERRORS,
    NOT_HERE,
    fault_of,
    leave_out_words,
    retry_later,
)
from bot.ui.interactions import check_permissions, parent_of
from bot.ui.texts import refusals

_NOBODY: Final = discord.AllowedMentions.none()
_UNBOOSTED_UPLOAD_LIMIT: Final = 10 << 20
"""Bytes per file that a bot may post in direct messages, and in servers without boosts."""


async def say(message: discord.Message, text: str) -> None:
    """Answer in a line."""
    await _reply(message, "line", content=text)


async def tell_passed_over(message: discord.Message, names: Sequence[str]) -> None:
    """Say which files were not used; a word that the result does not depend on."""
    with contextlib.suppress(*DISCORD_ERRORS):
        await say(message, refusals.passed_over(names))


def check_place(message: discord.Message) -> None:
    """Raise MayNotPost where the bot is not allowed to post images."""
    channel = message.channel
    if message.guild is not None and isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        granted = channel.permissions_for(message.guild.me)
        check_permissions(granted, in_thread=isinstance(channel, discord.Thread))


async def open_card(message: discord.Message) -> discord.Message:
    """Post what becomes the generation's card, before anything slow is done."""
    return await _reply(message, "card", view=received_view(UserId(message.author.id)))


async def ask(message: discord.Message, question: discord.ui.LayoutView) -> discord.Message:
    """Post a question, without a sound."""
    return await _reply(message, "ask", view=question, silent=True)


async def refuse(card: discord.Message, requester: discord.User | discord.Member, text: str, *, can_ask: bool) -> None:
    """Turn the card into a refusal; where it cannot be edited, post one that pings the requester in its place.

    Where the channel accepts no message either, the requester gets it directly.
    """

    def view(*, words: bool) -> discord.ui.LayoutView:
        user = UserId(requester.id)
        buttons = [ask_button(user)] if can_ask else []
        return refusal_view(user, text if words else refusals.WORDS_BLOCKED, buttons)

    async def edit() -> None:
        await leave_out_words(lambda words: card.edit(view=view(words=words), allowed_mentions=_NOBODY))

    try:
        await retry_later(edit)
    except discord.HTTPException as error:
        if fault_of(error) not in NOT_HERE:
            raise
        await _tell(card.channel, requester, view)
        with contextlib.suppress(*DISCORD_ERRORS):
            await card.delete()


async def _tell(
    channel: discord.abc.Messageable,
    requester: discord.User | discord.Member,
    view: Callable[..., discord.ui.LayoutView],
) -> None:
    pings = discord.AllowedMentions(everyone=False, users=[requester], roles=False)
    try:
        await leave_out_words(lambda words: channel.send(view=view(words=words), allowed_mentions=pings))
    except discord.HTTPException as error:
        if fault_of(error) not in NOT_HERE:
            raise
        await leave_out_words(lambda words: requester.send(view=view(words=words), allowed_mentions=pings))


def destination(card: discord.Message) -> Destination:
    """Where the generation is shown from now on."""
    return Destination(
        channel_id=ChannelId(card.channel.id),
        token=None,
        message_id=MessageId(card.id),
        private=False,
        upload_limit=card.guild.filesize_limit if card.guild else _UNBOOSTED_UPLOAD_LIMIT,
        parent_channel_id=parent_of(card.channel),
    )


async def _reply(message: discord.Message, kind: str, **content: Any) -> discord.Message:
    # Under one nonce Discord posts once, however often it is asked because its answer was lost.
    content |= {"nonce": f"{kind}-{to_base36(message.id)}", "allowed_mentions": _NOBODY}
    try:
        return await _send(message.channel, reference=message.to_reference(fail_if_not_exists=False), **content)
    except discord.HTTPException as error:
        if error.code not in CANNOT_REPLY:
            raise
    return await _send(message.channel, **content)


async def _send(channel: discord.abc.Messageable, **content: Any) -> discord.Message:
    return await retry_later(lambda: channel.send(**content))
