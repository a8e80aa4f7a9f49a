"""Every use that members, admins, the operator and a start make of the store, for `tests.bench.history`."""

import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.domain import ids
from bot.domain.credit_requests import CreditRequest
from bot.domain.credits import KIE_PRICES, ZERO, Allowance, Credits, Period, PriceList, Requester, period_around
from bot.domain.generation import Delivery, Draft, Generation, Image, Origin, PendingCard
from bot.domain.ledger import RuleRemoved
from bot.domain.rules import Rule, Scope
from bot.domain.states import OPEN, Failure, TaskState
from bot.generation.history import History
from bot.generation.status import ACCOUNT_DAYS
from bot.quota.costs import CostHistory
from bot.quota.policy import QuotaLimits, QuotaPolicy
from bot.quota.service import Change, QuotaService
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store, Transaction
from tests.bench.past import NOW
from tests.factories import ALICE, make_destination, make_generation, make_request
from tests.store.services import SetClock
from tests.store.stored import DEADLINE, RESULT, bring, keep

_ALICE: Final = Requester(ALICE, frozenset({ids.RoleId(1), ids.RoleId(2), ids.RoleId(3)}))
_ALL_MONTH: Final = Allowance(Credits(1_000_000), Period.MONTH)
_LIMITS: Final = QuotaLimits(members=_ALL_MONTH, direct=_ALL_MONTH, budget=_ALL_MONTH, servers=_ALL_MONTH)
_ADMIN: Final = ids.UserId(9)
_CHANGE: Final = Change(ALICE.guild_id, _ADMIN, "because")
_THIS_MONTH: Final = 40
"""Generations that Alice has made."""
_CHANNEL: Final = ids.ChannelId(5)
_MESSAGE: Final = ids.MessageId(6)
_DRAFT: Final = Draft(ids.DraftId(1), ALICE.user_id, NOW, Origin(_CHANNEL, _MESSAGE), ())
_PENDING_CARD: Final = PendingCard(
    ids.PendingCardId(1), ALICE.user_id, NOW, make_destination(message_id=ids.MessageId(77))
)


class _RollBack(Exception):
    """Raised to end a transaction."""


@dataclass(frozen=True, slots=True)
class BenchStore:
    """A store with the present that every store of the benchmark has, whatever its past, and the services over it."""

    store: Store
    policy: QuotaPolicy
    quotas: QuotaService
    history: History
    costs: CostHistory
    new_id: Callable[[], int]
    delivered: Generation
    """Alice's last one, which is an edit."""
    reserved: Generation
    running: Generation
    request: CreditRequest
    now: datetime

    @classmethod
    async def fill(cls, store: Store, now: datetime = NOW) -> "BenchStore":
        """Add rules, what Alice made this month, and her request for credits."""
        minutes, clock = itertools.count(), SetClock(now)
        new_id = ids.IdMaker(lambda: now - timedelta(days=1) + timedelta(minutes=next(minutes)), start=1)
        runtime = Runtime(store, clock, BackgroundTasks("background", grace=0), new_id)
        policy = QuotaPolicy(clock, PriceList(KIE_PRICES), _LIMITS)
        quotas = QuotaService(runtime, policy)
        await quotas.put_rule(_CHANGE, Rule(Scope.ROLE, 2, Allowance(Credits(50_000), Period.MONTH)))
        await quotas.put_rule(_CHANGE, Rule(Scope.POOL, 0, Allowance(Credits(900_000), Period.MONTH)))
        await quotas.grant(_CHANGE, ALICE.user_id, Credits(100))
        states = [*[TaskState.DELIVERED] * _THIS_MONTH, TaskState.RESERVED, TaskState.RUNNING]
        generations = [await _add(store, new_id, state, now) for state in states]
        first, (last, reserved, running) = generations[0], generations[-3:]
        request = CreditRequest(ids.CreditRequestId(new_id()), ALICE, now, _CHANNEL)
        async with store.write() as tx:
            original = _image(first, "a.png")
            await tx.images.add([original, replace(_image(last, "b.png"), parent_id=original.id)])
            await tx.credit_requests.add(request)
        history, costs = History(runtime), CostHistory(ACCOUNT_DAYS)
        return cls(store, policy, quotas, history, costs, new_id, last, reserved, running, request, now)


