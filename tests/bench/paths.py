"""Every way into the store that members, admins, the operator and a start use, as `tests.bench.history` takes them."""

import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.domain.credit_requests import CreditRequest
from bot.domain.credits import (
    KIE_PRICES,
    ZERO,
    Allowance,
    Credits,
    LedgerEntry,
    Period,
    PriceList,
    Requester,
    period_around,
)
from bot.domain.generation import Delivery, Draft, Generation, Image, Origin, PendingCard
from bot.domain.ids import (
    ChannelId,
    CreditRequestId,
    DraftId,
    GuildId,
    IdMaker,
    ImageId,
    KieTaskId,
    MessageId,
    PendingCardId,
    RoleId,
    UserId,
)
from bot.domain.rules import Rule, Scope
from bot.domain.states import OPEN, Failure, TaskState
from bot.generation.history import History
from bot.generation.status import ACCOUNT_DAYS
from bot.quota.costs import CostHistory
from bot.quota.credit_requests import CreditRequests
from bot.quota.policy import QuotaPolicy
from bot.quota.service import Change, QuotaService
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store, Transaction
from tests.bench.past import ALICE, NOW, OURS
from tests.factories import limits_of, make_destination, make_generation, make_request
from tests.store.stored import DEADLINE, RESULT, bring

ASKER: Final = Requester(ALICE, frozenset({RoleId(1), RoleId(2), RoleId(3)}))
ADMIN: Final = UserId(9)
_THIS_MONTH: Final = 40
_WEEK: Final = timedelta(days=7)
_MOVEMENTS: Final = 8


class _Undo(Exception):
    """Whatever was written is taken back."""


@dataclass(frozen=True, slots=True)
class Clock:
    """It stands still."""

    at: datetime = NOW

    def now(self) -> datetime:
        """The moment at which the past ends."""
        return self.at


@dataclass(frozen=True, slots=True)
class Desk:
    """A store, and what is asked about in it: the same in every store, whatever its past."""

    store: Store
    policy: QuotaPolicy
    quotas: QuotaService
    history: History
    asking: CreditRequests
    accounting: CostHistory
    new_id: Callable[[], int]
    delivered: Generation
    """The last of Alice's that is done, edited once."""
    reserved: Generation
    running: Generation
    request: CreditRequest

    async def undone(self, work: Callable[[Transaction], Awaitable[object]]) -> None:
        """Do something in a transaction that is then taken back."""
        with contextlib.suppress(_Undo):
            async with self.store.write() as tx:
                await work(tx)
                raise _Undo

    async def read(self, work: Callable[[Transaction], Awaitable[object]]) -> None:
        """Look something up."""
        async with self.store.read() as tx:
            await work(tx)


async def furnish(store: Store) -> Desk:
    """Let this month have begun: generations of Alice's, some of them open, rules, and a request for more."""
    minutes = itertools.count()
    new_id = IdMaker(lambda: NOW - timedelta(days=1) + timedelta(minutes=next(minutes)), start=1)
    runtime = Runtime(store, Clock(), BackgroundTasks("background", grace=0), new_id)
    policy = QuotaPolicy(Clock(), PriceList(KIE_PRICES), limits_of(Allowance(Credits(100_000), Period.DAY)))
    quotas = QuotaService(runtime, policy)
    change = Change(OURS, ADMIN, "because")
    for rule in (
        Rule(Scope.ROLE, 2, Allowance(Credits(50_000), Period.MONTH)),
        Rule(Scope.POOL, 0, Allowance(Credits(900_000), Period.MONTH)),
    ):
        await quotas.put_rule(change, rule)
    await quotas.grant(change, ALICE.user_id, Credits(100))
    done = [await _keep(store, new_id, TaskState.DELIVERED) for _ in range(_THIS_MONTH)]
    last = done[-1]
    edited = Image(
        ImageId(last.tasks[0].id), last.id, ImageId(done[0].tasks[0].id), ChannelId(5), MessageId(6), "b.png", NOW
    )
    first = Image(ImageId(done[0].tasks[0].id), done[0].id, None, ChannelId(5), MessageId(5), "a.png", NOW)
    request = CreditRequest(CreditRequestId(new_id()), ALICE, NOW, ChannelId(5))
    async with store.write() as tx:
        await tx.images.add([first, edited])
        await tx.credit_requests.add(request)
    reserved, running = [await _keep(store, new_id, state) for state in (TaskState.RESERVED, TaskState.RUNNING)]
    return Desk(
        store,
        policy,
        quotas,
        History(runtime),
        CreditRequests(runtime, policy),
        CostHistory(ACCOUNT_DAYS),
        new_id,
        last,
        reserved,
        running,
        request,
    )


