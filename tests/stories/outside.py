"""Places that the bot is not in, where members use it by their own installation. simcord knows only servers' own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import discord
import simcord
from simcord.backend import serializers
from simcord.enums import ComponentType, InteractionType
from simcord.interactions import base_payload

from tests.stories.story_world import StoryWorld

MAY_POST = discord.Permissions(view_channel=True, send_messages=True, attach_files=True)


async def emit_outside(
    env: simcord.Env,
    place: tuple[int, simcord.GuildHandle | None],
    user: simcord.MemberActor,
    kind: InteractionType,
    data: Mapping[str, Any],
    *,
    owners: Mapping[str, str],
    may: discord.Permissions = MAY_POST,
    message: simcord.ResponseMessage | None = None,
) -> simcord.InteractionResult:
    """An interaction in a channel of a server, or with None of a group chat; the rest is as in :meth:`Outside.emit`."""
    backend, (channel_id, guild) = env.backend, place
    record, payload = base_payload(
        backend, type=kind, channel_id=channel_id, guild_id=None, user_id=user.id, data=dict(data)
    )
    if guild is not None:
        server = backend.get_guild(guild.id)
        member = dict(serializers.member_payload(backend, server, server.members[user.id]))
        payload |= {"guild_id": str(guild.id), "member": member | {"permissions": str(1 << 5)}}
        payload["guild"] = {"id": str(guild.id), "locale": "en-US", "features": []}
        del payload["user"]
        record.guild_id = guild.id
    else:
        payload["channel"] = {"id": str(channel_id), "type": 3, "recipients": [], "name": "friends"}
    payload["app_permissions"] = str(may.value)
    payload["context"] = 0 if guild is not None else 2
    payload["authorizing_integration_owners"] = dict(owners)
    if message is not None:
        stored = backend.get_message(channel_id, message.id)
        payload["message"] = dict(serializers.message_payload(backend, stored))
        record.source_message_id = message.id
    backend.emit("INTERACTION_CREATE", payload)
    await env.settle()
    return simcord.InteractionResult(env, record)


@dataclass(frozen=True)
class Outside:
    """A server without the bot, or with ``guild`` None a group chat. Alice has installed the bot to her account."""

    world: StoryWorld
    channel_id: int
    guild: simcord.GuildHandle | None

    async def slash(
        self, name: str, *, by: simcord.MemberActor | None = None, may: discord.Permissions = MAY_POST, **options: Any
    ) -> simcord.InteractionResult:
        """Somebody (alice by default) uses a command."""
        types = {str: 3, int: 4, bool: 5}
        given = [{"name": key, "type": types[type(value)], "value": value} for key, value in options.items()]
        data = {"id": "1", "name": name, "type": 1, "options": given}
        return await self.emit(InteractionType.APPLICATION_COMMAND, data, by=by, may=may)

    async def press(
        self,
        message: simcord.ResponseMessage,
        custom_id: str,
        *,
        by: simcord.MemberActor | None = None,
        may: discord.Permissions = MAY_POST,
    ) -> simcord.InteractionResult:
        """Somebody (alice by default) presses a button."""
        data = {"custom_id": custom_id, "component_type": ComponentType.BUTTON}
        return await self.emit(InteractionType.MESSAGE_COMPONENT, data, by=by, may=may, message=message)

    async def emit(
        self,
        kind: InteractionType,
        data: Mapping[str, Any],
        *,
        by: simcord.MemberActor | None = None,
        may: discord.Permissions = MAY_POST,
        message: simcord.ResponseMessage | None = None,
        owners: Mapping[str, str] | None = None,
    ) -> simcord.InteractionResult:
        """An interaction as Discord sends it; ``owners`` are those who have installed the bot, by Discord's numbers."""
        user, place = by or self.world.alice, (self.channel_id, self.guild)
        return await emit_outside(
            self.world.env,
            place,
            user,
            kind,
            data,
            may=may,
            message=message,
            owners=owners or {"1": str(self.world.alice.id)},
        )

    async def leave(self) -> None:
        """Discord names the server no longer; simcord tells each new process of all servers that there are."""
        if self.guild is not None:
            self.world.env.backend.emit("GUILD_DELETE", {"id": str(self.guild.id)})
            await self.world.env.settle()
            assert self.world.app.client.get_guild(self.guild.id) is None

    async def restart(self) -> None:
        """The bot is restarted."""
        await self.world.restart()
        await self.leave()


async def foreign_server(world: StoryWorld) -> Outside:
    """A server that the bot has left; Alice and Bob are its members."""
    backend, guild = world.env.backend, world.env.create_guild("Elsewhere")
    channel = guild.create_text_channel("lobby")
    for member in (world.alice, world.bob):
        guild.add_member(member.user)
    del backend.get_guild(guild.id).members[backend.bot_user.id]
    outside = Outside(world, channel.id, guild)
    await outside.leave()
    return outside


def group_chat(world: StoryWorld) -> Outside:
    """A group chat of Alice and others."""
    return Outside(world, world.alice.user.dm_channel.id, None)
