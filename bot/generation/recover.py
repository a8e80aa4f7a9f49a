"""What a new process does with what it finds: every open task goes on from where its row says it was."""

from functools import partial

import structlog

from bot.domain.generation import PendingCard, Task
from bot.domain.ids import GenerationId
from bot.domain.ports import Clock, MessageSender
from bot.domain.settings import TaskClass
from bot.domain.states import OPEN, Failure, TaskState
from bot.generation.delivery import DeliveryWorker
from bot.generation.pending_cards import PendingCardJournal
from bot.generation.tracker import Tracker
from bot.generation.undelivered import Undelivered
from bot.generation.workload import Workload
from bot.media.spool import Spool
from bot.runtime import BackgroundTasks, retry_until_available
from bot.store.store import Store

log = structlog.stdlib.get_logger(__name__)

_DURATIONS = 2400
"""Over all eight classes of tasks, of which some are rare; 30 of each count (bot.polling.durations)."""


async def recover(
    store: Store,
    clock: Clock,
    workload: Workload,
    tracker: Tracker,
    courier: DeliveryWorker,
    spool: Spool,
    leftovers: Undelivered,
    *,
    hold_ambiguous: bool,
) -> None:
    """Fill line, tracker and courier from the store, as soon as it is to be had. Run it once, before the workers."""

    async def look() -> tuple[list[Task], list[tuple[TaskClass, float]], list[GenerationId]]:
        async with store.read() as tx:
            untold = [*await tx.generations.unfinished(), *await tx.generations.with_late_images()]
            tasks = await tx.tasks.in_states(OPEN | {TaskState.OVERDUE})
            return tasks, await tx.tasks.recent_durations(_DURATIONS), untold

    tasks, durations, untold = await retry_until_available(look)
    for task_class, seconds in durations:
        workload.durations.add(task_class, seconds)
    wanted = await retry_until_available(leftovers.restore)
    for task in tasks:
        match task.state:
            case TaskState.RESERVED:
                workload.queue.add(task.user_id, task.generation_id, task.id)
            case TaskState.SUBMITTING if hold_ambiguous:
                workload.queue.resume(task.user_id)
                # Its callback may have come since the tasks were read.
                await retry_until_available(partial(tracker.hold, task.id))
            case TaskState.SUBMITTING:
                await _doubt(store, clock, courier, task)
            case TaskState.RUNNING:
                workload.queue.resume(task.user_id)
                tracker.watch(task, at_once=True)
            case TaskState.READY:
                wanted.add(task.id)
            case _:
                tracker.watch(task, at_once=True)
    spool.sweep(wanted)
    for generation_id in untold:
        courier.touch(generation_id)
    if tasks or untold:
        log.info("recovered", open_tasks=len(tasks), untold_generations=len(untold))


async def report_interrupted(
    store: Store, openings: PendingCardJournal, deliverer: MessageSender, jobs: BackgroundTasks
) -> None:
    """Tell whoever was waiting when an earlier process ended before their wish was accepted: nothing was charged.

    Takes Discord to be reachable; the telling itself is the jobs' to do.
    """

    async def accepted(opening: PendingCard) -> bool:
        async with store.read() as tx:
            return await tx.generations.accepted(opening)

    for opening in openings.left:
        if await retry_until_available(partial(accepted, opening)):
            openings.close(opening.id)
        else:
            jobs.start(_apologise(openings, deliverer, opening))


async def _apologise(openings: PendingCardJournal, deliverer: MessageSender, opening: PendingCard) -> None:
    await deliverer.show_interrupted(opening)
    openings.close(opening.id)


async def _doubt(store: Store, clock: Clock, courier: DeliveryWorker, task: Task) -> None:
    """The process died while KIE was being asked, and nobody will tell: never ask again, give the credits back."""
    log.error("nobody knows whether KIE took a task", task=task.id)

    async def note() -> None:
        async with store.write() as tx:
            await tx.tasks.fail(task.id, Failure.UNKNOWN_OUTCOME, clock.now())

    await retry_until_available(note)
    courier.touch(task.generation_id)
