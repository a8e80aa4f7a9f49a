"""The demo's server: a channel, a few members with an admin among them, and a picture to reply to."""

from dataclasses import dataclass

import discord
import simcord
from simcord.builders import ChannelHandle

from demo.kie.paint import Wish, paint

_GREETING = (
    "Welcome to Easel's demo. This Discord and its clock are simulated, and KIE is a stand-in that paints what was "
    "asked for; the bot is the real one. Try `/imagine`, or reply with pictures from the panel beside this channel."
)


@dataclass(frozen=True, slots=True)
class World:
    """What a visitor finds."""

    studio: ChannelHandle
    alice: simcord.MemberActor
    bob: simcord.MemberActor
    admin: simcord.MemberActor
    picture: discord.Message

    @property
    def members(self) -> tuple[simcord.MemberActor, ...]:
        """Everybody a visitor can be, the first one first."""
        return (self.alice, self.bob, self.admin)


async def build_world(env: simcord.Env) -> World:
    """Build the server in the simulation."""
    env.backend.bot_user.name = "Easel"
    guild = env.create_guild("The Painters' Guild")
    studio = guild.create_text_channel("studio")
    admins = guild.create_role("Admin", permissions=discord.Permissions(manage_guild=True, manage_messages=True))
    alice = guild.add_member(env.create_user("alice"))
    bob = guild.add_member(env.create_user("bob"))
    admin = guild.add_member(env.create_user("ada", global_name="Ada (admin)"), roles=[admins])
    await admin.send(studio, _GREETING)
    wish = Wish("a lighthouse at dawn, in soft colours", "photograph", "3:2", "1K")
    picture = await bob.send(studio, "Look what I saw this morning.", attachments=[("lighthouse.png", paint(wish))])
    return World(studio, alice, bob, admin, picture)
