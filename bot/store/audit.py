"""The audit of the ledger: tasks against their entries, totals against the rows, and the limits that are provable."""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    case,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.exc import OperationalError

from bot.domain.credits import ZERO, Credits, Movement, Span, period_around
from bot.domain.errors import OperatorError
from bot.domain.ids import GuildId
from bot.domain.rules import Scope, ServerSettings
from bot.domain.states import BILLED_FAILURES, OPEN, TaskState
from bot.store.clauses import in_constants
from bot.store.engines import kind_of, snapshot
from bot.store.migrate import require_newest
from bot.store.quota_tables import ledger, ledger_totals, rules, servers
from bot.store.tables import generations, tasks
from bot.store.totals import quarters, rebuild, totals_of
from bot.store.types import Total

_C, _T = ledger.c, ledger_totals.c
_ENDS = (Movement.SETTLE, Movement.REFUND, Movement.GOODWILL)
_MOVE_NOTHING = (Movement.SETTLE, Movement.RESET, Movement.RULE)
_OF_TASK = in_constants(_C.movement, (Movement.RESERVE, *_ENDS, Movement.LATE))
_ROWS_AT_ONCE = 1000
_ZONES = select(servers.c.guild_id, servers.c.zone)
_MEMBER_RULES = select(rules.c.guild_id, rules.c.subject).where(
    type_coerce(rules.c.scope, String) == Scope.MEMBER.value
)

Findings = Generator[str, None, None]


def audit(url: str, now: datetime) -> Findings:
    """A line for everything that is not as it should be in one snapshot of the database; takes little memory.

    Raises OperatorError for what cannot be read, and unless the schema is the newest.
    """
    with snapshot(url) as connection:
        require_newest(connection, kind_of(url).describe(url))
        yield from audit_ledger(connection, now)


def audit_ledger(connection: Connection, now: datetime) -> Findings:
    """The same in a transaction that is open, of a database with the newest schema."""
    yield from _entries(connection)
    yield from _rewordings(connection)
    yield from _tasks(connection)
    yield from _totals(connection)
    yield from _bonuses(connection)
    yield from _limits(connection, now)


def repair(url: str) -> None:
    """Sum the totals up from the ledger's rows again; raises OperatorError when Easel runs, or the disk is full."""
    kind = kind_of(url)
    with kind.process_lock(url):
        engine = kind.create_sync(url)
        try:
            with engine.begin() as connection:
                require_newest(connection, kind.describe(url))
                rebuild(connection)
        except OperationalError as error:
            raise OperatorError(f"{kind.describe(url)} was not changed: {error.orig}.") from error
        finally:
            engine.dispose()


def _rows(connection: Connection, statement: Select[*tuple[Any, ...]]) -> Generator[Any, None, None]:
    yield from connection.execute(statement, execution_options={"yield_per": _ROWS_AT_ONCE})


def _entries(connection: Connection) -> Findings:
    movement = type_coerce(_C.movement, String)
    # A sum of several movements belongs to no task, every single one does.
    without_task = _OF_TASK & (_C.task_id.is_(None) != (_C.folded != 0))
    statement = select(_C.id, movement).where(or_(~in_constants(_C.movement, Movement), without_task))
    for entry, kind in _rows(connection, statement):
        yield f"ledger entry {entry}: {kind!r} is unknown, or belongs to no task"
    is_moved = (_C.credits != ZERO) | (_C.bonus != ZERO)
    is_grant, moves_nothing = _C.movement == Movement.GRANT, in_constants(_C.movement, _MOVE_NOTHING)
    of_image = (_C.movement == Movement.REWORDING) & (_C.task_id.is_not(None) | _C.generation_id.is_not(None))
    wrong = or_(is_grant & (_C.credits != _C.bonus), moves_nothing & is_moved, of_image)
    for entry, kind, amount in _rows(connection, select(_C.id, movement, _C.credits).where(wrong)):
        yield f"ledger entry {entry}: a {kind} of {amount.normalize():f} credits"


def _rewordings(connection: Connection) -> Findings:
    """Each was paid, and refunded once at most: a refund counts at the very moment of what it gives back."""
    charged, bonus = func.sum(_C.credits), func.sum(_C.bonus)
    key = (_C.user_id, _C.guild_id, _C.round, _C.counts_at)
    statement = select(*key, charged, bonus).where(_C.movement == Movement.REWORDING).group_by(*key)
    wrong = or_(charged > ZERO, bonus > ZERO, bonus < charged)
    for user, guild, account_round, at, amount, of_bonus in _rows(connection, statement.having(wrong)):
        of = f"user {user} in server {guild}, round {account_round}, {at:%Y-%m-%d %H:%M:%S}"
        yield f"rewordings of {of}: {amount.normalize():f} credits, of bonus {of_bonus.normalize():f}"


