"""Reporting an image: the form, the message in the moderators' channel, and its buttons."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import discord
import structlog
from discord import ui

from bot.domain.errors import GenerationGone, NotAManager
from bot.domain.generation import Image
from bot.domain.ids import ChannelId, GuildId, ImageId, MessageId, UserId, message_link, to_base36
from bot.domain.image_reports import NoReportsChannel, NotAModerator, Reporter, ReportVerdict
from bot.generation.image_reports import ReportedImage
from bot.ui.buttons import labelled_button
from bot.ui.cards import AMBER, GREEN, GREY, choice_view, finished_view, headline, made_with
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import DISCORD_ERRORS, DiscordFault, fault_of, leave_out_words, retry_later
from bot.ui.history import HistoryMessage, entry_item
from bot.ui.interactions import check_manager, is_outside, manages_by_role
from bot.ui.modals import read_reason, reason_modal
from bot.ui.server_settings import AnyChannel
from bot.ui.services import Services
from bot.ui.targets import ImageTarget, image_target_of, message_of
from bot.ui.texts import amounts
from bot.ui.texts import cards as card_texts
from bot.ui.texts import image_reports as texts

log = structlog.stdlib.get_logger(__name__)

_NOBODY: Final = discord.AllowedMentions.none()
_WHICH: Final = "which"
"""The text in the custom id of a button about several images."""
_VERDICTS: Final[Mapping[Action, ReportVerdict]] = {
    Action.DELETE_REPORTED: ReportVerdict.DELETED,
    Action.REFUND_REPORTED: ReportVerdict.REFUNDED,
    Action.DISMISS_REPORT: ReportVerdict.DISMISSED,
}
_Channel = AnyChannel | discord.CategoryChannel | discord.Thread
_Send = Callable[[HistoryMessage], Awaitable[discord.Message]]


async def can_report(services: Services, interaction: discord.Interaction[Any], target: ImageTarget) -> bool:
    """Whether the menu offers it: to others than the requester, in the image's server, if that has a channel for it."""
    guild_id = _server_of(interaction, target)
    return guild_id is not None and await services.image_reports.channel(guild_id) is not None


def report_button(image: ImageId, viewer: UserId, *, of_several: bool) -> ui.Button[Any]:
    """The button in an image's menu; of a card with several images it first asks which one."""
    return labelled_button(CustomId(Action.REPORT, image, viewer, _WHICH if of_several else ""), texts.REPORT)


