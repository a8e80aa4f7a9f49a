"""Puts tasks into a database that KIE is at work on, as an earlier process of the bot would have left them."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from bot.domain.credits import ZERO, Account, Requester
from bot.domain.generation import Delivery, Generation, InteractionToken, Reference, Task
from bot.domain.ids import ChannelId, GenerationId, GuildId, IdMaker, KieTaskId, MessageId, TaskId, UserId
from bot.domain.ports import Progress, TaskReport
from bot.domain.settings import Settings
from bot.store.store import Store, Transaction
from tests.bench import payloads
from tests.bench.kie_load import running_id
from tests.bench.takes import Takes
from tests.bench.volley import Command
from tests.factories import make_destination, make_generation, make_request

_PER_TRANSACTION: Final = 500
_FIRST_MEMBER: Final = payloads.FIRST_MEMBER_ID + 500_000
"""Above those who send a command during a benchmark."""
_DEADLINE: Final = timedelta(hours=10)
_TOKEN_LIVES: Final = timedelta(minutes=15)
_LEARNED: Final = 200
_ALMOST_ALL: Final = 0.9999


@dataclass(frozen=True, slots=True)
class Open:
    """One open task: when KIE took it and when it will be done, in Unix seconds."""

    number: int
    submitted: float
    done: float


def steady(rate: float, takes: Takes, at: float) -> list[Open]:
    """The tasks that are open at a moment when ``rate`` a second have come for long: on average rate x mean.

    As many of them end in each second as come in each.
    """
    durations = itertools.islice(takes.evenly(), int(rate * takes.at(_ALMOST_ALL)) + 1)
    arrived = ((at - (n + 0.5) / rate, seconds) for n, seconds in enumerate(durations))
    return [Open(n, then, then + seconds) for n, (then, seconds) in enumerate(arrived) if then + seconds > at]


async def learned(store: Store, takes: Takes, settings: Settings, references: tuple[Reference, ...] = ()) -> None:
    """Write two hundred tasks of one kind down that have ended, so that it is known how long they take."""
    write = _Writer.now(settings, references)
    past = list(itertools.islice(takes.evenly(), _LEARNED))
    random.Random(1).shuffle(past)
    ended = write.at.timestamp()
    async with store.write() as tx:
        for number, seconds in enumerate(past):
            await write.delivered(tx, Open(-1 - number, ended - seconds, ended))


async def put(store: Store, tasks: Sequence[Open], settings: Settings) -> dict[str, Command]:
    """Write the tasks down as RUNNING, each of a member of its own; their tokens, as commands to be answered.

    They come in the order of the tasks.
    """
    write = _Writer.now(settings)
    tokens: dict[str, Command] = {}
    for first in range(0, len(tasks), _PER_TRANSACTION):
        async with store.write() as tx:
            for one in tasks[first : first + _PER_TRANSACTION]:
                generation = await write.running(tx, one)
                tokens[_token(generation)] = Command(b"", 0.0, generation.request.account.user_id)
    return tokens


@dataclass(frozen=True, slots=True)
class _Writer:
    settings: Settings
    references: tuple[Reference, ...]
    new_id: Callable[[], int]
    at: datetime

    @classmethod
    def now(cls, settings: Settings, references: tuple[Reference, ...] = ()) -> Self:
        """With ids of this moment, which no other moment's repeat."""
        at = datetime.now(UTC)
        return cls(settings, references, IdMaker(lambda: at, start=1), at)

    async def running(self, tx: Transaction, one: Open) -> Generation:
        submitted = datetime.fromtimestamp(one.submitted, UTC)
        generation = self._generation(one)
        (task,) = generation.tasks
        await tx.generations.add(generation)
        await tx.ledger.reserve(
            generation.request.account, generation.id, {task.id: ZERO}, generation.unit_price, submitted
        )
        await tx.tasks.submitting(task.id, submitted + _DEADLINE)
        kie = KieTaskId(running_id(one.number, one.submitted, one.done))
        await tx.tasks.running(task.id, kie, submitted, submitted + _DEADLINE)
        return generation

    async def delivered(self, tx: Transaction, one: Open) -> None:
        generation = await self.running(tx, one)
        task: Task = generation.tasks[0]
        url, seconds = "https://tempfile.example/a.png", one.done - one.submitted
        await tx.tasks.ready(task.id, TaskReport(Progress.SUCCEEDED, result_url=url, seconds=seconds), self.at)
        await tx.tasks.delivered([await tx.tasks.get(task.id)], self.at)
        await tx.generations.set_delivery(generation.id, Delivery.DONE)

    def _generation(self, one: Open) -> Generation:
        identifier, task_id = GenerationId(self.new_id()), TaskId(self.new_id())
        member = UserId(_FIRST_MEMBER + one.number)
        destination = make_destination(
            channel_id=ChannelId(int(payloads.CHANNEL_IDS[0])),
            token=InteractionToken(int(payloads.APPLICATION_ID), f"t{identifier}", self.at + _TOKEN_LIVES),
            message_id=MessageId(identifier + 1),
        )
        asker = Requester(Account(member, GuildId(int(payloads.GUILD_ID))))
        request = make_request(
            requester=asker, destination=destination, settings=self.settings, references=self.references
        )
        made = make_generation(id=identifier, created_at=self.at, request=request)
        return replace(made, tasks=tuple(replace(task, id=task_id) for task in made.tasks))


def _token(generation: Generation) -> str:
    token = generation.request.destination.token
    return token.value if token else ""