def _tasks(connection: Connection) -> Findings:
    """One reservation of the price, and one end if the state says so, of the same amount, account and period."""
    # A late entry belongs to no account, and to the period in which the image came.
    is_own = _C.movement != Movement.LATE
    own = [case((is_own, column)) for column in (_C.user_id, _C.guild_id, _C.round, _C.counts_at)]
    entries = (
        select(
            _C.task_id,
            *(_count(kind).label(kind.value) for kind in (Movement.RESERVE, *_ENDS, Movement.LATE)),
            *(_sum(kind).label(f"{kind}_credits") for kind in (Movement.RESERVE, Movement.LATE)),
            func.min(own[0]).label("user_id"),
            func.min(own[1]).label("guild_id"),
            func.sum(case((is_own, _C.credits), else_=ZERO)).label("credits_left"),
            func.sum(case((is_own, _C.bonus), else_=ZERO)).label("bonus_left"),
            case(*((func.min(column) != func.max(column), 1) for column in own), else_=0).label("elsewhere"),
        )
        .where(_C.task_id.is_not(None))
        .group_by(_C.task_id)
        .subquery()
    )
    state, failure = type_coerce(tasks.c.state, String), type_coerce(tasks.c.failure, String)
    task = (tasks.c.id, state.label("state"), failure.label("failure"), tasks.c.free)
    generation = (generations.c.unit_price, generations.c.user_id.label("payer"), generations.c.guild_id.label("place"))
    of_entries = [column for column in entries.c if column.name != _C.task_id.name]
    statement = (
        select(*task, *generation, *of_entries)
        .join(generations, generations.c.id == tasks.c.generation_id)
        .outerjoin(entries, entries.c.task_id == tasks.c.id)
        .order_by(tasks.c.id)
    )
    for row in _rows(connection, statement):
        problems = _problems_of_task(row)
        if problems:
            yield f"task {row.id}: {'; '.join(problems)}"


def _count(movement: Movement) -> ColumnElement[int]:
    return func.sum(case((_C.movement == movement, 1), else_=0))


def _sum(movement: Movement) -> ColumnElement[Credits]:
    return func.sum(case((_C.movement == movement, _C.credits), else_=ZERO))


def _problems_of_task(row: Any) -> list[str]:
    if row.state not in frozenset(TaskState):
        return [f"{row.state!r} is no state"]
    ends = [end for end in _ENDS for _ in range(getattr(row, end.value) or 0)]
    end = ends[0] if ends else None
    problems: list[str] = []
    if row.reserve != 1:
        problems.append(f"reserved {row.reserve or 0} times")
    elif row.reserve_credits != -row.unit_price:
        problems.append(f"reserved {-row.reserve_credits.normalize():f} at a price of {row.unit_price.normalize():f}")
    elif (row.user_id, row.guild_id) != (row.payer, row.place):
        problems.append("reserved in another account than that of its request")
    if len(ends) > 1:
        problems.append(f"ended {len(ends)} times: {', '.join(ends)}")
    elif end not in _possible_ends(TaskState(row.state), row.failure, free=row.free):
        ended = f"its reservation ended with a {end}" if end else "its reservation has not ended"
        problems.append(f"{'free, ' if row.free else ''}{row.state} ({row.failure}), but {ended}")
    elif end in {Movement.REFUND, Movement.GOODWILL} and (row.credits_left or row.bonus_left):
        problems.append("refunded another amount than was reserved")
    if row.elsewhere:
        problems.append("ended in another account or period than it was reserved in")
    if (row.late or 0) > row.free:
        problems.append(f"counted as late {row.late} times")
    elif row.late and row.late_credits != -row.unit_price:
        problems.append(f"counted as late with {-row.late_credits.normalize():f}")
    return problems


def _possible_ends(state: TaskState, failure: str | None, *, free: bool) -> set[Movement | None]:
    """How the reservation of a task may have ended. A free image was refunded when it was overdue."""
    if free and state in (TaskState.READY, TaskState.DELIVERED, TaskState.FAILED):
        return {Movement.REFUND}
    if state in OPEN:
        return {None}
    if state is TaskState.DELIVERED:
        return {Movement.SETTLE}
    # A failure that KIE bills may have come when the task was overdue, and refunded.
    is_billed = state is TaskState.FAILED and failure in BILLED_FAILURES
    return {Movement.REFUND, Movement.GOODWILL} if is_billed else {Movement.REFUND}


