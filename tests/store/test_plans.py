"""Frequent queries use an index; none scans a growing table."""

import sqlite3
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from bot.domain.credit_requests import CreditRequestState
from bot.domain.credits import Credits, Period, Requester, period_around
from bot.domain.erasure import Erasure, ErasureKind
from bot.domain.generation import Draft, Image, Origin
from bot.domain.ids import (
    ChannelId,
    CreditRequestId,
    DraftId,
    ImageId,
    KieTaskId,
    MessageId,
    ReferenceSetId,
    RoleId,
    StyleId,
    UserId,
)
from bot.domain.image_edits import ImageViewer
from bot.domain.image_history import HistoryFilter
from bot.domain.preferences import Preferences
from bot.domain.rules import Scope
from bot.domain.settings import Model
from bot.domain.states import OPEN, TaskState
from bot.domain.styles import owners
from bot.store.migrate import migrate
from bot.store.store import Store, Transaction
from tests.database import sqlite_only
from tests.factories import ALICE, NOW, make_generation
from tests.store.stored import DEADLINE, RESULT, keep

pytestmark = sqlite_only

GENERATION = make_generation()
OTHER = make_generation()
TASK = GENERATION.tasks[0]
IMAGE = Image(ImageId(TASK.id), GENERATION.id, None, ChannelId(5), MessageId(6), "a.png", NOW)
DRAFT = Draft(DraftId(1), ALICE.user_id, NOW, Origin(ChannelId(5), MessageId(6)), ())
ERASURE = Erasure(ErasureKind.USER, ALICE.user_id, NOW, through=1 << 62)
VIEWER = ImageViewer(ALICE.user_id, frozenset({ChannelId(5), ChannelId(7)}))
OWN = HistoryFilter(ALICE.user_id)
MONTH = period_around(Period.MONTH, NOW)
OWNERS = owners(ALICE)

