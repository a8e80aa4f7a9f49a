"""What a new process does with what it finds in the store: every open task resumes at the state of its row."""

from functools import partial

import structlog

from bot.domain.generation import PendingCard, Task
from bot.domain.ids import GenerationId
from bot.domain.ports import MessageSender
from bot.domain.queue import QueuedTask
from bot.domain.settings import TaskClass
from bot.domain.states import OPEN, Failure, TaskState
from bot.generation.pending_cards import PendingCards
from bot.generation.pipeline import Pipeline
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

_DURATIONS = 2400
"""Over all eight classes of tasks, of which some are rare; 30 of each count (bot.polling.durations)."""


async def recover(runtime: Runtime, pipeline: Pipeline) -> None:
    """Fill queue, tracker and delivery from the store, once it is available. Run it once, before the workers."""
    workload, tracker = pipeline.workload, pipeline.tracker

    async def read() -> tuple[list[Task], list[tuple[TaskClass, float]], list[GenerationId]]:
        async with runtime.store.read() as tx:
            unfinished = [*await tx.generations.unfinished(), *await tx.generations.with_late_images()]
            tasks = await tx.tasks.in_states(OPEN | {TaskState.OVERDUE})
            return tasks, await tx.tasks.recent_durations(_DURATIONS), unfinished

    tasks, durations, unfinished = await retry_until_available(read)
    for task_class, seconds in durations:
        workload.durations.add(task_class, seconds)
    await retry_until_available(pipeline.undelivered.prune)
    for task in tasks:
        match task.state:
            case TaskState.RESERVED:
                since = runtime.steady_time(task.created_at)
                workload.queue.add(QueuedTask(task.user_id, task.generation_id, task.id, since))
            case TaskState.SUBMITTING if pipeline.submitter.holds_ambiguous:
                workload.queue.resume(task.user_id)
                # Its callback may have come since the tasks were read.
                await retry_until_available(partial(tracker.hold, task.id))
            case TaskState.SUBMITTING:
                await _fail_ambiguous(runtime, pipeline, task)
            case TaskState.RUNNING:
                workload.queue.resume(task.user_id)
                tracker.watch(task, at_once=True)
            case TaskState.READY:
                pass
            case _:
                tracker.watch(task, at_once=True)
    for generation_id in unfinished:
        pipeline.delivery.refresh(generation_id)
    if tasks or unfinished:
        log.info("recovered", open_tasks=len(tasks), unfinished_generations=len(unfinished))


async def report_interrupted(runtime: Runtime, pending_cards: PendingCards, sender: MessageSender) -> None:
    """Tell members whose request another process had not accepted when it ended that nothing was charged.

    Discord must be reachable; the messages are sent in the background. Goes on while others may end, until cancelled.
    """

    async def accepted(card: PendingCard) -> bool:
        async with runtime.store.read() as tx:
            return await tx.generations.accepted(card)

    async for card in pending_cards.find_interrupted():
        try:
            is_accepted = await retry_until_available(partial(accepted, card))
        except (ArithmeticError, ValueError, TypeError) as error:
            # One that makes no sense, such as from before the year 1.
            log.warning("pending card skipped", pending_card=card.id, error=type(error).__name__)
            is_accepted = True
        if is_accepted:
            pending_cards.remove(card.id)
        else:
            runtime.background.start(_report_interrupted(pending_cards, sender, card))


async def _report_interrupted(pending_cards: PendingCards, sender: MessageSender, card: PendingCard) -> None:
    await sender.show_interrupted(card)
    pending_cards.remove(card.id)


async def _fail_ambiguous(runtime: Runtime, pipeline: Pipeline, task: Task) -> None:
    """The process died during createTask and no callback will come: refund the task, and never send it again."""
    log.error("unknown whether KIE accepted the task", task=task.id)

    async def fail() -> None:
        async with runtime.store.write() as tx:
            lease = pipeline.workload.leadership.lease
            await tx.tasks.fail(task.id, Failure.UNKNOWN_OUTCOME, runtime.now, leader=lease)

    await retry_until_available(fail)
    pipeline.delivery.refresh(task.generation_id)
