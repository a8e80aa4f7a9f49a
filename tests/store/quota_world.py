"""Who lives in the store of a quota life, and what may be commanded there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from bot.domain.credits import Account, Allowance, Period
from bot.domain.ids import DIRECT_MESSAGES, GuildId, RoleId, UserId
from bot.domain.rules import Scope
from bot.domain.states import TaskState
from bot.quota.policy import QuotaLimits
from tests.store.books import CHOICES

ADMIN = UserId(9)
MEMBERS = [UserId(101), UserId(102), UserId(103)]
SERVERS = [GuildId(900), GuildId(901)]
PLACES = [*SERVERS, DIRECT_MESSAGES]
AT_HOME = [Account(member, SERVERS[0]) for member in MEMBERS]
ABROAD = [Account(member, SERVERS[1]) for member in MEMBERS[:2]]
PRIVATE = Account(MEMBERS[0], DIRECT_MESSAGES)
ACCOUNTS = [*AT_HOME, *ABROAD, PRIVATE]
# Roles and members with the same numbers, so that mistaking one for the other shows.
ROLES = [RoleId(101), RoleId(102), RoleId(777)]
SUBJECTS = [
    *((Scope.MEMBER, int(member)) for member in MEMBERS),
    *((Scope.ROLE, int(role)) for role in ROLES * 2),
    (Scope.SERVER, 0),
    (Scope.POOL, 0),
]
_MADE = (TaskState.SUBMITTING, TaskState.RUNNING, TaskState.READY)
_LATE = (TaskState.SUBMITTING, TaskState.RUNNING, TaskState.OVERDUE)
WAYS: list[Sequence[TaskState]] = [
    *[(*_MADE, TaskState.DELIVERED)] * 3,
    (*_MADE, TaskState.FAILED),
    *[(*_LATE, TaskState.READY, TaskState.DELIVERED)] * 2,
    (*_LATE, TaskState.READY, TaskState.FAILED),
    (*_LATE, TaskState.FAILED),
    (TaskState.SUBMITTING, TaskState.RESERVED, TaskState.FAILED),
]
ZONES = ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
BERLIN = "Europe/Berlin"
# Before both changes of Berlin's clocks, the turn of a year, and the end of a short month.
STARTS = [
    datetime(2025, 3, 28, 20, 15, tzinfo=UTC),
    datetime(2025, 10, 24, 21, 30, tzinfo=UTC),
    datetime(2025, 12, 30, 9, tzinfo=UTC),
    datetime(2024, 2, 27, 23, 59, tzinfo=UTC),
]
MICROSECOND = timedelta(microseconds=1)

amounts = st.sampled_from([Decimal(amount) for amount in ("0", "12", "24.5", "33.333", "70", "150", "500")])
heights = st.none() | amounts
allowances = st.builds(Allowance, heights, st.sampled_from(Period))
operators = st.builds(
    QuotaLimits,
    members=st.builds(Allowance, amounts, st.sampled_from(Period)),
    direct=st.builds(Allowance, amounts, st.sampled_from(Period)),
    budget=st.builds(Allowance, st.sampled_from([None, None, Decimal(90), Decimal(400)]), st.just(Period.DAY)),
    servers=st.builds(Allowance, st.sampled_from([None, None, Decimal(80), Decimal(300)]), st.sampled_from(Period)),
    some_servers=st.dictionaries(st.just(SERVERS[1]), allowances, max_size=1),
)

servers = st.sampled_from(SERVERS)
choices = st.sampled_from(CHOICES)
counts = st.integers(1, 4)
any_number = st.integers(0, 1 << 20)

some_rules = st.lists(st.tuples(servers, st.sampled_from(SUBJECTS), allowances), max_size=8)
some_roles = st.fixed_dictionaries(dict.fromkeys([*AT_HOME, *ABROAD], st.frozensets(st.sampled_from(ROLES))))

_tenants = st.sampled_from([*AT_HOME, *ABROAD])
_members = st.sampled_from([*AT_HOME, *AT_HOME, *ABROAD, *ABROAD, PRIVATE])
_subjects = st.sampled_from(SUBJECTS)
_waits = st.sampled_from([timedelta(minutes=1), timedelta(minutes=50), timedelta(hours=7), timedelta(days=2)])
_periods = st.sampled_from([Period.DAY, Period.DAY, Period.WEEK, Period.MONTH])
_edges = st.sampled_from([-MICROSECOND, timedelta(0), MICROSECOND])
_states = st.sampled_from(sorted(set(TaskState) - {TaskState.CANCELLED}))

_COMMANDS: dict[str, tuple[int, Sequence[st.SearchStrategy[object]]]] = {
    "wish": (9, (_members, choices, counts)),
    "wish_on_and_on": (2, (_members, st.lists(st.tuples(choices, counts), min_size=2, max_size=5))),
    "lead": (5, (st.lists(any_number, min_size=1, max_size=6), st.sampled_from(WAYS), st.integers(1, 12))),
    "mislead": (1, (any_number, _states)),
    "take_back": (2, (any_number,)),
    "set_rule": (3, (servers, _subjects, allowances)),
    "clear_rule": (1, (any_number,)),
    "grant": (2, (_tenants, amounts)),
    "reset": (1, (_tenants,)),
    "change_roles": (1, (_tenants, st.frozensets(st.sampled_from(ROLES)))),
    "move_server": (1, (servers, st.sampled_from(ZONES))),
    "later": (1, (_waits,)),
    "to_the_edge": (2, (st.sampled_from(PLACES), _periods, _edges)),
}
"""What may be commanded, how often among others, and of what kind the arguments are."""


def _command(name: str) -> st.SearchStrategy[tuple[str, tuple[object, ...]]]:
    return st.tuples(st.just(name), st.tuples(*_COMMANDS[name][1]))


commands = st.sampled_from([name for name, (weight, _) in _COMMANDS.items() for _ in range(weight)]).flatmap(_command)
