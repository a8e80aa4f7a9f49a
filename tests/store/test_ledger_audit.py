"""`python -m bot db check`: what is wrong in the ledger is found, and nothing else."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest

from bot.domain.credits import Allowance, Credits, Period, Span, period_around
from bot.domain.errors import OperatorError
from bot.domain.ids import UserId
from bot.domain.ledger import RuleSet
from bot.domain.rules import Rule, Scope
from bot.domain.states import Failure, TaskState
from bot.store import sqlite
from bot.store.audit import audit, repair
from bot.store.migrate import migrate
from bot.store.store import Store
from bot.store.totals import quarters
from tests.database import execute, fresh_database, sqlite_only
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import RESULT, bring, keep, upgrade

ADMIN = UserId(9)
ALLOWANCE = Allowance(Credits(30), Period.DAY)
# By the states of their tasks, in the order of ids.
OPEN, DELIVERED, REFUNDED, GOODWILL, LATE = range(900_000, 900_005)


@pytest.fixture
async def busy(tmp_path: Path, store: Store) -> Path:
    """A closed database with an image in each condition, a bonus and a reset. Rules were set before this month."""
    states = [TaskState.RESERVED] * 5
    tasks = [replace(task, id=OPEN + place) for place, task in enumerate(make_generation(states=states).tasks)]
    generation = replace(make_generation(), id=899_999)
    await keep(store, replace(generation, tasks=tuple(replace(task, generation_id=generation.id) for task in tasks)))
    async with store.write() as tx:
        for scope, subject in ((Scope.MEMBER, ALICE.user_id), (Scope.SERVER, 0), (Scope.POOL, 0)):
            rule = Rule(scope, subject, ALLOWANCE)
            await tx.rules.put(ALICE.guild_id, rule)
            await tx.ledger.record_change(ALICE, ADMIN, RuleSet(rule), NOW - timedelta(days=40))
        await bring(tx, tasks[1], TaskState.DELIVERED)
        await bring(tx, tasks[2], TaskState.FAILED)
        await bring(tx, tasks[3], TaskState.READY)
        await tx.tasks.fail(tasks[3].id, Failure.UNDELIVERABLE, NOW)
        await bring(tx, tasks[4], TaskState.OVERDUE)
        assert await tx.tasks.ready(tasks[4].id, RESULT, NOW + timedelta(days=1))
        await tx.ledger.grant(ALICE, Credits(8), ADMIN, "welcome", NOW)
        unseen = await tx.ledger.charge_rewordings(ALICE, Credits(3), Credits(1), NOW)
        await tx.ledger.refund_rewordings(unseen, NOW + timedelta(minutes=16))
        await tx.ledger.reset(ALICE, ADMIN, "a bad day", NOW)
    # Its last microsecond, which SQLite's own arithmetic rounds into the next quarter.
    late = make_generation(request=make_request(account=BOB), created_at=NOW + timedelta(minutes=15, microseconds=-1))
    await keep(store, late)
    return tmp_path


def findings(folder: Path) -> list[str]:
    return list(audit(fresh_database(folder), NOW))


def test_a_database_of_the_store_has_no_problems(busy: Path) -> None:
    before = sorted(execute(busy, "SELECT * FROM ledger_totals"))
    assert findings(busy) == []
    repair(fresh_database(busy))
    assert sorted(execute(busy, "SELECT * FROM ledger_totals")) == before


INSERT = (
    "INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, generation_id, task_id, bonus, round,"
    " note) SELECT at, counts_at, user_id, guild_id, {}, {}, generation_id, {}, 0, round, note FROM ledger"
    " WHERE task_id = {} AND movement = 'reserve'"
)
TAMPERED: dict[str, tuple[str, str]] = {
    "a second reservation": (INSERT.format("movement", "credits", "task_id", OPEN), f"task {OPEN}: reserved 2 times"),
    "no reservation": (f"DELETE FROM ledger WHERE task_id = {OPEN}", f"task {OPEN}: reserved 0 times"),
    "two ends": (
        INSERT.format("'refund'", "-credits", "task_id", DELIVERED),
        f"task {DELIVERED}: ended 2 times: settle, refund",
    ),
    "an end too soon": (
        INSERT.format("'settle'", "0", "task_id", OPEN),
        rf"task {OPEN}: reserved \(None\), but its reservation ended with a settle",
    ),
    "no end": (
        f"DELETE FROM ledger WHERE task_id = {REFUNDED} AND movement = 'refund'",
        rf"task {REFUNDED}: failed \(broken\), but its reservation has not ended",
    ),
    "the wrong end": (
        f"UPDATE ledger SET movement = 'settle' WHERE task_id = {LATE} AND movement = 'refund'",
        rf"task {LATE}: free, ready \(None\), but its reservation ended with a settle",
    ),
    "a refund for what nobody billed": (
        f"UPDATE ledger SET movement = 'goodwill' WHERE task_id = {REFUNDED} AND movement = 'refund'",
        rf"task {REFUNDED}: failed \(broken\), but its reservation ended with a goodwill",
    ),
    "a state that does not fit": (
        f"UPDATE tasks SET state = 'delivered' WHERE id = {REFUNDED}",
        rf"task {REFUNDED}: delivered \(broken\), but its reservation ended with a refund",
    ),
    "a larger refund": (
        f"UPDATE ledger SET credits = 6000 WHERE task_id = {GOODWILL} AND movement = 'goodwill'",
        f"task {GOODWILL}: refunded another amount than was reserved",
    ),
    "a refund to somebody else": (
        f"UPDATE ledger SET user_id = 102 WHERE task_id = {REFUNDED} AND movement = 'refund'",
        f"task {REFUNDED}: ended in another account or period than it was reserved in",
    ),
    "a refund in another period": (
        f"UPDATE ledger SET counts_at = '2025-10-10 00:00:00' WHERE task_id = {REFUNDED} AND movement = 'refund'",
        f"task {REFUNDED}: ended in another account or period than it was reserved in",
    ),
    "another price": (
        f"UPDATE ledger SET credits = sign(credits) * 1000 WHERE task_id = {REFUNDED}",
        f"task {REFUNDED}: reserved 1 at a price of 5",
    ),
    "another account": (
        f"UPDATE ledger SET user_id = 102 WHERE task_id = {DELIVERED}",
        f"task {DELIVERED}: reserved in another account than that of its request",
    ),
    "late at another price": (
        f"UPDATE ledger SET credits = -1 WHERE task_id = {LATE} AND movement = 'late'",
        f"task {LATE}: counted as late with 0.001",
    ),
    "free too soon": (
        f"UPDATE tasks SET state = 'reserved' WHERE id = {LATE}",
        rf"task {LATE}: free, reserved \(None\), but its reservation ended with a refund",
    ),
    "a settlement that moves credits": (
        f"UPDATE ledger SET credits = 5000 WHERE task_id = {DELIVERED} AND movement = 'settle'",
        r"ledger entry \d+: a settle of 5 credits",
    ),
    "a grant of another amount": (
        "UPDATE ledger SET credits = 9000 WHERE movement = 'grant'",
        r"ledger entry \d+: a grant of 9 credits",
    ),
    "rewordings that are refunded twice": (
        (
            "INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, bonus, round, note)"
            " SELECT at, counts_at, user_id, guild_id, movement, credits, bonus, round, note FROM ledger"
            " WHERE movement = 'rewording' AND credits > 0"
        ),
        r"rewordings of user \d+ in server \d+, round 0, [-0-9: ]+: 3 credits, of bonus 1",
    ),
    "rewordings that are refunded in another period": (
        "UPDATE ledger SET counts_at = '2025-10-10 00:00:00' WHERE movement = 'rewording' AND credits > 0",
        r"rewordings of user \d+ in server \d+, round 0, 2025-10-10 00:00:00: 3 credits, of bonus 1",
    ),
    "rewordings of a task": (
        f"UPDATE ledger SET task_id = {OPEN} WHERE movement = 'rewording' AND credits < 0",
        r"ledger entry \d+: a rewording of -3 credits",
    ),
    "late twice": (
        INSERT.format("'late'", "credits", "task_id", LATE),
        f"task {LATE}: counted as late 2 times",
    ),
    "late without being so": (
        INSERT.format("'late'", "credits", "task_id", OPEN),
        f"task {OPEN}: counted as late 1 times",
    ),
    "a state of another version": (f"UPDATE tasks SET state = 'x' WHERE id = {OPEN}", f"task {OPEN}: 'x' is no state"),
    "an entry of another version": (
        INSERT.format("'gift'", "1", "NULL", OPEN),
        r"ledger entry \d+: 'gift' is unknown, or belongs to no task",
    ),
    "an entry of no task": (INSERT.format("'refund'", "5", "NULL", OPEN), r"ledger entry \d+: 'refund' is unknown, or"),
    "a wrong total": (
        "UPDATE ledger_totals SET credits = credits + 1 WHERE total = 'server'",
        r"total server of user 0 in server 900, round 0, quarter \d+: -\S+ is kept, its ledger entries sum up to -\d+",
    ),
    "a total that is missing": ("DELETE FROM ledger_totals WHERE total = 'all'", "total all of user 0 in server 0,"),
    "a total of nothing": (
        "INSERT INTO ledger_totals VALUES ('allowance', 900, 103, 0, 1954802, -5000)",
        "total allowance of user 103 in server 900, round 0, quarter 1954802: -5 is kept, its ledger entries",
    ),
    "a bonus that was not there": (
        f"UPDATE ledger SET bonus = -5000 WHERE task_id = {DELIVERED} AND movement = 'reserve'",
        "user 101 in server 900: used 5 bonus credits too many",
    ),
    "an allowance exceeded": (
        "UPDATE rules SET credits = 9000 WHERE scope = 'member'",
        "server 900: member rule of 9 a day exceeded by 1 by user 101",
    ),
    "the server's rule exceeded": (
        "UPDATE rules SET credits = 4000 WHERE scope = 'server'",
        "server 900: server rule of 4 a day exceeded by 1 by user 102",
    ),
    "a pool exceeded": (
        "UPDATE rules SET credits = 19000 WHERE scope = 'pool'",
        "server 900: pool rule of 19 a day exceeded by 1$",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_is_wrong_is_found(busy: Path, what: str) -> None:
    statement, expected = TAMPERED[what]
    for index in ("uq_ledger_task_id_movement", "uq_ledger_ended_once"):
        execute(busy, f"DROP INDEX {index}")
    assert execute(busy, f"{statement} RETURNING 1")
    found = findings(busy)
    assert any(re.match(expected, line) for line in found), found
    repair(fresh_database(busy))
    assert not [line for line in findings(busy) if line.startswith("total")]


def test_a_rule_that_changed_in_this_period_proves_nothing(busy: Path) -> None:
    execute(busy, "UPDATE rules SET credits = 1000")
    assert len(findings(busy)) == 3
    execute(busy, "UPDATE ledger SET at = '2025-10-09 00:00:00.000000' WHERE movement = 'rule'")
    assert findings(busy) == []


@sqlite_only
def test_another_version_is_not_audited_and_a_running_bots_totals_are_left_alone(file: Path, url: str) -> None:
    upgrade(file, "0006")
    with pytest.raises(OperatorError, match="db migrate"):
        findings(file.parent)
    migrate(url)
    with sqlite.process_lock(url), pytest.raises(OperatorError, match="in use"):
        repair(url)


def test_the_periods_of_every_zone_are_whole_quarters() -> None:
    for zone in available_timezones():
        for period in Period:
            start, end = quarters(period_around(period, NOW, ZoneInfo(zone)))
            assert 92 <= end - start < 3_000
    with pytest.raises(ValueError, match="whole number of quarters"):
        quarters(Span(NOW, NOW + timedelta(minutes=14)))
