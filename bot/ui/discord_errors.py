"""What counts as "Discord or the network failed", and the Discord error codes that mean something to us.

The codes are listed in Discord's documentation under "Opcodes and Status Codes", "JSON Error Codes".
"""

from typing import Final

import discord

from bot.network import NETWORK_ERRORS

DISCORD_ERRORS: Final = (discord.HTTPException, *NETWORK_ERRORS)
"""Discord refused a call, or was not reached."""

UNKNOWN_MESSAGE: Final = 10008
"""The message was deleted."""
NOT_A_MEMBER: Final = frozenset({10004, 50001})
"""Unknown server, missing access: the bot is not in that server, or without the commands' scope."""
REQUEST_TOO_LARGE: Final = 40005
ALREADY_ACKNOWLEDGED: Final = 40060
"""The interaction has been answered before."""
CANNOT_REPLY: Final = 160002
"""Replying needs Read Message History, which the bot lacks here."""
INTERACTION_GONE: Final = frozenset({10015, 10062, ALREADY_ACKNOWLEDGED, 50027})
"""Unknown webhook, unknown interaction, answered before, invalid token: the interaction can no longer be answered."""
