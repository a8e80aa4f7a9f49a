"""What is old is deleted or folded, part by part; nothing that is open is, and every balance stays."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bot.domain.credit_requests import CreditRequest, CreditRequestState
from bot.domain.credits import Account, Allowance, Credits, Period, Span, period_around
from bot.domain.generation import Delivery, Draft, Generation, Image, Origin, Reference
from bot.domain.ids import (
    ChannelId,
    CreditRequestId,
    DraftId,
    GenerationId,
    ImageId,
    MessageId,
    TaskId,
    UserId,
    first_snowflake,
)
from bot.domain.ledger import RequestDenied, RuleSet
from bot.domain.rules import Rule, Scope
from bot.domain.states import Failure, TaskState
from bot.store.audit import audit, repair
from bot.store.retention import RetentionRepository
from bot.store.store import Store, Transaction
from tests.database import execute, fresh_database
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import RESULT, bring

ADMIN = UserId(9)
DAY = timedelta(days=1)
CUTOFF = NOW - 100 * DAY
OLD, YOUNG = CUTOFF - DAY, CUTOFF + DAY
FIRST = GenerationId(0)
_numbers = count(1)


async def made(
    store: Store,
    at: datetime,
    *states: TaskState,
    account: Account = ALICE,
    bonus: int = 0,
    ended: bool = True,
) -> Generation:
    """A generation of that time with a reference, whose tasks have come to these states."""
    number = first_snowflake(at) + 1000 * next(_numbers)
    request = make_request(account=account, references=(Reference("https://kie/a.png", "me.png", "ab" * 32),))
    generation = make_generation(
        id=GenerationId(number), states=[TaskState.RESERVED] * len(states), request=request, created_at=at
    )
    tasks = tuple(
        replace(task, id=TaskId(number + place + 1), generation_id=generation.id)
        for place, task in enumerate(generation.tasks)
    )
    generation = replace(generation, tasks=tasks)
    async with store.write() as tx:
        await tx.generations.add(generation)
        parts = {task.id: Credits(bonus) for task in tasks}
        await tx.ledger.reserve(account, generation.id, parts, generation.unit_price, at)
        for task, state in zip(tasks, states, strict=True):
            await bring(tx, task, state, at)
        if ended:
            await tx.generations.set_delivery(generation.id, Delivery.DONE)
    return generation


def image_of(generation: Generation, parent: ImageId | None = None) -> Image:
    task = generation.tasks[0].id
    return Image(ImageId(task), generation.id, parent, ChannelId(5), MessageId(task), "a.png", generation.created_at)


async def everything(store: Store, handle: Callable[[Transaction], Awaitable[int]]) -> int:
    """Repeat a step until nothing is left for it; how many rows it handled."""
    handled = 0
    while True:
        async with store.write() as tx:
            step = await handle(tx)
        if not step:
            return handled
        handled += step


async def fold(store: Store, before: datetime = CUTOFF, limit: int = 2) -> None:
    await everything(store, lambda tx: tx.retention.fold_old_movements(before, limit))
    await everything(store, lambda tx: tx.retention.fold_old_generations(before, limit))
    await everything(store, lambda tx: tx.retention.fold_old_rewordings(before, limit))


async def balances(store: Store) -> list[Credits]:
    """The bonus that is left, and what was spent in this month and in each year: accounts, all servers, one server."""
    found: list[Credits] = []
    years = [Span(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)) for year in (2024, 2025)]
    spans = [period_around(Period.MONTH, NOW), *years]
    async with store.read() as tx:
        for account in (ALICE, BOB):
            found.append(await tx.ledger.bonus(account))
            found += [await tx.ledger.spent(account, span) for span in spans]
        for guild in (None, ALICE.guild_id):
            found += [await tx.ledger.total_spent(span, guild) for span in spans]
    return found


def findings(folder: Path) -> list[str]:
    return list(audit(fresh_database(folder), NOW))


def rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    return execute(folder, statement)


async def a_past(store: Store) -> None:
    """Old generations that ended in every way, in two years, with bonus credits, resets and changes of a rule."""
    for at in (OLD - 300 * DAY, OLD - 31 * DAY, OLD):
        paid = await made(store, at, TaskState.DELIVERED, TaskState.FAILED, TaskState.CANCELLED, bonus=2)
        late = await made(store, at, TaskState.OVERDUE, TaskState.READY, account=BOB)
        async with store.write() as tx:
            # The bonus is granted after it was used in this year, or before.
            await tx.ledger.grant(ALICE, Credits(6), ADMIN, "welcome", at - 40 * DAY)
            await tx.images.add([image_of(paid)])
            assert await tx.tasks.ready(late.tasks[0].id, RESULT, at)
            await tx.tasks.delivered([await tx.tasks.get(late.tasks[0].id)], at)
            await tx.tasks.fail(late.tasks[1].id, Failure.UNDELIVERABLE, at)
            await tx.ledger.reset(ALICE, ADMIN, "a bad day", at)
            await tx.ledger.grant(ALICE, Credits(6), ADMIN, "sorry", at)
            unseen = await tx.ledger.charge_rewordings(ALICE, Credits(2), Credits(1), at + DAY / 2)
            await tx.ledger.charge_rewordings(ALICE, Credits(3), Credits(2), at + DAY / 2 + DAY / 9)
            await tx.ledger.refund_rewordings(unseen, at + DAY)
            rule = RuleSet(Rule(Scope.SERVER, 0, Allowance(Credits(50), Period.DAY)))
            await tx.ledger.record_change(ALICE, ADMIN, rule, at)


async def open_ones(store: Store) -> list[Generation]:
    """Old generations that have not ended, and two that wait for their member's next command."""
    states = (TaskState.RESERVED, TaskState.SUBMITTING, TaskState.RUNNING, TaskState.OVERDUE)
    found = [await made(store, OLD, state, TaskState.DELIVERED) for state in states]
    found.append(await made(store, OLD, TaskState.READY, ended=False))
    for state in (TaskState.READY, TaskState.FAILED):
        found.append(await made(store, OLD, state))
        async with store.write() as tx:
            await tx.undelivered.add(found[-1].id, ALICE.user_id, OLD)
    return found


