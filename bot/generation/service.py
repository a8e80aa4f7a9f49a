"""What commands and buttons may ask for: accept a wish, take it back, tell the balance."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from bot.domain.credits import Credits, LedgerEntry, PriceList, Requester
from bot.domain.errors import (
    AutoNeedsReference,
    ControlsNeedFlex,
    GenerationGone,
    NotYours,
    PromptLength,
    TooLateToCancel,
    TooManyImages,
    TooManyOpen,
)
from bot.domain.generation import Delivery, Generation, GenerationRequest, Origin, Reference, Source, Task
from bot.domain.ids import GenerationId, TaskId, UserId
from bot.domain.settings import PROMPT_MAX, PROMPT_MIN, REFERENCES_MAX, AspectRatio, Model, TaskClass
from bot.domain.states import TaskState
from bot.generation.delivery import DeliveryWorker
from bot.generation.pending_cards import PendingCardJournal
from bot.generation.references import ReferencePreparer
from bot.generation.workload import Workload
from bot.quota.policy import MemberQuota, QuotaPolicy
from bot.runtime import Runtime
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

_MOVEMENTS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Statement:
    """What ``/balance`` tells."""

    standing: MemberQuota
    prices: PriceList
    movements: tuple[LedgerEntry, ...]


class GenerationService:
    """The front desk of the room. What it raises for a member is a UserError, and then nothing was charged."""

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
        pending_cards: PendingCardJournal,
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
        self._under_way: Counter[UserId] = Counter()
        self._accepting: set[asyncio.Task[Any]] = set()

    async def accept(self, request: GenerationRequest, sources: Sequence[Source | Reference] = ()) -> GenerationId:
        """Check the wish, make references of the sources, reserve the price, and put the tasks in line.

        A source is a picture on Discord, or a reference of an earlier generation, which is then renewed.

        Raises a UserError when something about the wish, its references or the allowance does not allow it.
        """
        _check(request, len(sources))
        self._workload.funds_breaker.check()
        user = request.account.user_id
        self._under_way[user] += 1
        wish = _current_task()
        self._accepting.add(wish)
        try:
            return await self._accept(request, sources)
        finally:
            self._accepting.discard(wish)
            self._under_way[user] -= 1
            if not self._under_way[user]:
                del self._under_way[user]

    async def finish(self, within: float) -> None:
        """Wait, so many seconds at most, until no wish is half accepted; then break off what is.

        The next process tells the members whose wishes these were.
        """
        if self._accepting:
            await asyncio.wait(self._accepting, timeout=within)
        for wish in self._accepting:
            wish.cancel()

    async def _accept(self, request: GenerationRequest, sources: Sequence[Source | Reference]) -> GenerationId:
        asked_at = self._clock.now()
        if sources:
            async with self._store.read() as tx:
                await self._check_means(tx, request)
                origin = await _recognised(tx, request.origin, sources)
            taken = await self._references.prepare(sources, request.account.user_id)
            request = replace(request, references=(*request.references, *taken), origin=origin)
        generation = self._draw_up(request, asked_at)
        async with self._store.write() as tx:
            from_bonus = await self._check_means(tx, request)
            await tx.generations.add(generation)
            parts = {task.id: part for task, part in zip(generation.tasks, from_bonus, strict=True)}
            await tx.ledger.reserve(request.account, generation.id, parts, generation.unit_price, self._clock.now())
        self._pending_cards.close(request.destination.pending_card)
        log.info("generation accepted", generation=generation.id, count=request.count, price=str(generation.price))
        for task in generation.tasks:
            self._workload.queue.add(task.user_id, generation.id, task.id)
        self._workload.changed.set()
        self._delivery.touch(generation.id)
        return generation.id

    async def cancel(self, generation_id: GenerationId, by: UserId) -> None:
        """Take back what KIE has not been asked for. Raises GenerationGone, NotYours or TooLateToCancel."""
        async with self._store.write() as tx:
            generation = await tx.generations.get(generation_id)
            if generation is None:
                raise GenerationGone
            if generation.request.account.user_id != by:
                raise NotYours
            cancelled = await tx.tasks.cancel(generation_id, self._clock.now())
        if not cancelled:
            raise TooLateToCancel
        for task in cancelled:
            self._workload.queue.discard(by, task)
        log.info("generation cancelled", generation=generation_id, tasks=len(cancelled))
        self._delivery.touch(generation_id)

    async def statement(self, asker: Requester) -> Statement:
        """The account's balance and its rule, the prices, and its last movements."""
        async with self._store.read() as tx:
            standing = await self._policy.standing(tx, asker)
            movements = await tx.ledger.recent(asker.account, _MOVEMENTS_SHOWN)
        return Statement(standing, self._prices, tuple(movements))

    async def _check_means(self, tx: Transaction, request: GenerationRequest) -> list[Credits]:
        """For each image, how much of its price the bonus pays; raises a UserError when it may not be made."""
        user = request.account.user_id
        others = self._under_way[user] - 1
        if await tx.generations.open_count(user) + others >= self._open_limit:
            raise TooManyOpen(self._open_limit)
        return await self._policy.authorize(tx, request)

    def _draw_up(self, request: GenerationRequest, asked_at: datetime) -> Generation:
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
        raise AssertionError("what is awaited is always awaited by a task")
    return task


async def _recognised(tx: Transaction, origin: Origin | None, sources: Sequence[Source | Reference]) -> Origin | None:
    """The origin with the image of ours that it is, if one of the sources is such: the new images' parent."""
    if origin is None or origin.image_id is not None:
        return origin
    images = {image.filename: image.id for image in await tx.images.in_message(origin.message_id)}
    found = (images[source.filename] for source in sources if source.filename in images)
    return replace(origin, image_id=next(found, None))


def _check(request: GenerationRequest, source_count: int) -> None:
    """What can be told without asking anybody."""
    if source_count + len(request.references) > REFERENCES_MAX:
        raise TooManyImages
    length = len(request.prompt)
    if len(request.prompt.strip()) < PROMPT_MIN or length > PROMPT_MAX:
        raise PromptLength(length if length > PROMPT_MAX else len(request.prompt.strip()), PROMPT_MIN, PROMPT_MAX)
    settings = request.settings
    if settings.aspect_ratio is AspectRatio.AUTO and not source_count and not request.references:
        raise AutoNeedsReference
    if settings.model is not Model.FLEX and (settings.steps is not None or settings.guidance is not None):
        raise ControlsNeedFlex
