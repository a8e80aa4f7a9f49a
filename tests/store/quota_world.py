"""Who lives in the store of a quota life, and what may be commanded there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from bot.domain.credits import Account, Allowance, Period
from bot.domain.ids import DIRECT_MESSAGES, GuildId, RoleId, UserId
from bot.domain.rules import Scope
from bot.domain.states import TaskState
from bot.generation.means import Limits
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
    *((Scope.ROLE, int(role)) for role in ROLES),
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
    Limits,
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
