"""What commands and buttons can do with generations: request one, cancel it, and read the account."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from bot import metrics
from bot.domain.credits import Credits, PriceList, Requester
from bot.domain.errors import (
    GenerationGone,
    Ignored,
    NotYours,
    RequestsPaused,
    TooLateToCancel,
    TooManyImages,
    TooManyOpen,
)
from bot.domain.generation import Delivery, Generation, GenerationRequest, Origin, Reference, Source, Task
from bot.domain.ids import GenerationId, PendingCardId, TaskId, UserId
from bot.domain.ledger import LedgerEntry
from bot.domain.privacy_errors import BeingErased
from bot.domain.prompts import without_spoiler_marks
from bot.domain.queue import QueuedTask
from bot.domain.settings import REFERENCES_MAX, TaskClass
from bot.domain.states import TaskState
from bot.generation.delivery import DeliveryWorker
from bot.generation.leader_report import read_report
from bot.generation.operator_pause import read_operator_pause
from bot.generation.pending_cards import PendingCards
from bot.generation.references import ReferencePreparer
from bot.generation.validation import surplus, validate
from bot.generation.workload import Workload
from bot.quota.policy import MemberQuota, QuotaPolicy
from bot.runtime import Runtime
from bot.store.notices import GenerationChanged
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

_RECENT_ENTRIES = 8

TellPassedOver = Callable[[Sequence[str]], Awaitable[None]]
"""Tells the member which files of a message were no images, by name; raises nothing."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What ``/balance`` shows."""

    quota: MemberQuota
    prices: PriceList
    entries: tuple[LedgerEntry, ...]
    """The latest of the account, newest first."""


