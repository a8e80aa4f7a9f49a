"""Names of commands in our own texts, made clickable: Discord needs a command's id for that."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any, Final, final

import discord
import structlog
from discord import app_commands

from bot.domain.ports import Clock
from bot.ui.discord_errors import DISCORD_ERRORS

log = structlog.stdlib.get_logger(__name__)

_TIMEOUT: Final = 5.0
"""Seconds."""
_KNOWN_FOR: Final = timedelta(hours=1)
"""Another process may register new commands; those that exist keep their ids."""
_ASK_AGAIN: Final = timedelta(minutes=1)
"""After Discord did not answer."""


@final
class CommandMentions:
    """Asks Discord for the ids when they are first needed: the process that registered the commands may be another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asking = asyncio.Lock()
        self._mentions: dict[str, str] = {}
        """By name, without the slash."""
        self._ask_at: datetime | None = None

    async def link(self, tree: app_commands.CommandTree[Any], text: str) -> str:
        """A text of ours with ``/imagine`` and the like clickable; as it is while Discord does not tell the ids."""
        await self._refresh(tree)
        if not self._mentions:
            return text
        names = "|".join(re.escape(name) for name in sorted(self._mentions, key=len, reverse=True))
        return re.sub(rf"(?<![\w/<])/({names})(?![\w-])", lambda name: self._mentions[name[1]], text)

    async def _refresh(self, tree: app_commands.CommandTree[Any]) -> None:
        async with self._asking:
            now = self._clock.steady()
            if self._ask_at is not None and now < self._ask_at:
                return
            self._ask_at = now + _ASK_AGAIN
            try:
                async with asyncio.timeout(_TIMEOUT):
                    commands = await tree.fetch_commands()
            except DISCORD_ERRORS as error:
                log.info("ids of commands not known", error=type(error).__name__)
                return
            self._ask_at = now + _KNOWN_FOR
            self._mentions = dict(mention for command in commands for mention in _mentions(command))


def _mentions(command: app_commands.AppCommand) -> list[tuple[str, str]]:
    """A command's, or those of its subcommands: a command that has some cannot be used by itself."""
    if command.type is not discord.AppCommandType.chat_input:
        return []
    groups = [option for option in command.options if isinstance(option, app_commands.AppCommandGroup)]
    return [(group.qualified_name, group.mention) for group in groups] or [(command.name, command.mention)]
