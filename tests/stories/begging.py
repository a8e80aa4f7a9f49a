"""A member without credits asks for more, and what admins see of it."""

import discord
import simcord

from tests.stories.managing import quota
from tests.stories.pressing import told
from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage

ASKED = "Your request is with the admins. You are told what they decide."


async def requests_go_to(stage: Stage, name: str = "admins") -> simcord.ChannelHandle:
    """A channel for requests, which is set in the settings; everybody may read it, which is the harder case."""
    channel = stage.env.guild.create_text_channel(name)
    await quota(stage, "settings", requests_channel=channel)
    return channel


async def refused(stage: Stage, *, by: simcord.MemberActor | None = None) -> simcord.ResponseMessage:
    """What a member without credits is told: four pictures by flex cost 56."""
    asked = await stage.imagine(by=by, model="flex", count=4)
    await stage.refusal(asked)
    (message,) = asked.followups
    return message


async def begged(stage: Stage, *, by: simcord.MemberActor | None = None) -> Seen:
    """A member is refused, presses the button, and is answered."""
    who = by or stage.alice
    asked = await who.click(await refused(stage, by=who), label="Ask for more")
    shown = told(asked)
    assert not shown.thinking
    return shown


async def request_card(stage: Stage, *, by: simcord.MemberActor | None = None) -> discord.Message:
    """A request as it stands in the admins' channel."""
    if "admins" not in stage.env.guild.channels:
        await requests_go_to(stage)
    answer = await begged(stage, by=by)
    assert answer.text == ASKED
    return posted(stage)[-1]


def posted(stage: Stage) -> list[discord.Message]:
    """The requests, as they stand there now."""
    return [one for one in stage.env.guild.channels["admins"].history() if not one.flags.ephemeral]


def newest(stage: Stage) -> Seen:
    """The last of them."""
    return seen(posted(stage)[-1])


async def approved(
    stage: Stage, card: discord.Message, amount: str, *, by: simcord.MemberActor | None = None
) -> simcord.InteractionResult:
    """An admin presses Approve, and fills in how much."""
    who = by or stage.admin
    return await who.submit_modal(await who.click(card, label="Approve"), {"amount": amount})


def letters(member: simcord.MemberActor) -> list[str]:
    """What the bot wrote to a member directly."""
    return [message.content for message in member.user.dm_channel.history()]
