"""What members typed, with names in place of Discord's tokens; nothing is looked up over the network."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import discord

from bot.domain.prompts import Mentioned, NameOf, readable_prompt


def typed_prompt(interaction: discord.Interaction[Any], text: str) -> str:
    """A prompt from an option, a form, or an earlier generation, as the member at the keyboard would read it."""
    data = cast("dict[str, Any]", interaction.data or {})
    sent = dict(_resolved(data.get("resolved") or {}))
    return readable_prompt(text, _names(interaction.guild, interaction.user, sent))


def written_prompt(message: discord.Message, text: str) -> str:
    """A prompt from a message, as its author reads it."""
    sent = {(Mentioned.MEMBER, user.id): user.display_name for user in message.mentions}
    sent |= {(Mentioned.ROLE, role.id): role.name for role in message.role_mentions}
    return readable_prompt(text, _names(message.guild, message.author, sent))


def _names(
    guild: discord.Guild | None, reader: discord.User | discord.Member, sent: Mapping[tuple[Mentioned, int], str]
) -> NameOf:
    """Names that Discord sent along, and those of the server that the reader may see."""
    known = {(Mentioned.MEMBER, reader.id): reader.display_name, **sent}

    def name_of(kind: Mentioned, number: int) -> str | None:
        if (kind, number) in known or guild is None:
            return known.get((kind, number))
        match kind:
            case Mentioned.MEMBER:
                member = guild.get_member(number)
                return member.display_name if member else None
            case Mentioned.ROLE:
                role = guild.get_role(number)
                return role.name if role else None
            case Mentioned.CHANNEL:
                channel = guild.get_channel_or_thread(number)
                return channel.name if channel and _may_see(reader, channel) else None

    return name_of


def _may_see(reader: discord.User | discord.Member, channel: discord.abc.GuildChannel | discord.Thread) -> bool:
    """Whether a channel is there for a member; its name must not come to light through an id that was guessed."""
    private = isinstance(channel, discord.Thread) and channel.is_private()
    return not private and isinstance(reader, discord.Member) and channel.permissions_for(reader).view_channel


def _resolved(resolved: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[tuple[tuple[Mentioned, int], str]]:
    for user_id, user in resolved.get("users", {}).items():
        nick = resolved.get("members", {}).get(user_id, {}).get("nick")
        yield (Mentioned.MEMBER, int(user_id)), nick or user.get("global_name") or user.get("username") or ""
    for role_id, role in resolved.get("roles", {}).items():
        yield (Mentioned.ROLE, int(role_id)), role.get("name") or ""
    for channel_id, channel in resolved.get("channels", {}).items():
        yield (Mentioned.CHANNEL, int(channel_id)), channel.get("name") or ""