class GenerationService:
    """Accepts and cancels requests. When it raises a UserError, nothing was charged."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        prices: PriceList,
        open_limit: int,
        references: ReferencePreparer,
        policy: QuotaPolicy,
        workload: Workload,
        delivery: DeliveryWorker,
        pending_cards: PendingCards,
    ) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._new_id = runtime.new_id
        self._prices = prices
        self._open_limit = open_limit
        self._references = references
        self._policy = policy
        self._workload = workload
        self._delivery = delivery
        self._pending_cards = pending_cards
        self._in_progress: Counter[UserId] = Counter()
        """Requests that are being accepted, which the store does not know yet."""
        self._accepting: set[asyncio.Task[Any]] = set()

    async def accept(
        self,
        request: GenerationRequest,
        sources: Sequence[Source | Reference] = (),
        tell_passed_over: TellPassedOver | None = None,
    ) -> GenerationId:
        """Validate the request, prepare its references, reserve the price, and queue the tasks.

        A source is an image on Discord, or a reference of an earlier generation, which is then renewed. What is made
        from words that their author hid is hidden as well.

        Raises a UserError when the request is invalid, a reference cannot be used, or the quota does not cover it.
        """
        prompt, hidden = without_spoiler_marks(request.prompt)
        request = replace(request, prompt=prompt, spoiler=request.spoiler or hidden)
        user = request.account.user_id
        self._in_progress[user] += 1
        current = _current_task()
        self._accepting.add(current)
        try:
            with metrics.accepting(request.settings.model):
                await self.check_new(request.destination.pending_card)
                await self.check(request, sources)
                generation_id, passed_over = await self._accept(request, sources)
        finally:
            self._accepting.discard(current)
            self._in_progress[user] -= 1
            if not self._in_progress[user]:
                del self._in_progress[user]
        if passed_over and tell_passed_over is not None:
            await tell_passed_over(passed_over)
        return generation_id

    async def check_new(self, event: PendingCardId | None) -> None:
        """Raise Ignored when an interaction or message has its generation already: Discord sent it again."""
        if event is not None:
            async with self._store.read() as tx:
                if await tx.generations.has_event(event):
                    raise Ignored

    def cancel_accepting(self) -> None:
        """Cancel requests that are still being accepted; the next process tells their members of the interruption."""
        for task in self._accepting:
            task.cancel()

    async def check(self, request: GenerationRequest, sources: Sequence[Source | Reference]) -> None:
        """Raise a UserError when it is invalid, or no request can be accepted now."""
        validate(request, sources)
        leads = self._workload.leadership.leads
        async with self._store.read() as tx:
            pause = await read_operator_pause(tx)
            report = None if leads else await read_report(tx, self._workload.leadership)
        if pause is not None:
            raise RequestsPaused(pause.reason)
        if leads:
            self._workload.check()
        elif report is not None:
            report.check()

    async def _accept(
        self, request: GenerationRequest, sources: Sequence[Source | Reference]
    ) -> tuple[GenerationId, list[str]]:
        """The new generation, and the names of the files that were passed over."""
        asked_at = self._clock.now()
        passed_over: list[str] = []
        if sources:
            async with self._store.read() as tx:
                # Checked before the work on references too: nobody uploads what they cannot pay for.
                await self._authorize(tx, request)
                origin = await _resolve_origin(tx, request.origin, sources)
            prepared = await self._references.prepare(sources, request.account.user_id)
            references = (*request.references, *prepared.references)
            if len(references) > REFERENCES_MAX:
                raise TooManyImages(surplus(references))
            used = [source for source in sources if source not in prepared.passed_over]
            spoiler = request.spoiler or any(isinstance(source, Source) and source.spoiler for source in used)
            request = replace(request, references=references, origin=origin, spoiler=spoiler)
            passed_over = [source.filename for source in prepared.passed_over]
        generation = self._build_generation(request, asked_at)
        leadership = self._workload.leadership
        async with self._store.write() as tx:
            await self._pending_cards.check(tx, request.destination.pending_card)
            bonus_shares = await self._authorize(tx, request)
            await tx.generations.add(generation)
            by_task = {task.id: share for task, share in zip(generation.tasks, bonus_shares, strict=True)}
            await tx.ledger.reserve(request.account, generation.id, by_task, generation.unit_price, self._clock.now())
            if not leadership.leads:
                await tx.notices.send(GenerationChanged(generation.id))
        self._pending_cards.remove(request.destination.pending_card)
        log.info(
            "generation accepted",
            generation=generation.id,
            user=request.account.user_id,
            guild=request.account.guild_id,
            count=request.count,
            price=str(generation.price),
        )
        if leadership.leads:
            since = self._clock.steady()
            for task in generation.tasks:
                self._workload.queue.add(QueuedTask(task.user_id, generation.id, task.id, since))
            self._workload.changed.set()
            self._delivery.refresh(generation.id)
        return generation.id, passed_over

    async def cancel(self, generation_id: GenerationId, by: UserId) -> None:
        """Cancel the tasks that were not sent to KIE yet. Raises GenerationGone, NotYours or TooLateToCancel."""
        async with self._store.write() as tx:
            generation = await tx.generations.get(generation_id)
            if generation is None:
                raise GenerationGone
            if generation.request.account.user_id != by:
                raise NotYours
            cancelled = await tx.tasks.cancel(generation_id, self._clock.now())
            if cancelled and not self._workload.leadership.leads:
                await tx.notices.send(GenerationChanged(generation_id))
        if not cancelled:
            raise TooLateToCancel
        log.info("generation cancelled", generation=generation_id, tasks=len(cancelled))
        if self._workload.leadership.leads:
            for task in cancelled:
                self._workload.queue.discard(by, task)
            self._delivery.refresh(generation_id)

    async def statement(self, requester: Requester) -> Statement:
        """A member's quota, the prices, and the account's latest ledger entries."""
        async with self._store.read() as tx:
            quota = await self._policy.member_quota(tx, requester)
            entries = await tx.ledger.recent(requester.account, _RECENT_ENTRIES)
        return Statement(quota, self._prices, tuple(entries))

    async def _authorize(self, tx: Transaction, request: GenerationRequest) -> list[Credits]:
        """For each image, how much of its price the bonus pays; raises a UserError when it may not be made."""
        user = request.account.user_id
        if await tx.erasures.blocks(request.account):
            raise BeingErased
        others = self._in_progress[user] - 1
        if await tx.generations.open_count(user) + others >= self._open_limit:
            raise TooManyOpen(self._open_limit)
        return await self._policy.authorize(tx, request)

    def _build_generation(self, request: GenerationRequest, asked_at: datetime) -> Generation:
        now = self._clock.now()
        generation_id = GenerationId(self._new_id())
        settings = request.settings
        task_class = TaskClass(settings.model, settings.resolution, bool(request.references))
        tasks = tuple(
            Task(
                id=TaskId(self._new_id()),
                generation_id=generation_id,
                user_id=request.account.user_id,
                position=position,
                state=TaskState.RESERVED,
                task_class=task_class,
                created_at=now,
            )
            for position in range(request.count)
        )
        return Generation(generation_id, request, self._prices.of(settings), asked_at, Delivery.NONE, tasks)


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("every coroutine runs in a task")
    return task


async def _resolve_origin(
    tx: Transaction, origin: Origin | None, sources: Sequence[Source | Reference]
) -> Origin | None:
    """The origin with the id of our own image, if one of the sources is one: the parent of the new images."""
    if origin is None or origin.image_id is not None:
        return origin
    for source in sources:
        message = (isinstance(source, Source) and source.forwarded) or origin.message_id
        for image in await tx.images.in_message(message):
            if image.filename == source.filename:
                return replace(origin, image_id=image.id)
    return origin