async def _keep(store: Store, new_id: Callable[[], int], state: TaskState) -> Generation:
    generation = _wish(new_id)
    async with store.write() as tx:
        await _reserve(tx, generation)
        await bring(tx, generation.tasks[0], state)
        if state is TaskState.DELIVERED:
            await tx.generations.set_delivery(generation.id, Delivery.DONE)
        found = await tx.generations.get(generation.id)
    return found or generation


def _wish(new_id: Callable[[], int]) -> Generation:
    made = make_generation(request=make_request(requester=ASKER, destination=make_destination(message_id=MessageId(6))))
    generation = replace(made, id=new_id(), created_at=NOW)
    (task,) = made.tasks
    return replace(generation, tasks=(replace(task, id=new_id(), generation_id=generation.id, created_at=NOW),))


async def _reserve(tx: Transaction, generation: Generation) -> None:
    await tx.generations.add(generation)
    parts = {task.id: ZERO for task in generation.tasks}
    await tx.ledger.reserve(ALICE, generation.id, parts, generation.unit_price, NOW)


async def _accept(desk: Desk) -> None:
    """As `Generations.accept` does it, and kept."""
    generation = _wish(desk.new_id)
    async with desk.store.write() as tx:
        await tx.generations.open_count(ALICE.user_id)
        await desk.policy.authorize(tx, generation.request)
        await _reserve(tx, generation)


async def _statement(desk: Desk) -> None:
    async def look(tx: Transaction) -> list[LedgerEntry]:
        await desk.policy.member_quota(tx, ASKER)
        return await tx.ledger.recent(ALICE, _MOVEMENTS)

    await desk.read(look)


async def _life(desk: Desk) -> None:
    """From being handed over to being posted."""
    (task,) = desk.reserved.tasks

    async def live(tx: Transaction) -> None:
        await tx.tasks.submitting(task.id, DEADLINE)
        await tx.generations.of_task(task.id)
        await tx.tasks.running(task.id, KieTaskId("another"), NOW, DEADLINE)
        await tx.tasks.ready(task.id, RESULT, NOW)
        await tx.tasks.delivered([await tx.tasks.get(task.id)], NOW)
        await tx.generations.set_delivery(desk.reserved.id, Delivery.DONE)
        image = Image(ImageId(task.id), desk.reserved.id, None, ChannelId(5), MessageId(7), "c.png", NOW)
        await tx.images.add([image])
        await tx.generations.set_message(desk.reserved.id, MessageId(7))

    await desk.undone(live)


async def _failure(desk: Desk) -> None:
    (task,) = desk.running.tasks
    await desk.undone(lambda tx: tx.tasks.fail(task.id, Failure.BROKEN, NOW))


async def _late(desk: Desk) -> None:
    (task,) = desk.running.tasks

    async def late(tx: Transaction) -> None:
        await tx.tasks.overdue(task.id, NOW, DEADLINE)
        await tx.tasks.ready(task.id, RESULT, NOW)

    await desk.undone(late)


async def _ask(desk: Desk) -> None:
    async def ask(tx: Transaction) -> None:
        await tx.rules.settings(OURS)
        await tx.credit_requests.expire(ALICE, NOW)
        await tx.credit_requests.open_of(ALICE)
        await tx.credit_requests.close(desk.request.id, desk.request.state)
        await desk.policy.member_quota(tx, ASKER)

    await desk.undone(ask)


def _opening(desk: Desk) -> PendingCard:
    destination = make_destination(message_id=MessageId(77))
    return PendingCard(PendingCardId(desk.new_id()), ALICE.user_id, NOW, destination)


_DRAFT: Final = Draft(DraftId(1), ALICE.user_id, NOW, Origin(ChannelId(5), MessageId(6)), ())
_CHANGE: Final = Change(GuildId(OURS), ADMIN, "because")
_DAY: Final = period_around(Period.DAY, NOW)