def _image(generation: Generation, filename: str, message_id: ids.MessageId = _MESSAGE) -> Image:
    return Image(
        ids.ImageId(generation.tasks[0].id), generation.id, None, _CHANNEL, message_id, filename, generation.created_at
    )


def _generation(new_id: Callable[[], int], now: datetime) -> Generation:
    made = make_generation(request=make_request(requester=_ALICE, destination=make_destination(message_id=_MESSAGE)))
    generation = replace(made, id=new_id(), created_at=now)
    (task,) = made.tasks
    return replace(generation, tasks=(replace(task, id=new_id(), generation_id=generation.id, created_at=now),))


async def _add(store: Store, new_id: Callable[[], int], state: TaskState, now: datetime) -> Generation:
    generation = await keep(store, _generation(new_id, now))
    async with store.write() as tx:
        await bring(tx, generation.tasks[0], state, now)
        if state is TaskState.DELIVERED:
            await tx.generations.set_delivery(generation.id, Delivery.DONE)
        return await tx.generations.get(generation.id) or generation


async def _accept(bench: BenchStore) -> None:
    """As the generation service does it; the only path whose changes stay."""
    generation = _generation(bench.new_id, bench.now)
    async with bench.store.write() as tx:
        await tx.generations.open_count(ALICE.user_id)
        await bench.policy.authorize(tx, generation.request)
        await tx.generations.add(generation)
        await tx.ledger.reserve(ALICE, generation.id, {generation.tasks[0].id: ZERO}, generation.unit_price, bench.now)


async def _balance(bench: BenchStore, tx: Transaction) -> None:
    await bench.policy.member_quota(tx, _ALICE)
    await tx.ledger.recent(ALICE, 8)


async def _whole_life(bench: BenchStore, tx: Transaction) -> None:
    generation, (task,) = bench.reserved, bench.reserved.tasks
    await tx.tasks.submitting(task.id, DEADLINE)
    await tx.generations.of_task(task.id)
    await tx.tasks.running(task.id, ids.KieTaskId("another"), bench.now, DEADLINE)
    await tx.tasks.ready(task.id, RESULT, bench.now)
    await tx.tasks.delivered([await tx.tasks.get(task.id)], bench.now)
    await tx.generations.set_delivery(generation.id, Delivery.DONE)
    await tx.images.add([_image(generation, "c.png", ids.MessageId(7))])
    await tx.generations.set_message(generation.id, ids.MessageId(7))


async def _end_late(bench: BenchStore, tx: Transaction) -> None:
    (task,) = bench.running.tasks
    await tx.tasks.overdue(task.id, bench.now, DEADLINE)
    await tx.tasks.ready(task.id, RESULT, bench.now)


async def _request_credits(bench: BenchStore, tx: Transaction) -> None:
    await tx.rules.settings(ALICE.guild_id)
    await tx.credit_requests.expire(ALICE, bench.now)
    await tx.credit_requests.open_of(ALICE)
    await tx.credit_requests.close(bench.request.id, bench.request.state)
    await bench.policy.member_quota(tx, _ALICE)


async def _report_file(bench: BenchStore) -> None:
    report = await bench.quotas.report(ALICE.guild_id, Period.MONTH)
    await bench.quotas.report_csv(ALICE.guild_id, report, {})


StorePath = Callable[[BenchStore], Awaitable[object]]
PathInTransaction = Callable[[BenchStore, Transaction], Awaitable[object]]


def _reading(path: PathInTransaction) -> StorePath:
    async def read(bench: BenchStore) -> None:
        async with bench.store.read() as tx:
            await path(bench, tx)

    return read


def _rolled_back(path: PathInTransaction) -> StorePath:
    async def write(bench: BenchStore) -> None:
        with contextlib.suppress(_RollBack):
            async with bench.store.write() as tx:
                await path(bench, tx)
                raise _RollBack

    return write