def _totals(connection: Connection) -> Findings:
    key = (_T.total, _T.guild_id, _T.user_id, _T.round, _T.quarter)
    names = [column.name for column in key]
    rows = totals_of(true()).subquery()
    nothing = literal(ZERO, _T.credits.type)
    both = union_all(
        select(*key, _T.credits.label("kept"), nothing.label("summed")),
        select(*(rows.c[name] for name in names), nothing, rows.c.credits),
    ).subquery()
    kept, summed = func.sum(both.c.kept), func.sum(both.c.summed)
    keys = [both.c[name] for name in names]
    total = type_coerce(both.c.total, String)
    for kind, guild, user, account_round, quarter, is_kept, is_summed in _rows(
        connection, select(total, *keys[1:], kept, summed).group_by(*keys).having(kept != summed)
    ):
        of = f"{kind} of user {user} in server {guild}, round {account_round}, quarter {quarter}"
        yield f"total {of}: {is_kept.normalize():f} is kept, its ledger entries sum up to {is_summed.normalize():f}"


def _bonuses(connection: Connection) -> Findings:
    """No account ever used more bonus credits than it had."""
    # Sums of a year come first: what was granted in it, and then what was used.
    folded = (case((_C.folded != 0, _C.counts_at)).nulls_last(), case((_C.folded != 0, -func.sign(_C.bonus)), else_=0))
    at_each = func.sum(_C.bonus).over(partition_by=(_C.user_id, _C.guild_id), order_by=(*folded, _C.id))
    each = select(_C.user_id, _C.guild_id, at_each.label("bonus")).where(_C.bonus != ZERO).subquery()
    lowest = func.min(each.c.bonus)
    statement = select(each.c.user_id, each.c.guild_id, lowest).group_by(each.c.user_id, each.c.guild_id)
    for user, guild, bonus in _rows(connection, statement.having(lowest < ZERO)):
        yield f"user {user} in server {guild}: used {-bonus.normalize():f} bonus credits too many"


def _limits(connection: Connection, now: datetime) -> Findings:
    """What the present period's spending says of rules that did not change in it and that no role decides about.

    Others are not provable: a rule may be lowered below what is spent, and nothing records who had which role.
    """
    scope = type_coerce(rules.c.scope, String)
    zones = {guild: ServerSettings(zone).tzinfo for guild, zone in connection.execute(_ZONES)}
    by_role = set(connection.scalars(select(rules.c.guild_id).where(scope == Scope.ROLE.value)))
    own = {(guild, user) for guild, user in connection.execute(_MEMBER_RULES)}
    provable = scope.in_((Scope.MEMBER.value, Scope.SERVER.value, Scope.POOL.value)) & rules.c.credits.is_not(None)
    columns = (rules.c.guild_id, scope, rules.c.subject, rules.c.credits, rules.c.period)
    for guild, kind, subject, limit, period in connection.execute(select(*columns).where(provable)).all():
        span = period_around(period, now, zones.get(guild, UTC))
        changed = select(_C.id).where(_C.guild_id == guild, _C.movement == Movement.RULE, _C.at >= span.start).limit(1)
        if limit is None or connection.scalar(changed) is not None or (kind == Scope.SERVER and guild in by_role):
            continue
        total = Total.SERVER if kind == Scope.POOL else Total.ALLOWANCE
        spent, (start, end) = -func.sum(_T.credits), quarters(span)
        in_span = (_T.total == total, _T.guild_id == guild, _T.quarter >= start, _T.quarter < end)
        if kind == Scope.MEMBER:
            in_span = (*in_span, _T.user_id == subject)
        over = select(_T.user_id, spent).where(*in_span).group_by(_T.user_id, _T.round).having(spent > limit)
        for user, amount in _rows(connection, over):
            # An image that came late counts, although nobody asked whether it fits.
            beyond = amount - limit - (_late(connection, guild, span) if kind == Scope.POOL else ZERO)
            if beyond > 0 and (kind != Scope.SERVER or (guild, user) not in own):
                of = "" if kind == Scope.POOL else f" by user {user}"
                a_period = f"{limit.normalize():f} a {period}"
                yield f"server {guild}: {kind} rule of {a_period} exceeded by {beyond.normalize():f}{of}"


def _late(connection: Connection, guild: GuildId, span: Span) -> Credits:
    in_span = (_C.guild_id == guild, _C.counts_at >= span.start, _C.counts_at < span.end)
    return -(connection.scalar(select(func.sum(_C.credits)).where(*in_span, _C.movement == Movement.LATE)) or ZERO)
