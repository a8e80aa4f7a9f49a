"""Members report images to the moderators of their server, who decide what becomes of them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from bot.domain.credits import ZERO, Credits
from bot.domain.errors import GenerationGone
from bot.domain.generation import Generation
from bot.domain.ids import ChannelId, GuildId, ImageId, MessageId, TaskId, UserId
from bot.domain.image_history import HistoryEntry
from bot.domain.image_reports import (
    REPORTS_A_DAY,
    AlreadyReported,
    AlreadyReviewed,
    ImageReport,
    NoReportsChannel,
    ReportDecision,
    Reporter,
    ReportGone,
    ReportVerdict,
    TooManyReports,
)
from bot.domain.ledger import ImageRefunded
from bot.quota.manager_limit import check_manager_limit
from bot.runtime import Runtime
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReportedImage:
    """What the moderators' message shows."""

    report: ImageReport
    entry: HistoryEntry
    generation: Generation
    images: int
    """How many the message of the image has, which are deleted together."""

    @property
    def price(self) -> Credits:
        """What its requester paid for it; nothing for a late image."""
        task = self.generation.task(TaskId(self.entry.image.id))
        return ZERO if task.free else self.generation.unit_price

    @property
    def refund(self) -> Credits:
        """What this server can give back: nothing to an account of direct messages."""
        is_here = self.generation.request.account.guild_id == self.report.guild_id
        return self.price if is_here else ZERO


class ImageReports:
    """Callers check who reports an image, and who decides."""

    def __init__(self, runtime: Runtime) -> None:
        self._store = runtime.store
        self._clock = runtime.clock

    async def check(self, image: ImageId, guild_id: GuildId, reporter: UserId) -> None:
        """Raise what :meth:`report` would raise."""
        async with self._store.read() as tx:
            await self._check(tx, image, guild_id, reporter)

    async def report(self, image: ImageId, guild_id: GuildId, reporter: Reporter) -> ReportedImage:
        """Record a member's report, which is then to be shown; of the first the channel is the server's for reports.

        Raises NoReportsChannel, AlreadyReported, AlreadyReviewed, TooManyReports or GenerationGone.
        """
        async with self._store.write() as tx:
            earlier, channel = await self._check(tx, image, guild_id, reporter.user_id)
            if earlier is None:
                await tx.image_reports.add(image, guild_id, channel)
            if earlier is None or reporter.user_id not in _ids(earlier):
                await tx.image_reports.add_reporter(image, reporter, self._clock.now())
            return await self._get(tx, image)

    async def withdraw(self, reported: ReportedImage, reporter: UserId) -> None:
        """The report could not be shown to anybody."""
        async with self._store.write() as tx:
            await tx.image_reports.remove_reporter(reported.report.image_id, reporter)

    async def mark_posted(self, image: ImageId, channel_id: ChannelId, message_id: MessageId) -> ReportedImage:
        """The report was posted; returns what it is to show now, since others may have reported the image meanwhile."""
        async with self._store.write() as tx:
            await tx.image_reports.set_message(image, channel_id, message_id)
            return await self._get(tx, image)

    async def channel(self, guild_id: GuildId) -> ChannelId | None:
        """Where a server's reports go now."""
        async with self._store.read() as tx:
            return (await tx.rules.settings(guild_id)).reports_channel

    async def find(self, image: ImageId, guild_id: GuildId, message_id: MessageId) -> ReportedImage:
        """The report that a message shows; raises ReportGone, also for another server's or another message's."""
        async with self._store.read() as tx:
            reported = await self._get(tx, image)
        report = reported.report
        # A custom id can be forged; the message that its button is on comes from Discord.
        if report.guild_id != guild_id or report.message_id not in (None, message_id):
            raise ReportGone
        return reported

    async def decide(
        self, reported: ReportedImage, verdict: ReportVerdict, by: UserId, *, by_role: bool = False
    ) -> ReportedImage:
        """Record what a moderator does, unless it was done or excluded before; returns what holds then.

        A refund is a grant of the price, and for a quota manager without Manage Server (``by_role``) raises
        GrantToOneself or ManagerLimitReached. Raises ReportGone.
        """
        if verdict is ReportVerdict.REFUNDED and not reported.refund:
            raise ReportGone
        image, account = reported.report.image_id, reported.generation.request.account
        now = self._clock.now()
        async with self._store.write() as tx:
            is_first = await tx.image_reports.decide(image, verdict, ReportDecision(by, now))
            if is_first and verdict is ReportVerdict.REFUNDED:
                if by_role:
                    await check_manager_limit(tx, account, by, reported.refund, now)
                change = ImageRefunded(account.user_id, reported.refund, by)
                await tx.ledger.grant(account, reported.refund, by, "", now, change)
            decided = await self._get(tx, image)
        if is_first:
            log.info("report decided", guild=reported.report.guild_id, image=image, verdict=verdict.value, user=by)
        return decided

    async def not_deleted(self, reported: ReportedImage) -> None:
        """The image's message could not be deleted: a report must not say that it was."""
        async with self._store.write() as tx:
            await tx.image_reports.take_back(reported.report.image_id, ReportVerdict.DELETED)

    async def forget_deleted(self, reported: ReportedImage) -> ReportedImage:
        """The image's message was deleted: its previews go, and its images from what members saved."""
        async with self._store.write() as tx:
            gone = [image.id for image in await tx.images.in_message(reported.entry.image.message_id)]
            await tx.previews.remove(gone)
            await tx.favourites.remove_all(gone)
            return await self._get(tx, reported.report.image_id)

    async def _check(
        self, tx: Transaction, image: ImageId, guild_id: GuildId, reporter: UserId
    ) -> tuple[ImageReport | None, ChannelId]:
        """An earlier report of the image, and the server's channel."""
        channel = (await tx.rules.settings(guild_id)).reports_channel
        if channel is None:
            raise NoReportsChannel
        if await tx.images.get(image) is None:
            raise GenerationGone
        earlier = await tx.image_reports.get(image)
        if earlier is not None and earlier.decisions:
            raise AlreadyReviewed
        if earlier is not None and reporter in _ids(earlier):
            if earlier.message_id is not None:
                raise AlreadyReported
            # Its process died before it was posted.
            return earlier, channel
        if await tx.image_reports.count_of(reporter, self._clock.now() - _DAY) >= REPORTS_A_DAY:
            raise TooManyReports
        return earlier, channel

    async def _get(self, tx: Transaction, image: ImageId) -> ReportedImage:
        report, posted = await tx.image_reports.get(image), await tx.images.get(image)
        generation = await tx.generations.get(posted.generation_id) if posted is not None else None
        if report is None or posted is None or generation is None:
            raise ReportGone
        entry = await tx.image_history.get(image, generation.request.account.user_id)
        if entry is None:
            raise ReportGone
        return ReportedImage(report, entry, generation, len(await tx.images.in_message(posted.message_id)))


def _ids(report: ImageReport) -> set[UserId]:
    return {reporter.user_id for reporter in report.reporters}
