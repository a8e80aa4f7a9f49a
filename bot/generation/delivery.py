"""Keeps every generation's message up to date with the store, with at most one background task per generation."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import structlog

from bot import metrics
from bot.domain.credits import Movement
from bot.domain.delivery_errors import DeliveryFailed, ResultPending, ResultUnavailable, TooLargeToPost, Undeliverable
from bot.domain.errors import StoreUnavailable, UnreadableRow
from bot.domain.generation import Delivery, Generation, Image, Task
from bot.domain.ids import GenerationId, ImageId
from bot.domain.kie_account import DeliveryGivenUp
from bot.domain.ports import Card, ImageFile, MessageSender, OperatorAlerts, Posted
from bot.domain.states import Failure
from bot.generation.late_edits import show_outcome_again
from bot.generation.preferences import wants_ping
from bot.generation.previews import Previews
from bot.generation.results import Results, size_of_largest
from bot.generation.workload import Workload
from bot.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

_BACKOFF = (0.5, 1, 2, 5, 10, 20, 30, 60)
_ERROR_RETRY_SECONDS = 30.0
_DATABASE_RETRY_SECONDS = 2.0
_UNSURE_RETRY_SECONDS = 0.25
_WAIT_FOR_REST = timedelta(minutes=4)
"""How long finished images wait for one that cannot be fetched; then they are posted without it."""
_GIVE_UP_AFTER, _THIS_PROCESS = timedelta(days=1), timedelta(hours=1)
"""How long errors may keep an outcome from being posted, and how much of that this process must have seen itself."""


class _Unsure(Exception):
    """Another process may have come to lead, and be posting the same."""


class DeliveryWorker:
    """Shows progress, fetches finished images, posts the outcome once, and settles it in one transaction."""

    def __init__(self, runtime: Runtime, *, workload: Workload, results: Results, previews: Previews) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._background = runtime.background
        self._workload = workload
        self._results = results
        self._previews = previews
        self._sender: asyncio.Future[MessageSender] = asyncio.get_running_loop().create_future()
        self._changed: set[GenerationId] = set()
        self._busy: set[GenerationId] = set()
        self._posted: dict[GenerationId, tuple[Card, Sequence[ImageFile], Posted]] = {}
        """Posts that could not be recorded yet: Discord's nonce keeps them from being repeated for minutes only."""
        self.failing_since: dict[GenerationId, datetime] = {}
        """Generations whose outcome errors keep from being posted; by the steady clock."""
        self._timers: dict[GenerationId, asyncio.TimerHandle] = {}
        self._expected: dict[GenerationId, datetime | None] = {}
        """When cards say that they will be ready; None once that moment has passed."""
        self._expecting = asyncio.Event()

    def start(self, sender: MessageSender, alerts: OperatorAlerts) -> None:
        """Discord can be reached: start to deliver, beginning with what changed so far. Call it once."""
        self._results.start(alerts)
        self._sender.set_result(sender)

    def refresh(self, generation_id: GenerationId) -> None:
        """The generation has changed: bring its message up to date in the background."""
        if (timer := self._timers.pop(generation_id, None)) is not None:
            timer.cancel()
        self._changed.add(generation_id)
        if generation_id not in self._busy:
            self._busy.add(generation_id)
            self._background.start(self._process(generation_id))

    async def run(self) -> None:
        """Refresh each card once when the moment has passed for which it announces its images; until cancelled."""
        while True:
            self._expecting.clear()
            now = self._clock.now()
            for generation_id, at in self._expected.items():
                if at is not None and at <= now:
                    self._expected[generation_id] = None
                    self.refresh(generation_id)
            times = [at for at in self._expected.values() if at is not None]
            wait = (min(times) - now).total_seconds() if times else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._expecting.wait()

    def prefetch(self, task: Task, url: str) -> None:
        """Begin to download a finished image while its result is still being stored."""
        self._background.start(self._results.prefetch(replace(task, result_url=url)))

    async def _process(self, generation_id: GenerationId) -> None:
        retry = _ERROR_RETRY_SECONDS
        up_to_date = False
        try:
            sender = await self._sender
            while generation_id in self._changed:
                self._changed.discard(generation_id)
                await self._synchronize(sender, generation_id)
            up_to_date = True
            self.failing_since.pop(generation_id, None)
        except StoreUnavailable as error:
            retry = _DATABASE_RETRY_SECONDS
            log.error("database unavailable", generation=generation_id, error=str(error), pause=retry)
        except _Unsure:
            retry = _UNSURE_RETRY_SECONDS
        except UnreadableRow as error:
            up_to_date = True
            log.error("generation not delivered: it cannot be read", generation=generation_id, error=str(error))
        except Exception:
            self.failing_since.setdefault(generation_id, self._clock.steady())
            raise
        finally:
            self._busy.discard(generation_id)
            if not up_to_date:
                # Also after an unexpected error, so that no outcome is ever lost.
                self._refresh_later(generation_id, retry)

    def _refresh_later(self, generation_id: GenerationId, seconds: float) -> None:
        if (timer := self._timers.pop(generation_id, None)) is not None:
            timer.cancel()
        self._timers[generation_id] = asyncio.get_running_loop().call_later(seconds, self.refresh, generation_id)

    async def _synchronize(self, sender: MessageSender, generation_id: GenerationId) -> None:
        if (unrecorded := self._posted.get(generation_id)) is not None:
            await self._record_delivery(sender, *unrecorded)
        async with self._store.read() as tx:
            generation = await tx.generations.get(generation_id)
            undelivered = await tx.undelivered.contains(generation_id)
        if generation is None or undelivered:
            return
        if generation.settled:
            self._expected.pop(generation_id, None)
        late = generation.delivery is Delivery.DONE
        if generation.settled and (generation.ready or not late):
            if self._has_failed_for_a_day(generation):
                await self._give_up(sender, generation, refund=True)
            else:
                await self._post_outcome(sender, generation, late=late)
        elif not late:
            downloads = (self._results.prefetch(task) for task in generation.ready)
            await asyncio.gather(self._show_progress(sender, generation), *downloads)

    async def _post_outcome(self, sender: MessageSender, generation: Generation, *, late: bool) -> None:
        limit = generation.request.destination.upload_limit
        images = await self._images(sender, generation, limit)
        if images is None:
            return
        seconds = (self._clock.now() - generation.created_at).total_seconds()
        card = Card(generation, None, None, seconds=seconds, late=late)
        for attempt in count():
            self._check_lease()
            try:
                posted = await sender.deliver(card, images)
            except DeliveryFailed as error:
                log.warning("delivery failed", generation=generation.id, attempt=attempt, error=str(error))
                self.failing_since.setdefault(generation.id, self._clock.steady())
                if self._has_failed_for_a_day(generation):
                    await self._give_up(sender, generation, refund=True)
                    return
                await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
            except TooLargeToPost:
                size = await asyncio.to_thread(size_of_largest, images)
                limit = min(limit, size) * 3 // 4
                log.warning("files too large for their channel", generation=generation.id, limit=limit)
                images = await self._images(sender, generation, limit)
                if images is None:
                    return
            except Undeliverable as error:
                log.warning("delivery impossible", generation=generation.id, error=str(error))
                await self._give_up(sender, generation, refund=False)
                return
            else:
                self._posted[generation.id] = card, images, posted
                await self._record_delivery(sender, card, images, posted)
                return

    async def _record_delivery(
        self, sender: MessageSender, card: Card, images: Sequence[ImageFile], posted: Posted
    ) -> None:
        generation, now = card.generation, self._clock.now()
        origin, place = generation.request.origin, (posted.channel_id, posted.message_id)
        parent = origin.image_id if origin else None
        delivered = [generation.task(image.task_id) for image in images]
        async with self._store.write() as tx:
            await tx.tasks.delivered(delivered, now)
            await tx.generations.mark_delivered(generation.id, None if card.late else posted.message_id)
            await tx.images.add(
                [Image(ImageId(image.task_id), generation.id, parent, *place, image.filename, now) for image in images]
            )
            pings = await wants_ping(tx, card, posted)
        self._posted.pop(generation.id, None)
        self.failing_since.pop(generation.id, None)
        self._background.start(self._previews.make_of(images, delivered), dispensable=True)
        metrics.credits_moved(Movement.SETTLE, generation.unit_price * sum(not task.free for task in delivered))
        metrics.generation_ended(generation, "late" if card.late else "delivered", delivered)
        metrics.images_posted(delivered, now)
        log.info("generation delivered", generation=generation.id, images=len(images), late=card.late)
        if pings:
            await sender.ping(card)

    def _has_failed_for_a_day(self, generation: Generation) -> bool:
        """Whether errors have kept the outcome from being posted for a day, in earlier processes too."""
        since = self.failing_since.get(generation.id)
        if since is None:
            return False
        failing = self._clock.steady() - since
        ended = max(task.finished_at or generation.created_at for task in generation.tasks)
        earlier = ended < self._clock.forget_before(_GIVE_UP_AFTER)
        return failing >= _GIVE_UP_AFTER or (failing >= _THIS_PROCESS and earlier)

    async def _give_up(self, sender: MessageSender, generation: Generation, *, refund: bool) -> None:
        """Keep the outcome for the member's next command.

        The images stay reserved and are paid for then: a member can close every channel to the bot as often as they
        like. With ``refund``, which is for errors that nobody chose, they are free.
        """
        self._check_lease()
        user, now = generation.request.account.user_id, self._clock.now()
        async with self._store.write() as tx:
            for task in generation.ready if refund else ():
                await tx.tasks.fail(task.id, Failure.UNDELIVERABLE, now)
            await tx.generations.set_delivery(generation.id, Delivery.DONE)
            await tx.undelivered.add(generation.id, user, now)
        self.failing_since.pop(generation.id, None)
        metrics.generation_ended(generation, "undelivered", generation.ready)
        log.error("generation given up: nowhere to post it", generation=generation.id, refunded=refund)
        if refund:
            self._results.alert(DeliveryGivenUp(generation.id))
        if generation.ready:
            # A message without files may be accepted where images are not.
            async with self._store.read() as tx:
                kept = await tx.generations.get(generation.id) or generation
            with contextlib.suppress(DeliveryFailed, TooLargeToPost, Undeliverable):
                posted = await sender.deliver(Card(kept, None, None), [])
                async with self._store.write() as tx:
                    await tx.generations.set_message(generation.id, posted.message_id)

    async def _show_progress(self, sender: MessageSender, generation: Generation) -> None:
        self._check_lease()
        await sender.show(self._progress(generation))
        if not self._workload.leadership.is_sure:
            await show_outcome_again(self._store, sender, generation.id)

    def _progress(self, generation: Generation) -> Card:
        now = self._clock.now()
        position, ready_at = self._workload.estimate_completion(generation, now)
        # A card in line is refreshed anyway when it leaves the line.
        if position is None and ready_at is not None:
            if self._expected.get(generation.id, ready_at) is None:
                ready_at = now
            self._expected[generation.id] = ready_at if ready_at > now else None
            self._expecting.set()
        return Card(generation, position, ready_at)

    async def _images(self, sender: MessageSender, generation: Generation, limit: int) -> list[ImageFile] | None:
        """The images to post now; None when nothing can be posted yet, and another attempt will be made."""
        found = await asyncio.gather(*(self._image(task, limit) for task in generation.ready))
        images = [image for image in found if isinstance(image, ImageFile)]
        pending = [image for image in found if isinstance(image, ResultPending)]
        if len(images) + len(pending) < len(found):
            # An image is lost for good, and its task has failed: start over with the generation as it is now.
            self.refresh(generation.id)
            return None
        if pending:
            self._refresh_later(generation.id, min(result.pause for result in pending))
            if not images or any(result.waited < _WAIT_FOR_REST for result in pending):
                if generation.delivery is Delivery.NONE:
                    await self._show_progress(sender, generation)
                return None
        return images

    async def _image(self, task: Task, limit: int) -> ImageFile | ResultPending | None:
        try:
            return await self._results.get(task, limit)
        except ResultPending as pending:
            return pending
        except ResultUnavailable as error:
            log.error("image lost", generation=task.generation_id, task=task.id, error=str(error))
            async with self._store.write() as tx:
                lease = self._workload.leadership.lease
                await tx.tasks.fail(task.id, Failure.NO_IMAGE, self._clock.now(), leader=lease)
            self._results.forget(task)
            return None

    def _check_lease(self) -> None:
        """To be called before each message; raises _Unsure."""
        if not self._workload.leadership.is_sure:
            raise _Unsure
