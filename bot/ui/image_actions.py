"""What the buttons of an image's menu do that make no new image: show the prompt, send the file, share, delete."""

import io
from typing import Any

import discord
from discord import ui

from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.errors import ChannelNotAllowed, GenerationGone, NotYours, WordsDeleted
from bot.domain.ids import ChannelId, GuildId, MessageId, UserId, message_link, to_base36
from bot.domain.image_errors import AlreadyShared, MayNotShare
from bot.domain.ports import ImageFile
from bot.ui.buttons import menu_button
from bot.ui.cards import BLURPLE, GREEN, GREY, RED, finished_view, shared_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import DiscordFault, fault_of, leave_out_words, retry_later
from bot.ui.interactions import check_place, delete_message, edit_answer, parent_of
from bot.ui.message_sender import open_files
from bot.ui.services import Services
from bot.ui.targets import ImageTarget, can_delete, can_share, image_target_of, may_post_images, message_of, target_of
from bot.ui.texts import cards as card_texts
from bot.ui.texts import menus as texts

_NOBODY = discord.AllowedMentions.none()
_SHOWN_MAX = 3500
"""Characters of a prompt that are shown as text; Discord takes 4,000 in all."""
_REQUEST_OVERHEAD = 100_000
"""Bytes of an upload that are not the file."""


async def show_prompt(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The whole prompt, and of an edit those that led to it; as a file if that is long."""
    target = await image_target_of(services.history, interaction, button)
    generation = target.generation
    viewer, channel = UserId(interaction.user.id), target.image.channel_id
    earlier = await services.history.earlier_prompts(generation, viewer, channel)
    written = [prompt for prompt in (*earlier, generation.request.prompt) if prompt not in ("", LARGER_PROMPT)]
    if not written:
        raise WordsDeleted(generation.created_at)
    text = texts.prompts(written)
    if len(text) <= _SHOWN_MAX and "```" not in text:
        await leave_out_words(
            lambda words: interaction.response.send_message(
                view=finished_view(BLURPLE, ui.TextDisplay(f"```\n{text}\n```" if words else texts.PROMPT_HIDDEN)),
                ephemeral=True,
                allowed_mentions=_NOBODY,
            )
        )
        return
    file = discord.File(io.BytesIO(text.encode()), filename=texts.FILE_NAME)
    view = finished_view(BLURPLE, ui.File(file))
    await interaction.response.send_message(view=view, file=file, ephemeral=True, allowed_mentions=_NOBODY)


async def send_original(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The file as it was posted, which Discord's clients download as it is: what they show is made smaller."""
    target = await image_target_of(services.history, interaction, button)
    await interaction.response.defer(ephemeral=True, thinking=True)
    limit = interaction.filesize_limit - _REQUEST_OVERHEAD
    async with services.posted_images.file(target.image, UserId(interaction.user.id), limit) as image:

        async def send() -> None:
            (file,) = await open_files([image], "")
            shown = ui.File[Any](file, spoiler=target.generation.request.spoiler)
            view = finished_view(BLURPLE, shown)
            await interaction.edit_original_response(view=view, attachments=[file], allowed_mentions=_NOBODY)

        await retry_later(send)


async def share(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Post a copy of a private image in this channel, once, for its requester; the copy is for everybody."""
    target = await image_target_of(services.history, interaction, button)
    await _check_sharing(services, interaction, target)
    await interaction.response.defer(ephemeral=True, thinking=True)
    limit, images = interaction.filesize_limit - _REQUEST_OVERHEAD, services.posted_images
    async with images.posting(target.image):
        target = await image_target_of(services.history, interaction, button)
        if target.image.shared:
            raise AlreadyShared
        async with images.file(target.image, target.requester, limit) as image:
            message = await _post_copy(services, interaction, target, image)
        channel, message_id = ChannelId(message.channel.id), MessageId(message.id)
        await images.mark_shared(target.image, channel, message_id, image.filename)
    link = message_link(GuildId(interaction.guild_id or 0), channel, message_id)
    await edit_answer(interaction, lambda _: finished_view(GREEN, ui.TextDisplay(texts.shared(link))))


async def ask_to_delete(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Deleting takes a second press."""
    target = await image_target_of(services.history, interaction, button)
    if not can_delete(interaction, target):
        raise NotYours
    viewer = UserId(interaction.user.id)
    count = len(await services.history.images_in(target.image.message_id))
    buttons = [menu_button(action, target.image.id, viewer) for action in (Action.DELETE, Action.CLOSE)]
    view = finished_view(RED, ui.TextDisplay(texts.delete(count)), ui.ActionRow[Any](*buttons))
    await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_NOBODY)


async def delete(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """On a card that has this button: at once. In a private message: the second press."""
    if not button.extra:
        await _delete_card(services, interaction, button)
        return
    target = await image_target_of(services.history, interaction, button)
    if not can_delete(interaction, target):
        raise NotYours
    await interaction.response.defer()
    channel = interaction.client.get_partial_messageable(target.image.channel_id)
    try:
        await retry_later(channel.get_partial_message(target.image.message_id).delete)
    except discord.NotFound as error:
        if fault_of(error) is not DiscordFault.MESSAGE_GONE:
            raise
    await edit_answer(interaction, lambda _: finished_view(GREY, ui.TextDisplay(texts.GONE)))


async def close(_services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Put a private message away."""
    if button.extra != interaction.user.id:
        raise NotYours
    if not message_of(interaction).flags.ephemeral:
        raise GenerationGone
    await interaction.response.defer()
    await delete_message(interaction)


async def _delete_card(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """For the requester, and for those who may manage messages here."""
    if interaction.guild_id is None or not interaction.permissions.manage_messages:
        target = await target_of(services.history, interaction, button)
        if target.requester != interaction.user.id:
            raise NotYours
    await interaction.response.defer()
    await delete_message(interaction)


async def _check_sharing(services: Services, interaction: discord.Interaction[Any], target: ImageTarget) -> None:
    """What the member and the bot may do comes with the interaction, from Discord."""
    if target.requester != interaction.user.id:
        raise NotYours
    if target.image.shared:
        raise AlreadyShared
    if not can_share(interaction, target) or interaction.guild_id is None:
        raise GenerationGone
    check_place(interaction)
    if not may_post_images(interaction):
        raise MayNotShare
    settings = await services.quotas.settings(GuildId(interaction.guild_id))
    if not settings.allows(ChannelId(interaction.channel_id or 0), parent_of(interaction.channel)):
        raise ChannelNotAllowed(tuple(sorted(settings.channels)))


async def _post_copy(
    services: Services, interaction: discord.Interaction[Any], target: ImageTarget, image: ImageFile
) -> discord.Message:
    """The nonce makes two presses in one moment one message, also in two processes."""
    described = await services.alt_texts.of(target.generation, shared=True)
    channel = interaction.client.get_partial_messageable(interaction.channel_id or 0)

    async def post(*, words: bool) -> discord.Message:
        alt_text = described if words else card_texts.ALT_TEXT_HIDDEN
        return await channel.send(
            view=shared_view(target.generation, image, alt_text, services.prices, words=words),
            files=await open_files([image], alt_text),
            nonce=f"share-{to_base36(image.task_id)}",
            allowed_mentions=_NOBODY,
        )

    return await retry_later(lambda: leave_out_words(lambda words: post(words=words)))