_UPLOAD: Final = ("ab" * 32, "https://kie.example/a")
_SERVICE_CALLS: Final[dict[str, StorePath]] = {
    "/imagine: accept and commit": _accept,
    "button: generation of a message": lambda bench: bench.history.shown_in(
        _MESSAGE, bench.delivered.id, ALICE.user_id
    ),
    "/quota show": lambda bench: bench.quotas.overview(_ALICE),
    "/quota log": lambda bench: bench.quotas.log_page(ALICE.guild_id, None, 0),
    "/quota log, page 3": lambda bench: bench.quotas.log_page(ALICE.guild_id, None, 3),
    "/quota log, last page": lambda bench: bench.quotas.log_page(ALICE.guild_id, None, 10_000),
    "/quota log of a member": lambda bench: bench.quotas.log_page(ALICE.guild_id, ALICE.user_id, 0),
    "/quota log of a member, page 3": lambda bench: bench.quotas.log_page(ALICE.guild_id, ALICE.user_id, 3),
    "/quota report day": lambda bench: bench.quotas.report(ALICE.guild_id, Period.DAY),
    "/quota report month": lambda bench: bench.quotas.report(ALICE.guild_id, Period.MONTH),
    "/quota report month, its file": _report_file,
    "/quota settings": lambda bench: bench.quotas.settings(ALICE.guild_id),
}
_READS: Final[dict[str, PathInTransaction]] = {
    "/imagine: quota": lambda bench, tx: bench.policy.authorize(tx, bench.reserved.request),
    "/balance": _balance,
    "card: quota": lambda bench, tx: bench.policy.member_quota(tx, _ALICE),
    "line of edits": lambda bench, tx: tx.images.lineage(ids.ImageId(bench.delivered.tasks[0].id)),
    "image: find upload": lambda bench, tx: tx.uploads.find(_UPLOAD[0], bench.now, bench.now),
    "ops: first task": lambda _, tx: tx.costs.first_task_at(),
    "ops: open tasks": lambda _, tx: tx.costs.open_tasks(),
    "ops: orphans": lambda _, tx: tx.tasks.orphans(),
    "ops: spent today": lambda bench, tx: tx.ledger.total_spent(period_around(Period.DAY, bench.now)),
    "ops: costs of 30 days": lambda bench, tx: bench.costs.days(tx, bench.now),
    "start: open tasks": lambda _, tx: tx.tasks.in_states(OPEN | {TaskState.OVERDUE}),
    "start: recent durations": lambda _, tx: tx.tasks.recent_durations(_THIS_MONTH),
    "start: unfinished": lambda _, tx: tx.generations.unfinished(),
    "start: late images": lambda _, tx: tx.generations.with_late_images(),
    "start: recently submitted": lambda bench, tx: tx.tasks.submitted_since(
        bench.now - timedelta(seconds=10), bench.now
    ),
    "start: pending cards": lambda _, tx: tx.generations.accepted(_PENDING_CARD),
    "start: pending notifications": lambda _, tx: tx.credit_requests.pending_notifications(),
    "start: undelivered": lambda _, tx: tx.undelivered.all(),
    "start: key values": lambda _, tx: tx.key_values.get("commands.synced"),
}
_WRITES: Final[dict[str, PathInTransaction]] = {
    "button: cancel": lambda bench, tx: tx.tasks.cancel(bench.reserved.id, bench.now),
    "modal: draft": lambda _, tx: tx.drafts.add(_DRAFT),
    "image: remember upload": lambda bench, tx: tx.uploads.remember(*_UPLOAD, bench.now),
    "task: from queue to post": _whole_life,
    "task: failed": lambda bench, tx: tx.tasks.fail(bench.running.tasks[0].id, Failure.BROKEN, bench.now),
    "task: late": _end_late,
    "/quota rule": lambda bench, tx: tx.ledger.record_change(ALICE, _ADMIN, RuleRemoved(Scope.SERVER, 0), bench.now),
    "/quota grant": lambda bench, tx: tx.ledger.grant(ALICE, Credits(5), _ADMIN, "because", bench.now),
    "/quota reset": lambda bench, tx: tx.ledger.reset(ALICE, _ADMIN, "because", bench.now),
    "request for credits": _request_credits,
}
PATHS: Final[Mapping[str, StorePath]] = {
    **_SERVICE_CALLS,
    **{name: _reading(path) for name, path in _READS.items()},
    **{name: _rolled_back(path) for name, path in _WRITES.items()},
}
"""By name; each can be taken any number of times."""
