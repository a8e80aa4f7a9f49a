"""Puts tasks into Easel's database, running and finished, as an earlier process of the bot would have left them."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bot.domain.credits import ZERO, Account, Requester
from bot.domain.generation import Delivery, Generation, InteractionToken, Reference
from bot.domain.ids import ChannelId, GenerationId, GuildId, IdMaker, KieTaskId, MessageId, TaskId, UserId
from bot.domain.ports import Progress, TaskReport
from bot.domain.settings import Settings
from bot.store.store import Store, Transaction
from tests.bench import discord_payloads as payloads
from tests.bench.bots import database_url
from tests.bench.commands import SentCommand, now
from tests.bench.fake_kie import TaskDurations, inherited_id
from tests.factories import make_destination, make_generation, make_request

_PER_TRANSACTION: Final = 500
_FIRST_MEMBER: Final = payloads.FIRST_MEMBER_ID + 500_000
"""Above those who send a command during a benchmark."""
_DEADLINE: Final = timedelta(hours=10)
_TOKEN_LIFETIME: Final = timedelta(minutes=15)
_FINISHED_TASKS: Final = 200
_FILL_SECONDS: Final = 0.002
"""For one task, at most."""
_REFERENCE: Final = Reference("https://tempfile.example/uploads/1.jpg", "reference.jpg")


@dataclass(frozen=True, slots=True)
class InheritedTask:
    """When KIE took it, and when it is done; Unix seconds."""

    number: int
    created_at: float
    done_at: float


@dataclass(frozen=True, slots=True)
class Inheritance:
    """The running tasks, and for each the command whose token its image will come by."""

    tasks: Sequence[InheritedTask]
    commands: Sequence[SentCommand]

    def delays(self, after: float, until: float) -> list[float]:
        """Seconds from a task's end to its image, for those posted between these moments; sorted."""
        posted = ((task.done_at, command.posted_at) for task, command in zip(self.tasks, self.commands, strict=True))
        return sorted(at - done_at for done_at, at in posted if at is not None and after < at <= until)


async def fill_database(
    folder: Path, rate: float, settings: Settings, durations: TaskDurations, new_durations: TaskDurations
) -> Inheritance:
    """Fill the database of an Easel in this folder.

    It gets the tasks of these settings that are running after ``rate`` a second have been created for long, of which as
    many will end a second. It also gets 200 finished ones of these settings and, with the durations of new tasks, of
    the default settings with and without a reference.
    """
    tasks = _steady_tasks(rate, durations, now() + _FILL_SECONDS * rate * durations.mean)
    async with Store.open(database_url(folder)) as store:
        await _Writer(settings).add_finished(store, durations)
        await _Writer(Settings()).add_finished(store, new_durations)
        await _Writer(Settings(), (_REFERENCE,)).add_finished(store, new_durations)
        return Inheritance(tasks, await _Writer(settings).add_running(store, tasks))


def _steady_tasks(rate: float, durations: TaskDurations, at: float) -> list[InheritedTask]:
    count = int(rate * durations.quantile(0.9999)) + 1
    created = (
        (at - (n + 0.5) / rate, seconds) for n, seconds in enumerate(itertools.islice(durations.evenly(), count))
    )
    return [InheritedTask(n, then, then + seconds) for n, (then, seconds) in enumerate(created) if then + seconds > at]


class _Writer:
    """Its ids are those of the moment at which it was created, so that no other moment's are the same."""

    def __init__(self, settings: Settings, references: tuple[Reference, ...] = ()) -> None:
        self._request = make_request(settings=settings, references=references)
        self._at = at = datetime.now(UTC)
        self._new_id: Callable[[], int] = IdMaker(lambda: at, start=1)

    async def add_finished(self, store: Store, durations: TaskDurations) -> None:
        seconds = random.Random(1).sample(list(itertools.islice(durations.evenly(), _FINISHED_TASKS)), _FINISHED_TASKS)
        done_at = self._at.timestamp()
        async with store.write() as tx:
            for number, duration in enumerate(seconds):
                generation = await self._running(tx, InheritedTask(-1 - number, done_at - duration, done_at))
                task_id, url = generation.tasks[0].id, "https://tempfile.example/a.png"
                await tx.tasks.ready(
                    task_id, TaskReport(Progress.SUCCEEDED, result_url=url, seconds=duration), self._at
                )
                await tx.tasks.delivered([await tx.tasks.get(task_id)], self._at)
                await tx.generations.set_delivery(generation.id, Delivery.DONE)

    async def add_running(self, store: Store, tasks: Sequence[InheritedTask]) -> list[SentCommand]:
        commands: list[SentCommand] = []
        for first in range(0, len(tasks), _PER_TRANSACTION):
            async with store.write() as tx:
                for task in tasks[first : first + _PER_TRANSACTION]:
                    generation = await self._running(tx, task)
                    commands.append(SentCommand(f"t{generation.id}", member=generation.request.account.user_id))
        return commands

    async def _running(self, tx: Transaction, task: InheritedTask) -> Generation:
        generation_id, task_id = GenerationId(self._new_id()), TaskId(self._new_id())
        token = InteractionToken(int(payloads.APPLICATION_ID), f"t{generation_id}", self._at + _TOKEN_LIFETIME)
        channel_id, message_id = ChannelId(int(payloads.CHANNEL_IDS[0])), MessageId(generation_id + 1)
        account = Account(UserId(_FIRST_MEMBER + task.number), GuildId(int(payloads.GUILD_ID)))
        destination = make_destination(channel_id=channel_id, token=token, message_id=message_id)
        request = replace(self._request, requester=Requester(account), destination=destination)
        made = make_generation(id=generation_id, created_at=self._at, request=request)
        generation = replace(made, tasks=(replace(made.tasks[0], id=task_id),))
        submitted_at = datetime.fromtimestamp(task.created_at, UTC)
        kie_id = KieTaskId(inherited_id(task.number, task.created_at, task.done_at))
        await tx.generations.add(generation)
        await tx.ledger.reserve(account, generation_id, {task_id: ZERO}, generation.unit_price, submitted_at)
        await tx.tasks.submitting(task_id, submitted_at + _DEADLINE)
        await tx.tasks.running(task_id, kie_id, submitted_at, submitted_at + _DEADLINE)
        return generation
