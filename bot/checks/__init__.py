"""``python -m bot check``: whether everything that the bot needs works. Nothing is changed, and the bot may be running.

Each module looks after one area, and each thing in it is one line.
"""

import asyncio
from datetime import UTC, datetime

from bot.checks.assistant import check_assistant
from bot.checks.database import check_database
from bot.checks.discord_account import check_discord
from bot.checks.discord_rest import DiscordRest
from bot.checks.kie import check_hosts, check_kie
from bot.checks.lines import CheckLine
from bot.checks.machine import check_clock, check_web
from bot.config import Config
from bot.media.ssrf import download_session
from bot.network import client_session


async def check_everything(config: Config) -> list[CheckLine]:
    """All areas at the same time; the lines are in their order."""
    async with client_session() as session, download_session() as downloads:
        rest = DiscordRest(session, config.discord.api_url, config.discord.token.get_secret_value())
        areas = await asyncio.gather(
            check_discord(rest, config),
            check_kie(session, config),
            check_hosts(session, downloads, config),
            check_assistant(session, config),
            asyncio.to_thread(check_database, config, datetime.now(UTC)),
            check_web(session, config),
        )
        return [*(line for area in areas for line in area), check_clock(rest.clock_ahead)]
