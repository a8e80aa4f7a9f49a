"""What it means for us that Discord refuses a call, or that it was not reached: one table for every call.

Discord's codes are listed in its documentation under "Opcodes and Status Codes", "JSON Error Codes". What has none,
such as a proxy's page, was not said by Discord and says nothing about a message or a channel.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto
from http import HTTPStatus
from time import monotonic
from typing import Final, TypeVar

import discord

from bot.network import NETWORK_ERRORS

_Result = TypeVar("_Result")

DISCORD_ERRORS: Final = (discord.HTTPException, *NETWORK_ERRORS)
"""Discord refused a call, or was not reached."""
NOT_A_MEMBER: Final = frozenset({10004, 50001})
"""Unknown server, missing access: the bot is not in that server, or without the commands' scope."""
ALREADY_ACKNOWLEDGED: Final = 40060
"""The interaction has been answered before."""
CANNOT_REPLY: Final = frozenset({160002, 50035})
"""Replying needs Read Message History, which the bot lacks here; or the message cannot be replied to."""
INVALID_FORM: Final = 50035
"""Words that Discord finds invalid, or a mistake of ours."""
RETRY_DELAYS: Final = (0.5, 1.0, 2.0)
"""Seconds between the attempts of :func:`retry_later`."""


_RETRY_FOR: Final = 10.0
"""Seconds; discord.py itself repeats calls that end in most of the 5xx, for longer than that."""


class DiscordFault(Enum):
    """What to do about it."""

    MESSAGE_GONE = auto()
    """The message is deleted, perhaps with its channel."""
    INTERACTION_GONE = auto()
    """The interaction can no longer be answered, nor its answer be edited."""
    REFUSED = auto()
    """This place, or this message, does not accept it; another one may."""
    CONTENT = auto()
    """The words or the image are not accepted."""
    TOO_LARGE = auto()
    LATER = auto()
    """Nothing is known about the place: the same call may succeed later."""


NOT_HERE: Final = frozenset(
    {DiscordFault.MESSAGE_GONE, DiscordFault.INTERACTION_GONE, DiscordFault.REFUSED, DiscordFault.CONTENT}
)
"""Repeating the call is of no use; another message or channel may be."""

_CODES: Final[Mapping[DiscordFault, tuple[int, ...]]] = {
    # Unknown channel, server, message.
    DiscordFault.MESSAGE_GONE: (10003, 10004, 10008),
    # Unknown webhook, unknown interaction, answered before, invalid webhook token.
    DiscordFault.INTERACTION_GONE: (10015, 10062, ALREADY_ACKNOWLEDGED, 50027),
    DiscordFault.REFUSED: (
        *(10007, 10013, 20024, 40007, 50007, 50033, 50278),  # the member cannot be written to
        *(50001, 50003, 50008, 50009, 50013, 50024, 50055, 50095, 40058),  # the channel or server
        *(50083, 160002, 160005, 30033),  # a thread: archived, no history, locked, full
        *(20022, 30046, 50005, 50021),  # the message cannot be edited, or not so often
    ),
    # Explicit content, AutoMod (message and title), harmful link.
    DiscordFault.CONTENT: (20009, INVALID_FORM, 200000, 200001, 240000),
    DiscordFault.TOO_LARGE: (40005, 50045),
    DiscordFault.LATER: (
        *(20016, 20028, 20029, 40003, 40062),  # too often
        *(40001, 40002, 50014),  # the bot's own token or account
        *(40004, 40006, 40333, 110001, 130000),  # turned off for now, blocked by Cloudflare, overloaded
    ),
}
_BY_CODE: Final = {code: fault for fault, codes in _CODES.items() for code in codes}
_SMALLEST_CODE: Final = 10001
"""Discord's own codes are not smaller; 0 is what discord.py puts for none."""


def fault_of(error: BaseException) -> DiscordFault:
    """What one of ``DISCORD_ERRORS`` means: by Discord's code, whatever the status; unknown codes by the status."""
    if not isinstance(error, discord.HTTPException):
        return DiscordFault.LATER
    if (known := _BY_CODE.get(error.code)) is not None:
        return known
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return DiscordFault.TOO_LARGE
    said_by_discord = error.code >= _SMALLEST_CODE
    about_us = error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
    if not said_by_discord or about_us or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return DiscordFault.LATER
    return DiscordFault.REFUSED


async def leave_out_words(send: Callable[[bool], Awaitable[_Result]]) -> _Result:
    """``send(True)``, with the words of members, and if Discord refuses the content ``send(False)``, without them."""
    with_words, without_words = True, False
    try:
        return await send(with_words)
    except discord.HTTPException as error:
        if fault_of(error) is not DiscordFault.CONTENT:
            raise
    return await send(without_words)


async def retry_later(call: Callable[[], Awaitable[_Result]]) -> _Result:
    """Call up to four times within seconds, as long as Discord was not reached; the call must bear repetition."""
    end = monotonic() + _RETRY_FOR
    for delay in RETRY_DELAYS:
        try:
            return await call()
        except DISCORD_ERRORS as error:
            if fault_of(error) is not DiscordFault.LATER or monotonic() > end:
                raise
        await asyncio.sleep(delay)
    return await call()