PATHS: Final[Mapping[str, Callable[[Desk], Awaitable[object]]]] = {
    "/imagine: accept and commit": _accept,
    "/imagine: refusal by means": lambda desk: desk.read(lambda tx: desk.policy.authorize(tx, desk.reserved.request)),
    "/balance": _statement,
    "button: cancel": lambda desk: desk.undone(lambda tx: tx.tasks.cancel(desk.reserved.id, NOW)),
    "button: what a message shows": lambda desk: desk.history.shown_in(MessageId(6), desk.delivered.id),
    "line of edits": lambda desk: desk.read(lambda tx: tx.images.lineage(ImageId(desk.delivered.tasks[0].id))),
    "modal: draft": lambda desk: desk.undone(lambda tx: tx.drafts.add(_DRAFT, forget_before=NOW - _WEEK)),
    "picture: upload known": lambda desk: desk.read(lambda tx: tx.uploads.find("ab" * 32, NOW)),
    "picture: upload noted": lambda desk: desk.undone(
        lambda tx: tx.uploads.remember("ab" * 32, "https://kie.example/a", NOW, forget_before=NOW - _WEEK)
    ),
    "a task from line to post": _life,
    "a task that fails": _failure,
    "a task that is late": _late,
    "card: generation and balance": lambda desk: desk.read(lambda tx: desk.policy.member_quota(tx, ASKER)),
    "/quota show": lambda desk: desk.quotas.overview(ASKER),
    "/quota log": lambda desk: desk.quotas.log_page(OURS, None, 0),
    "/quota log, page 3": lambda desk: desk.quotas.log_page(OURS, None, 3),
    "/quota log of a member": lambda desk: desk.quotas.log_page(OURS, ALICE.user_id, 0),
    "/quota log of a member, page 3": lambda desk: desk.quotas.log_page(OURS, ALICE.user_id, 3),
    "/quota report day": lambda desk: desk.quotas.report(OURS, Period.DAY),
    "/quota report month": lambda desk: desk.quotas.report(OURS, Period.MONTH),
    "/quota rule": lambda desk: desk.undone(lambda tx: tx.ledger.record_change(ALICE, ADMIN, "because", NOW)),
    "/quota grant": lambda desk: desk.undone(lambda tx: tx.ledger.grant(ALICE, Credits(5), ADMIN, "because", NOW)),
    "/quota reset": lambda desk: desk.undone(lambda tx: tx.ledger.reset(ALICE, ADMIN, "because", NOW)),
    "/quota settings": lambda desk: desk.quotas.settings(_CHANGE.guild_id),
    "request for more": _ask,
    "ops: first task": lambda desk: desk.read(lambda tx: tx.costs.first_task_at()),
    "ops: open tasks": lambda desk: desk.read(lambda tx: tx.costs.open_tasks()),
    "ops: orphans": lambda desk: desk.read(lambda tx: tx.tasks.orphans()),
    "ops: spent today": lambda desk: desk.read(lambda tx: tx.ledger.total_spent(_DAY)),
    "ops: accounts of 30 days": lambda desk: desk.read(lambda tx: desk.accounting.days(tx, NOW)),
    "start: open tasks": lambda desk: desk.read(lambda tx: tx.tasks.in_states(OPEN | {TaskState.OVERDUE})),
    "start: recent durations": lambda desk: desk.read(lambda tx: tx.tasks.recent_durations(_THIS_MONTH)),
    "start: unfinished": lambda desk: desk.read(lambda tx: tx.generations.unfinished()),
    "start: late images": lambda desk: desk.read(lambda tx: tx.generations.with_late_images()),
    "start: submitted lately": lambda desk: desk.read(lambda tx: tx.tasks.submitted_since(NOW - timedelta(seconds=10))),
    "start: opened cards": lambda desk: desk.read(lambda tx: tx.generations.accepted(_opening(desk))),
    "start: untold requests": lambda desk: desk.read(lambda tx: tx.credit_requests.pending_notifications()),
    "start: undelivered": lambda desk: desk.read(lambda tx: tx.undelivered.all()),
    "start: facts": lambda desk: desk.read(lambda tx: tx.key_values.get("commands.synced")),
}
"""By name, and each many times over: what is written is taken back, but for what is accepted."""
