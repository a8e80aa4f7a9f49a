"""The demo's simulated server: a channel, three members including an admin, and an image to reply to."""

from dataclasses import dataclass
from typing import Final

import discord
import simcord

from demo.kie.images import ImageSpec, draw_image

GUILD_ID: Final = 800000000000000001
"""It is the operator's server too, so the bot has to know it before it starts."""

_WELCOME = (
    "Welcome to Easel's demo! The bot is real; this Discord, its clock and the image service are simulated, so you get "
    "placeholder images. Try `/imagine`, or reply with images from the panel next to this channel."
)
_LIGHTHOUSE = ImageSpec("a lighthouse at dawn, in soft colours", "photo", "3:2", "1K")


@dataclass(frozen=True, slots=True)
class DemoGuild:
    """The channel, its members, and the message with an image."""

    channel: simcord.ChannelHandle
    alice: simcord.MemberActor
    bob: simcord.MemberActor
    admin: simcord.MemberActor
    image: discord.Message

    @property
    def members(self) -> tuple[simcord.MemberActor, ...]:
        """Every member a visitor can act as; the first is the default."""
        return (self.alice, self.bob, self.admin)


async def build_guild(env: simcord.Env) -> DemoGuild:
    """Create the server in the simulation."""
    env.backend.bot_user.name = "Easel"
    guild = env.create_guild("Easel demo", id=GUILD_ID)
    channel = guild.create_text_channel("studio")
    admins = guild.create_role("Admin", permissions=discord.Permissions(administrator=True))
    alice = guild.add_member(env.create_user("alice"))
    bob = guild.add_member(env.create_user("bob"))
    admin = guild.add_member(env.create_user("ada", global_name="Ada (admin)"), roles=[admins])
    await admin.send(channel, _WELCOME)
    attachment = ("lighthouse.png", draw_image(_LIGHTHOUSE))
    image = await bob.send(channel, "Look what I saw this morning.", attachments=[attachment])
    return DemoGuild(channel, alice, bob, admin, image)