async def open_form(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Ask why."""
    target = await image_target_of(services.history, interaction, button)
    if button.text == _WHICH:
        images = await services.history.images_on(target.image.message_id, target.generation)
        view = choice_view([image.id for image in images])
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_NOBODY)
        return
    await services.image_reports.check(target.image.id, _reported_in(interaction, target), UserId(interaction.user.id))
    await interaction.response.send_modal(reason_modal(button, texts.TITLE, texts.REASON, texts.REASON_HINT))


async def submit(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """Show the report to the moderators; several of one image are one message."""
    target = await image_target_of(services.history, interaction, modal)
    guild_id, reporter = (
        _reported_in(interaction, target),
        Reporter(UserId(interaction.user.id), read_reason(interaction)),
    )
    await interaction.response.defer(ephemeral=True, thinking=True)
    async with services.posted_images.posting(target.image):
        reported = await services.image_reports.report(target.image.id, guild_id, reporter)
        try:
            await _show(services, interaction.client, reported)
        except (*DISCORD_ERRORS, NoReportsChannel) as error:
            await services.image_reports.withdraw(reported, reporter.user_id)
            log.info("report not posted", guild=guild_id, error=type(error).__name__)
            raise NoReportsChannel from error
    log.info("image reported", guild=guild_id, image=target.image.id, user=reporter.user_id)
    await interaction.edit_original_response(content=texts.SENT, allowed_mentions=_NOBODY)


async def decide(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """A moderator presses a button of a report. What was done before stays, and is shown."""
    if interaction.guild_id is None or is_outside(interaction):
        raise NotAModerator
    verdict, message = _VERDICTS[button.action], message_of(interaction)
    reported = await services.image_reports.find(
        ImageId(button.number), GuildId(interaction.guild_id), MessageId(message.id)
    )
    await _check_moderator(services, interaction, reported.entry.image, verdict)
    await interaction.response.defer()
    async with services.posted_images.posting(reported.entry.image):
        decided = await services.image_reports.decide(
            reported, verdict, UserId(interaction.user.id), by_role=manages_by_role(interaction)
        )
        if ReportVerdict.DELETED in decided.report.decisions:
            # Also if it was decided before: that process may have ended before Discord was reached.
            try:
                await _delete(interaction.client, decided.entry.image)
            except DISCORD_ERRORS:
                await services.image_reports.not_deleted(decided)
                raise
            decided = await services.image_reports.forget_deleted(decided)
        await _send(
            interaction.client,
            ChannelId(message.channel.id),
            decided,
            lambda shown: interaction.edit_original_response(
                view=shown.view, attachments=shown.files, allowed_mentions=_NOBODY
            ),
        )


def report_message(reported: ReportedImage, *, words: bool = True, shown: bool = True) -> HistoryMessage:
    """The image as a spoiler, who reported it why, and what can be done or was done.

    Without ``words``, which Discord refuses, it has no image either, since that may be what is refused. Unless
    ``shown``, it has neither image nor prompt, since they are from an age-restricted channel.
    """
    report, entry, request = reported.report, reported.entry, reported.generation.request
    requester, decisions = request.account.user_id, report.decisions
    facts = [card_texts.member(requester), *made_with(reported.generation, 1, 0, words=words and shown)]
    facts.append(amounts.price(reported.price))
    if ReportVerdict.DELETED not in decisions:
        link = message_link(report.guild_id, entry.image.channel_id, entry.image.message_id)
        facts.append(texts.location(link))
    files: list[discord.File] = []
    what = headline(reported.generation, words=words) if shown else texts.AGE_RESTRICTED
    about = f"{what}\n{amounts.small(facts)}"
    entry = replace(entry, spoiler=True, preview=entry.preview if words and shown else None)
    items: list[ui.Item[Any]] = [
        ui.TextDisplay(texts.heading(len(report.reporters))),
        entry_item(about, entry, files, words=words),
    ]
    in_order = sorted(decisions.items(), key=lambda decided: decided[1].at)
    done = [texts.decided(verdict, one, requester, reported.refund) for verdict, one in in_order]
    said = (texts.reported_by(report.reporters, words=words), *done)
    items += [ui.TextDisplay(text) for text in said if text]
    if buttons := _buttons(reported):
        items.append(ui.ActionRow(*buttons))
    if reported.images > 1 and not decisions:
        items.append(ui.TextDisplay(texts.deletes_all(reported.images)))
    colour = GREY if ReportVerdict.DISMISSED in decisions else GREEN if decisions else AMBER
    return HistoryMessage(finished_view(colour, *items), files)


def _buttons(reported: ReportedImage) -> list[ui.Button[Any]]:
    """What was not done yet; after a deletion, a refund can still be made, and the reverse."""
    decisions, image = reported.report.decisions, reported.report.image_id
    if ReportVerdict.DISMISSED in decisions:
        return []
    refundable = bool(reported.refund) and ReportVerdict.REFUNDED not in decisions
    offered = {
        Action.DELETE_REPORTED: (card_texts.DELETE, ReportVerdict.DELETED not in decisions),
        Action.REFUND_REPORTED: (texts.refund(reported.refund), refundable),
        Action.DISMISS_REPORT: (texts.DISMISS, not decisions),
    }
    return [labelled_button(CustomId(action, image), label) for action, (label, shown) in offered.items() if shown]


async def _show(services: Services, client: discord.Client, reported: ReportedImage) -> None:
    """Post the report, or bring its message up to date; one that can no longer be edited is posted again."""
    report = reported.report
    if report.message_id is not None:
        message = client.get_partial_messageable(report.channel_id).get_partial_message(report.message_id)
        try:
            await _edit(client, message, reported)
        except discord.HTTPException as error:
            # Refused: the channel was closed to the bot, and the server may have another by now.
            if fault_of(error) not in (DiscordFault.MESSAGE_GONE, DiscordFault.REFUSED):
                raise
        else:
            return
    if (channel_id := await services.image_reports.channel(report.guild_id)) is None:
        raise NoReportsChannel
    channel = client.get_partial_messageable(channel_id)
    # Under one nonce Discord posts once, also for two processes in the same moment.
    nonce = f"report-{to_base36(report.image_id)}" + (f"-{len(report.reporters)}" if report.message_id else "")
    posted = await _send(
        client,
        channel_id,
        reported,
        lambda shown: channel.send(view=shown.view, files=shown.files, nonce=nonce, allowed_mentions=_NOBODY),
    )
    known = await services.image_reports.mark_posted(report.image_id, ChannelId(channel_id), MessageId(posted.id))
    if known.report.reporters != report.reporters:
        await _edit(client, posted, known)


async def _edit(
    client: discord.Client, message: discord.Message | discord.PartialMessage, reported: ReportedImage
) -> None:
    await _send(
        client,
        ChannelId(message.channel.id),
        reported,
        lambda shown: message.edit(view=shown.view, attachments=shown.files, allowed_mentions=_NOBODY),
    )


async def _send(client: discord.Client, place: ChannelId, reported: ReportedImage, send: _Send) -> discord.Message:
    """Files can be sent only once, so the message is made for each attempt."""
    guild = client.get_guild(reported.report.guild_id)
    origin = reported.entry.image.channel_id
    shown = await _is_age_restricted(guild, origin) is False or await _is_age_restricted(guild, place) is True
    return await retry_later(
        lambda: leave_out_words(lambda words: send(report_message(reported, words=words, shown=shown)))
    )


async def _is_age_restricted(guild: discord.Guild | None, channel_id: ChannelId) -> bool | None:
    """None for a channel that cannot be seen."""
    channel = await _channel(guild, channel_id)
    place = channel.parent if isinstance(channel, discord.Thread) else channel
    return None if place is None else place.is_nsfw()


async def _channel(guild: discord.Guild | None, channel_id: ChannelId) -> _Channel | None:
    """None for one that cannot be seen. Discord tells nothing of archived threads unless asked."""
    if guild is None:
        return None
    try:
        return guild.get_channel_or_thread(channel_id) or await guild.fetch_channel(channel_id)
    except (*DISCORD_ERRORS, discord.InvalidData):
        return None


async def _delete(client: discord.Client, image: Image) -> None:
    message = client.get_partial_messageable(image.channel_id).get_partial_message(image.message_id)
    try:
        await retry_later(message.delete)
    except discord.NotFound as error:
        if fault_of(error) is not DiscordFault.MESSAGE_GONE:
            raise


async def _check_moderator(
    services: Services, interaction: discord.Interaction[Any], image: Image, verdict: ReportVerdict
) -> None:
    """Quota managers may do all of it. But for money, so may those who could delete the image's message themselves."""
    try:
        await check_manager(services.quotas, interaction)
    except NotAManager as error:
        if verdict is ReportVerdict.REFUNDED:
            raise
        user, channel = interaction.user, await _channel(interaction.guild, image.channel_id)
        if not (isinstance(user, discord.Member) and channel and channel.permissions_for(user).manage_messages):
            raise NotAModerator from error


def _reported_in(interaction: discord.Interaction[Any], target: ImageTarget) -> GuildId:
    """The server whose moderators decide; raises GenerationGone for what the menu does not offer."""
    if (guild_id := _server_of(interaction, target)) is None:
        raise GenerationGone
    return guild_id


def _server_of(interaction: discord.Interaction[Any], target: ImageTarget) -> GuildId | None:
    """The server that an image is in and where it can be reported, which one does not do with one's own."""
    guild, place = interaction.guild, target.image.channel_id
    if guild is None or is_outside(interaction) or target.hidden or target.requester == interaction.user.id:
        return None
    is_here = place == interaction.channel_id or guild.get_channel_or_thread(place) is not None
    return GuildId(guild.id) if is_here else None