HOT: dict[str, Callable[[Transaction], Awaitable[object]]] = {
    "a member's open generations": lambda tx: tx.generations.open_count(ALICE.user_id),
    "a member's spending": lambda tx: tx.ledger.spent(ALICE, MONTH),
    "a member's recent movements": lambda tx: tx.ledger.recent(ALICE, 8),
    "a server's spending": lambda tx: tx.ledger.total_spent(MONTH, ALICE.guild_id),
    "all spending": lambda tx: tx.ledger.total_spent(MONTH),
    "a member's bonus": lambda tx: tx.ledger.bonus(ALICE),
    "a server's ledger": lambda tx: tx.ledger.page(ALICE.guild_id, None, 20, 11),
    "a member's ledger": lambda tx: tx.ledger.page(ALICE.guild_id, ALICE.user_id, 20, 11),
    "a manager's grants": lambda tx: tx.ledger.granted_by(UserId(9), ALICE.guild_id, MONTH),
    "a reservation": lambda tx: tx.ledger.reserve(ALICE, OTHER.id, {OTHER.tasks[0].id: Credits(0)}, Credits(5), NOW),
    "a reset": lambda tx: tx.ledger.reset(ALICE, UserId(9), "because", NOW),
    "rules for a requester": lambda tx: tx.rules.for_requester(Requester(ALICE, frozenset({RoleId(1), RoleId(2)}))),
    "a rule": lambda tx: tx.rules.get(ALICE.guild_id, Scope.POOL),
    "removing a rule": lambda tx: tx.rules.remove(ALICE.guild_id, Scope.ROLE, 7),
    "a server's settings": lambda tx: tx.rules.settings(ALICE.guild_id),
    "a member's open request": lambda tx: tx.credit_requests.open_of(ALICE),
    "a request": lambda tx: tx.credit_requests.get(CreditRequestId(1)),
    "closing a request": lambda tx: tx.credit_requests.close(CreditRequestId(1), CreditRequestState.DENIED),
    "expiring a request": lambda tx: tx.credit_requests.expire(ALICE, NOW),
    "tasks in some states": lambda tx: tx.tasks.in_states(OPEN | {TaskState.OVERDUE}),
    "a generation": lambda tx: tx.generations.get(GENERATION.id),
    "a task's generation": lambda tx: tx.generations.of_task(TASK.id),
    "a task": lambda tx: tx.tasks.get(TASK.id),
    "a move": lambda tx: tx.tasks.submitting(TASK.id, DEADLINE),
    "a move to running": lambda tx: tx.tasks.running(TASK.id, KieTaskId("kie"), NOW, DEADLINE),
    "a move to ready": lambda tx: tx.tasks.ready(TASK.id, RESULT, NOW),
    "cancelling": lambda tx: tx.tasks.cancel(GENERATION.id, NOW),
    "a settlement": lambda tx: tx.ledger.settle([TASK.id], NOW),
    "undelivered outcomes": lambda tx: tx.generations.unfinished(),
    "images in a message": lambda tx: tx.images.in_message(IMAGE.message_id),
    "a lineage": lambda tx: tx.images.lineage(IMAGE.id),
    "a member's images": lambda tx: tx.image_history.entries(OWN, 6, before=IMAGE.id),
    "a member's newer images": lambda tx: tx.image_history.entries(OWN, 6, after=IMAGE.id),
    "a member's images by words": lambda tx: tx.image_history.entries(replace(OWN, words=("a", "b")), 6),
    "a member's images by server and model": lambda tx: tx.image_history.entries(
        replace(OWN, guild=ALICE.guild_id, model=Model.PRO), 6
    ),
    "a member's favourites": lambda tx: tx.image_history.entries(replace(OWN, favourites=True), 6, before=IMAGE.id),
    "favourites by words": lambda tx: tx.image_history.entries(replace(OWN, favourites=True, words=("a",)), 6),
    "the prompts of a lineage": lambda tx: tx.images.prompts(IMAGE.id, ALICE.user_id, IMAGE.channel_id),
    "images of a lineage": lambda tx: tx.image_history.of_line(IMAGE.id, [IMAGE.id, ImageId(1)], VIEWER),
    "channels of a lineage": lambda tx: tx.image_history.channels(IMAGE.id, [IMAGE.id], ALICE.guild_id),
    "an image's edits": lambda tx: tx.image_history.edits(IMAGE.id, VIEWER, 4, 3),
    "an image": lambda tx: tx.image_history.get(IMAGE.id, ALICE.user_id),
    "saving an image": lambda tx: tx.favourites.add(ALICE.user_id, IMAGE.id, NOW),
    "reports of an image": lambda tx: tx.image_reports.get(IMAGE.id),
    "a member's reports": lambda tx: tx.image_reports.count_of(ALICE.user_id, NOW),
    "a preview": lambda tx: tx.previews.add({IMAGE.id: b"webp"}),
    "a member's preferences": lambda tx: tx.preferences.get(ALICE.user_id),
    "other preferences": lambda tx: tx.preferences.put(ALICE.user_id, Preferences(ping=True)),
    "a draft": lambda tx: tx.drafts.get(DRAFT.id),
    "a member's questions in a channel": lambda tx: tx.drafts.remove_questions(ALICE.user_id, ChannelId(5)),
    "all questions": lambda tx: tx.drafts.questions(),
    "an upload": lambda tx: tx.uploads.find("ab" * 32, NOW, NOW),
    "a new upload": lambda tx: tx.uploads.remember("ab" * 32, "https://kie.example/a.png", NOW),
    "late images": lambda tx: tx.generations.with_late_images(),
    "costs": lambda tx: tx.costs.by_class(NOW, NOW + timedelta(days=1)),
    "the first task": lambda tx: tx.costs.first_task_at(),
    "the first task that has not ended": lambda tx: tx.costs.first_unended_at(),
    "open tasks": lambda tx: tx.costs.open_tasks(),
    "orphans": lambda tx: tx.tasks.orphans(),
    "recent submissions": lambda tx: tx.tasks.submitted_since(NOW, NOW),
    "whether an erasure goes on": lambda tx: tx.erasures.blocks(ALICE),
    "a member's requests": lambda tx: tx.exports.requests(ALICE.user_id, 1 << 62, 200),
    "a member's part of the ledger": lambda tx: tx.exports.movements(ALICE.user_id, 1 << 62, 200),
    "requests to be erased": lambda tx: tx.erasures.ended(ERASURE, 0, 100),
    "images to be erased": lambda tx: tx.erasures.digests([GENERATION.id]),
    "erasing requests": lambda tx: tx.erasures.blank([GENERATION.id], ["ab" * 32]),
    "images that others repeat": lambda tx: tx.erasures.lent(ALICE.user_id),
    "styles that can be used": lambda tx: tx.styles.of(*OWNERS),
    "a style": lambda tx: tx.styles.get(StyleId(1)),
    "reference sets that can be used": lambda tx: tx.reference_sets.of(*OWNERS),
    "the size of reference sets": lambda tx: tx.reference_sets.size(OWNERS[1]),
    "images that only these sets have": lambda tx: tx.reference_sets.only_in([ReferenceSetId(1)]),
    "removing a reference set": lambda tx: tx.reference_sets.remove([ReferenceSetId(1)], ["ab" * 32]),
    "whether an image is used": lambda tx: tx.erasures.is_used_by_others("ab" * 32, ALICE.user_id),
    "pending notifications": lambda tx: tx.credit_requests.pending_notifications(),
}
NIGHTLY: dict[str, Callable[[Transaction], Awaitable[object]]] = {
    "old words": lambda tx: tx.retention.forget_old_words(GENERATION.id, NOW, 5),
    "old generations": lambda tx: tx.retention.fold_old_generations(NOW, 5),
    "old reports": lambda tx: tx.retention.delete_old_reports(NOW, 5),
    "old drafts": lambda tx: tx.retention.delete_old_drafts(NOW, 5),
    "old uploads": lambda tx: tx.retention.delete_old_uploads(NOW, 5),
}
ALL = HOT | NIGHTLY

