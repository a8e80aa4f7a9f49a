"""Taking permissions away from the bot."""

import discord
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot.domain.errors import MayNotPost
from bot.ui.texts.refusals import refusal
from tests.stories.stage import Stage

MAY_NOT = refusal(MayNotPost())


def deny(stage: Stage, *missing: str) -> None:
    """An admin takes permissions away from the bot's role in the channel."""
    backend = stage.env.backend
    (role,) = [one for one in backend.get_guild(stage.env.guild.id).roles.values() if one.managed]
    denied = discord.Permissions(**dict.fromkeys(missing, True))
    backend.set_overwrite(stage.channel.id, Overwrite(role.id, OverwriteType.ROLE, deny=denied.value))
