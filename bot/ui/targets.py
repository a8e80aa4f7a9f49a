"""What a button or modal is about: the generation on its card, or one image in a private menu."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import discord

from bot.domain.errors import GenerationGone, NotYours
from bot.domain.generation import Generation, Image, Origin, Source
from bot.domain.ids import ChannelId, GenerationId, ImageId, MessageId, UserId
from bot.generation.history import History
from bot.ui.custom_ids import CustomId
from bot.ui.interactions import is_outside
from bot.ui.message_images import images_of
from bot.ui.services import Services


@dataclass(frozen=True, slots=True)
class Target:
    """A generation, by its card."""

    generation: Generation

    @property
    def requester(self) -> UserId:
        """Who asked for it."""
        return self.generation.request.account.user_id


@dataclass(frozen=True, slots=True)
class ImageTarget(Target):
    """One of its images."""

    image: Image

    @property
    def hidden(self) -> bool:
        """Only its requester can see it."""
        return self.generation.request.destination.private and not self.image.shared


async def target_of(history: History, interaction: discord.Interaction[Any], custom_id: CustomId) -> Target:
    """What a custom id names, which can be forged; raises GenerationGone or NotYours.

    A generation is found only through a message that shows it. An image is its requester's; others come to it through
    a message that shows it, or a private message of ours that has this very button.
    """
    user, message = UserId(interaction.user.id), message_of(interaction)
    if custom_id.extra not in (0, user):
        raise NotYours
    if not custom_id.extra:
        with suppress(GenerationGone):
            return Target(await history.shown_in(MessageId(message.id), GenerationId(custom_id.number), user))
    image, generation = await history.image(ImageId(custom_id.number), user)
    shown = image.message_id == message.id or (message.flags.ephemeral and str(custom_id) in _custom_ids(message))
    if generation.request.account.user_id != user and not shown:
        raise GenerationGone
    return ImageTarget(generation, image)


async def image_target_of(history: History, interaction: discord.Interaction[Any], custom_id: CustomId) -> ImageTarget:
    """The image that a custom id names; raises as :func:`target_of`."""
    target = await target_of(history, interaction, custom_id)
    if not isinstance(target, ImageTarget):
        raise GenerationGone
    return target


def can_delete(interaction: discord.Interaction[Any], target: ImageTarget) -> bool:
    """The requester, and who may manage messages in its channel, unless the bot is not in it.

    A message that one member alone sees they dismiss.
    """
    elsewhere = target.generation.request.destination.outside is not None and not target.image.shared
    here = target.image.channel_id == interaction.channel_id
    if target.hidden or elsewhere or (here and interaction.context.private_channel):
        return False
    manages = interaction.guild_id is not None and interaction.permissions.manage_messages
    return target.requester == interaction.user.id or (manages and here)


def can_share(interaction: discord.Interaction[Any], target: ImageTarget) -> bool:
    """Whether a private image can be offered to the channel, where the bot has to be; not in direct messages."""
    in_server = interaction.guild_id is not None and not is_outside(interaction)
    return target.hidden and target.requester == interaction.user.id and in_server


def may_post_images(interaction: discord.Interaction[Any]) -> bool:
    """Whether the member may post images here themselves."""
    granted, in_thread = interaction.permissions, isinstance(interaction.channel, discord.Thread)
    return granted.attach_files and (granted.send_messages_in_threads if in_thread else granted.send_messages)


def message_of(interaction: discord.Interaction[Any]) -> discord.Message:
    """The message whose button was pressed, also for a form that it opened; raises GenerationGone without one."""
    if interaction.message is None:
        raise GenerationGone
    return interaction.message


def is_private(interaction: discord.Interaction[Any], target: Target) -> bool:
    """Whether what is made from it is for the member alone; so is what is made from an image that is elsewhere."""
    if isinstance(target, ImageTarget):
        return target.hidden or target.image.channel_id != interaction.channel_id
    return message_of(interaction).flags.ephemeral


async def source_of(services: Services, interaction: discord.Interaction[Any], target: Target) -> tuple[Source, Origin]:
    """The image that is meant, and where it is; raises ImageGone, or GenerationGone on a card that shows several."""
    message, user = message_of(interaction), UserId(interaction.user.id)
    if isinstance(target, ImageTarget):
        image = target.image
        source = await services.posted_images.source(image, user)
        return source, Origin(image.channel_id, image.message_id, image.id)
    sources = images_of(message, user)
    if len(sources) != 1:
        raise GenerationGone
    # A private image that was shared is known by its copy, and no longer by this message.
    shown = (
        ImageId(task.id) for task in target.generation.tasks if sources[0].filename.startswith(f"easel-{task.id}.")
    )
    return sources[0], Origin(ChannelId(message.channel.id), MessageId(message.id), next(shown, None))


def _custom_ids(message: discord.Message) -> Iterator[str | None]:
    for row in message.components:
        for part in row.children if isinstance(row, discord.Container) else [row]:
            if isinstance(part, discord.ActionRow):
                yield from (button.custom_id for button in part.children)