SMALL_SCANS = {
    "SCAN CONSTANT ROW",
    "SCAN lineage",
    "SCAN newest",
    "SCAN sums",
    "SCAN credit_requests USING INDEX ix_credit_requests_untold",
    "SCAN drafts USING INDEX ix_drafts_questions",
}
"""Not of growing tables: an answer or a recursion's own rows, an account's newest rows, exactly the rows wanted.

A full-text table is always scanned by SQLite's account, and with ``M1`` only for what matches.
"""


@contextmanager
def recorded() -> Generator[list[tuple[str, Any]]]:
    """Every statement that is sent to a database meanwhile, with its values."""
    seen: list[tuple[str, Any]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, _many: object
    ) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def plan(file: Path, statement: str, parameters: Any) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    finally:
        connection.close()


INDEXES: dict[str, set[str]] = {
    "a member's spending": {"ix_ledger_resets"},
    "a server's spending": set(),
    "all spending": set(),
    "a member's bonus": set(),
    "a server's ledger": {"ix_ledger_guild_id"},
    "a member's ledger": {"ix_ledger_user_id_guild_id"},
    "a manager's grants": {"ix_ledger_grants"},
    "a reset": {"ix_ledger_resets"},
    "a member's open request": {"uq_credit_requests_open"},
    "expiring a request": {"uq_credit_requests_open"},
    "orphans": {"ix_tasks_orphans"},
    "recent submissions": {"ix_tasks_submitted_at"},
    "pending notifications": {"ix_credit_requests_untold"},
    "a member's images": {"ix_tasks_delivered"},
    "a member's newer images": {"ix_tasks_delivered"},
    "a member's images by words": {"ix_generations_user_id_id"},
    "a member's images by server and model": {"ix_generations_user_id_id"},
    "a member's favourites": set(),
    "favourites by words": set(),
    "a member's questions in a channel": {"ix_drafts_questions"},
    "all questions": {"ix_drafts_questions"},
}


@pytest.mark.parametrize("query", ALL)
async def test_a_query_scans_no_table_and_uses_its_index(store: Store, file: Path, query: str) -> None:
    await keep(store, GENERATION)
    async with store.write() as tx:
        await tx.generations.add(OTHER)
    with recorded() as statements:
        async with store.write() as tx:
            await ALL[query](tx)
    steps = [step for sent in statements if sent[0] != "BEGIN IMMEDIATE" for step in plan(file, *sent)]
    assert steps
    assert [step for step in steps if step.startswith("SCAN") and step not in SMALL_SCANS and "M1" not in step] == []
    # To the last column of its primary key: nothing is read but the quarters that are added up.
    assert not [step for step in steps if step.startswith("SEARCH ledger_totals") and "quarter" not in step]
    if query in INDEXES:
        used = {word for step in steps for word in step.split() if word.startswith(("ix_", "uq_"))}
        assert used == INDEXES[query]
        assert not any("TEMP B-TREE" in step for step in steps)


def test_a_scan_would_be_noticed(file: Path, url: str) -> None:
    migrate(url)
    assert plan(file, "SELECT prompt FROM generations WHERE unit_price > ?", [1]) == ["SCAN generations"]
