"""Puts tasks into a database that KIE is at work on, as an earlier process of the bot would have left them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.domain.credits import NOTHING, Account, Asker
from bot.domain.generation import Delivery, Generation, InteractionToken, Task
from bot.domain.ids import ChannelId, GenerationId, GuildId, IdMaker, KieTaskId, MessageId, TaskId, UserId
from bot.domain.ports import Progress, Report
from bot.store.store import Store, Transaction
from tests.bench import payloads
from tests.bench.kie_load import running_id
from tests.bench.volley import Command
from tests.factories import make_destination, make_generation, make_request

_PER_TRANSACTION: Final = 500
_MEMBERS: Final = 1000
_DEADLINE: Final = timedelta(minutes=10)
_SUBMITTED_WITHIN: Final = 30.0
_TOKEN_LIVES: Final = timedelta(minutes=15)
_LEARNED: Final = 200


@dataclass(frozen=True, slots=True)
class Open:
    """One open task: when KIE took it and when it will be done, in Unix seconds."""

    number: int
    submitted: float
    done: float


def planned(count: int, begin: float, spread: float) -> list[Open]:
    """So many tasks, taken before ``begin`` and done evenly over the ``spread`` seconds after it."""
    dice = random.Random(count)
    return [
        Open(n, begin - dice.uniform(1, 2) * _SUBMITTED_WITHIN, begin + spread * (n + 0.5) / count)
        for n in range(count)
    ]


async def put(store: Store, tasks: Sequence[Open]) -> dict[str, Command]:
    """Write the tasks down as RUNNING, each of a generation of its own; their tokens, as commands to be answered.

    The last two hundred durations are also there to be learned from.
    """
    now = datetime.now(UTC)
    new_id = IdMaker(lambda: now, start=1)
    tokens: dict[str, Command] = {}
    for first in range(0, len(tasks), _PER_TRANSACTION):
        async with store.write() as tx:
            for one in tasks[first : first + _PER_TRANSACTION]:
                generation = await _running(tx, one, new_id)
                tokens[_token(generation)] = Command(b"", 0.0, generation.request.account.user_id)
    dice = random.Random(1)
    async with store.write() as tx:
        for number in range(min(len(tasks), 1) * _LEARNED):
            await _delivered(tx, replace(dice.choice(tasks), number=-1 - number), new_id)
    return tokens


async def _running(tx: Transaction, one: Open, new_id: Callable[[], int]) -> Generation:
    submitted = datetime.fromtimestamp(one.submitted, UTC)
    generation = _generation(one, new_id, datetime.now(UTC))
    (task,) = generation.tasks
    await tx.generations.add(generation)
    await tx.ledger.reserve(
        generation.request.account, generation.id, {task.id: NOTHING}, generation.unit_price, submitted
    )
    await tx.tasks.submitting(task.id, submitted + _DEADLINE)
    kie = KieTaskId(running_id(one.number, one.submitted, one.done))
    await tx.tasks.running(task.id, kie, submitted, submitted + _DEADLINE)
    return generation


async def _delivered(tx: Transaction, one: Open, new_id: Callable[[], int]) -> None:
    generation = await _running(tx, one, new_id)
    task: Task = generation.tasks[0]
    now = datetime.now(UTC)
    report = Report(Progress.SUCCEEDED, result_url="https://tempfile.example/a.png", seconds=one.done - one.submitted)
    await tx.tasks.ready(task.id, report, now)
    await tx.tasks.delivered([await tx.tasks.get(task.id)], now)
    await tx.generations.set_delivery(generation.id, Delivery.DONE)


def _generation(one: Open, new_id: Callable[[], int], now: datetime) -> Generation:
    identifier, task_id = GenerationId(new_id()), TaskId(new_id())
    account = Account(UserId(payloads.FIRST_MEMBER_ID + abs(one.number) % _MEMBERS), GuildId(int(payloads.GUILD_ID)))
    destination = make_destination(
        channel_id=ChannelId(int(payloads.CHANNEL_IDS[0])),
        token=InteractionToken(int(payloads.APPLICATION_ID), f"t{identifier}", now + _TOKEN_LIVES),
        message_id=MessageId(identifier + 1),
    )
    made = make_generation(
        id=identifier, created_at=now, request=make_request(asker=Asker(account), destination=destination)
    )
    return replace(made, tasks=tuple(replace(task, id=task_id) for task in made.tasks))


def _token(generation: Generation) -> str:
    token = generation.request.destination.token
    return token.value if token else ""