async def test_old_movements_become_sums_and_every_balance_stays(store: Store, tmp_path: Path) -> None:
    await a_past(store)
    young = await made(store, YOUNG, TaskState.DELIVERED, bonus=1)
    before = await balances(store)
    # Every half-way state is as sound as the last one.
    for part in (1, 1, 1, 3, 1000):
        async with store.write() as tx:
            await tx.retention.fold_old_movements(CUTOFF, part)
        assert (await balances(store), findings(tmp_path)) == (before, [])
    for part in (1, 1, 2, 1000):
        async with store.write() as tx:
            await tx.retention.fold_old_generations(CUTOFF, part)
        assert (await balances(store), findings(tmp_path)) == (before, [])
    for part in (1, 1, 2, 1000):
        async with store.write() as tx:
            await tx.retention.fold_old_rewordings(CUTOFF, part)
        assert (await balances(store), findings(tmp_path)) == (before, [])
    assert rows(tmp_path, "SELECT id FROM generations") == [(young.id,)]
    assert rows(tmp_path, "SELECT count(*) FROM tasks") == [(1,)]
    movements = (
        "SELECT movement, sum(folded), count(*) FROM ledger WHERE folded > 0 GROUP BY movement ORDER BY movement"
    )
    assert rows(tmp_path, movements) == [
        ("goodwill", 3, 2),
        ("grant", 6, 2),
        ("late", 3, 2),
        ("refund", 9, 5),
        ("reserve", 15, 5),
        ("reset", 1, 1),
        ("rewording", 9, 3),
    ]
    words = (
        "SELECT count(*) FROM ledger WHERE folded > 0 AND (note <> '' OR actor_id IS NOT NULL OR change IS NOT NULL)"
    )
    assert rows(tmp_path, words) == [(0,)]
    repair(fresh_database(tmp_path))
    assert await balances(store) == before
    async with store.write() as tx:
        await tx.ledger.reset(ALICE, ADMIN, "", NOW)
    assert rows(tmp_path, "SELECT max(round) FROM ledger WHERE movement = 'reset'") == [(4,)], "the rounds go on"


