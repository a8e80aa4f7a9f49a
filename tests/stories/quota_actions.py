"""Admins with /quota, and members without credits who ask for more."""

from collections.abc import Iterator
from typing import Any

import discord
import simcord
from simcord.interactions import build_options, command_leaves, nest_options

from bot.domain.errors import CreditRequestClosed, NotAManager
from bot.ui.texts.refusals import refusal
from tests.database import execute
from tests.stories.components import private_answer, slash_anyway
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import StoryWorld

NOT_A_MANAGER = refusal(NotAManager())
ALREADY_DECIDED = refusal(CreditRequestClosed())
ASKED = "Sent to the admins. You'll hear when they decide."

_TABLES = ("rules", "servers", "credit_requests", "ledger")


async def quota(
    world: StoryWorld,
    subcommand: str,
    *,
    by: simcord.MemberActor | None = None,
    channel: simcord.ChannelHandle | None = None,
    **options: Any,
) -> Rendered:
    """The answer to a subcommand, used by the admin by default; only they see it, and it pings nobody."""
    who = by or world.admin
    where = channel or next(known for known in who.guild.channels.values() if known.name in {"studio", "lobby"})
    named = {name.replace("_", "-"): value for name, value in options.items()}
    command = await who.slash(where, f"quota {subcommand}", **named)
    assert command.response is not None, f"{subcommand} was refused: {command.followups}"
    answer = rendered(command.response)
    assert answer.ephemeral
    assert not answer.thinking
    sent = world.calls("PATCH", "/messages/@original")[-1].json
    assert sent is not None
    assert sent["allowed_mentions"] == {"parse": []}
    return answer


def admin_elsewhere(world: StoryWorld) -> simcord.MemberActor:
    """The admin of a second server, who has no say in the first."""
    guild = world.env.create_guild("Elsewhere")
    guild.create_text_channel("lobby")
    manages = guild.create_role("Boss", permissions=discord.Permissions(manage_guild=True))
    return guild.add_member(world.env.create_user("eve"), roles=[manages])


def quota_tables(world: StoryWorld) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that /quota and its buttons could change."""
    return {table: execute(world.folder, f"SELECT * FROM {table} ORDER BY 1") for table in _TABLES}


def let_everybody_type_it(world: StoryWorld) -> None:
    """Under Server Settings, Integrations: offer /quota to every member."""
    guild = world.env.guild
    guild.set_command_permissions(int(_command(world)["id"]), {guild.default_role: True})


def subcommands(world: StoryWorld) -> Iterator[str]:
    """All subcommands of /quota."""
    for path, _ in command_leaves(_command(world)):
        yield " ".join(path[1:])


def give_role(world: StoryWorld, member: simcord.MemberActor, role: simcord.RoleHandle) -> None:
    """A member gets a role."""
    world.env.backend.add_member_role(world.env.guild.id, member.id, role.id)


def take_roles(world: StoryWorld, member: simcord.MemberActor) -> None:
    """A member loses every role."""
    for role in list(world.env.backend.get_member(world.env.guild.id, member.id).role_ids):
        world.env.backend.remove_member_role(world.env.guild.id, member.id, role)


async def quota_in_dm(
    world: StoryWorld, user: simcord.UserHandle, subcommand: str, **options: Any
) -> simcord.InteractionResult:
    """A subcommand in direct messages, where Discord offers none."""
    command = _command(world)
    leaf = next(leaf for path, leaf in command_leaves(command) if path[1:] == [subcommand])
    built, _ = build_options(user, subcommand, leaf, options, channel_id=user.dm_channel.id)
    data = {"id": command["id"], "name": "quota", "type": 1, "options": nest_options(command, [subcommand], built)}
    return await slash_anyway(world, user, user.dm_channel.id, None, data)


async def requests_go_to(world: StoryWorld, name: str = "admins") -> simcord.ChannelHandle:
    """A channel for requests, set in the settings; everybody may read it, which is the harder case."""
    channel = world.env.guild.create_text_channel(name)
    await quota(world, "settings", requests_channel=channel)
    return channel


async def refused(world: StoryWorld, *, by: simcord.MemberActor | None = None) -> simcord.ResponseMessage:
    """The refusal to a member without enough credits: four images by flex cost 56."""
    command = await world.imagine(by=by, model="flex", count=4)
    world.refusal(command)
    (message,) = command.followups
    return message


async def ask_for_more(world: StoryWorld, *, by: simcord.MemberActor | None = None) -> Rendered:
    """A member is refused, presses the button, and is answered."""
    who = by or world.alice
    answer = private_answer(await who.click(await refused(world, by=who), label="Ask for more"))
    assert not answer.thinking
    return answer


async def request_card(world: StoryWorld, *, by: simcord.MemberActor | None = None) -> discord.Message:
    """A new request as it stands in the admins' channel."""
    if "admins" not in world.env.guild.channels:
        await requests_go_to(world)
    assert (await ask_for_more(world, by=by)).text == ASKED
    return request_cards(world)[-1]


def request_cards(world: StoryWorld) -> list[discord.Message]:
    """The requests in the admins' channel, oldest first."""
    return [message for message in world.env.guild.channels["admins"].history() if not message.flags.ephemeral]


async def approve(
    world: StoryWorld, card: discord.Message, amount: str, *, by: simcord.MemberActor | None = None
) -> simcord.InteractionResult:
    """An admin presses Approve, and fills in how much."""
    who = by or world.admin
    return await who.submit_modal(await who.click(card, label="Approve"), {"amount": amount})


def direct_messages(member: simcord.MemberActor) -> list[str]:
    """What the bot wrote to a member directly."""
    return [message.content for message in member.user.dm_channel.history()]


def forget_request_posts(world: StoryWorld) -> None:
    """As when the process died between storing a request and posting it."""
    execute(world.folder, "UPDATE credit_requests SET message_id = NULL, channel_id = NULL")


def _command(world: StoryWorld) -> dict[str, Any]:
    command = world.env.backend.find_command("quota", None, type=1)
    assert command is not None
    return dict(command)
