"""What the bot needs in a server, and the link that adds it with exactly that."""

from collections.abc import Mapping
from typing import Final

ADMINISTRATOR: Final = 1 << 3
VIEW_CHANNEL: Final = 1 << 10
SEND_MESSAGES: Final = 1 << 11
SEND_MESSAGES_IN_THREADS: Final = 1 << 38

PERMISSIONS: Final[Mapping[str, int]] = {
    "View Channels": VIEW_CHANNEL,
    "Send Messages": SEND_MESSAGES,
    "Send Messages in Threads": SEND_MESSAGES_IN_THREADS,
    "Attach Files": 1 << 15,
    "Read Message History": 1 << 16,
}
"""By the names that Discord shows (https://discord.com/developers/docs/topics/permissions). The last one
lets it read the message that a reply answers."""


def missing_permissions(granted: int, needed: Mapping[str, int] = PERMISSIONS) -> list[str]:
    """The names of those that are not granted."""
    return [] if granted & ADMINISTRATOR else [name for name, bit in needed.items() if not granted & bit]


def user_install_link(application_id: int) -> str:
    """Installs the commands to the account of the user who opens it."""
    return (
        f"https://discord.com/oauth2/authorize?client_id={application_id}"
        "&scope=applications.commands&integration_type=1"
    )


def install_link(application_id: int, guild_id: int | None = None) -> str:
    """Adds the bot to a server, or adds missing permissions where it is already; ``guild_id`` chooses the server."""
    link = (
        f"https://discord.com/oauth2/authorize?client_id={application_id}&scope=bot+applications.commands"
        f"&permissions={sum(PERMISSIONS.values())}"
    )
    return link if guild_id is None else f"{link}&guild_id={guild_id}"