async def test_nothing_that_is_open_is_deleted(store: Store, tmp_path: Path) -> None:
    generations = await open_ones(store)
    async with store.write() as tx:
        kept = [await tx.generations.get(generation.id) for generation in generations]
    await fold(store)
    assert await everything(store, lambda tx: tx.retention.forget_old_words(FIRST, CUTOFF, 2)) == 0
    async with store.read() as tx:
        assert [await tx.generations.get(generation.id) for generation in generations] == kept
        assert await tx.retention.first_with_words(FIRST, CUTOFF) == generations[0].id, "they are looked at again"
    assert findings(tmp_path) == []


async def test_words_and_references_go_and_everything_else_stays(store: Store, tmp_path: Path) -> None:
    old, young = await made(store, OLD, TaskState.DELIVERED), await made(store, YOUNG, TaskState.FAILED)
    async with store.read() as tx:
        before = [await tx.generations.get(generation.id) for generation in (old, young)]
    assert await everything(store, lambda tx: tx.retention.forget_old_words(FIRST, CUTOFF, 1)) == 1
    async with store.read() as tx:
        first, second = [await tx.generations.get(generation.id) for generation in (old, young)]
        assert await tx.retention.first_with_words(FIRST, CUTOFF) == first_snowflake(CUTOFF)
    assert before[0] is not None
    destination = replace(before[0].request.destination, token=None)
    forgotten = replace(before[0].request, prompt="", style=None, template=None, references=(), destination=destination)
    assert [first, second] == [replace(before[0], request=forgotten), before[1]]
    assert findings(tmp_path) == []


async def test_old_images_are_forgotten_and_their_edits_stay(store: Store) -> None:
    old = image_of(await made(store, OLD, TaskState.DELIVERED))
    edits = [image_of(await made(store, YOUNG, TaskState.DELIVERED), old.id) for _ in range(2)]
    async with store.write() as tx:
        await tx.images.add([old])
        await tx.images.add(edits)
    assert await everything(store, lambda tx: tx.retention.delete_old_images(CUTOFF, 1)) == 1
    async with store.read() as tx:
        assert await tx.images.in_message(old.message_id) == []
        assert await tx.images.lineage(edits[0].id) == [replace(edits[0], parent_id=None)]


async def test_decided_requests_drafts_and_uploads_go_with_their_age(store: Store, tmp_path: Path) -> None:
    async with store.write() as tx:
        for at in (OLD, YOUNG):
            number = first_snowflake(at)
            for place, state in enumerate(CreditRequestState):
                request = CreditRequest(CreditRequestId(number + place), ALICE, at, ChannelId(1), state)
                account = Account(UserId(200 + place), request.account.guild_id) if at is YOUNG else ALICE
                await tx.credit_requests.add(replace(request, account=account, state=CreditRequestState.OPEN))
                if state is not CreditRequestState.OPEN:
                    await tx.credit_requests.close(request.id, state)
                else:
                    await tx.credit_requests.close(
                        request.id, CreditRequestState.DENIED, RequestDenied(BOB.user_id, ADMIN)
                    )
            await tx.drafts.add(Draft(DraftId(number), ALICE.user_id, at, Origin(ChannelId(1), MessageId(1)), ()))
            await tx.uploads.remember(f"{number}", "https://kie/a", at)
        pending = await tx.credit_requests.pending_notifications()
    for step in (
        RetentionRepository.delete_old_requests,
        RetentionRepository.delete_old_drafts,
        RetentionRepository.delete_old_uploads,
    ):
        await everything(store, lambda tx, step=step: step(tx.retention, CUTOFF, 1))
    first = first_snowflake(YOUNG)
    assert rows(tmp_path, "SELECT id FROM drafts") == [(first,)]
    assert rows(tmp_path, "SELECT digest FROM uploads") == [(f"{first}",)]
    assert rows(tmp_path, f"SELECT count(*) FROM credit_requests WHERE id >= {first}") == [(len(CreditRequestState),)]
    async with store.read() as tx:
        assert await tx.credit_requests.pending_notifications() == pending, "nobody has told these members"
    assert rows(tmp_path, f"SELECT count(*) FROM credit_requests WHERE id < {first}") == [(1,)]
