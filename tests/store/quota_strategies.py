"""Who is in the servers of the quota machine, and what may be done there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from bot.domain.credits import Account, Allowance, Period
from bot.domain.ids import DIRECT_MESSAGES, GuildId, RoleId, UserId
from bot.domain.rules import Scope
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.states import TaskState
from bot.quota.policy import QuotaLimits

MEMBERS = [UserId(101), UserId(102), UserId(103)]
SERVERS = [GuildId(900), GuildId(901)]
IN_SERVERS = [
    *(Account(member, SERVERS[0]) for member in MEMBERS),
    *(Account(member, SERVERS[1]) for member in MEMBERS[:2]),
]
ACCOUNTS = [*IN_SERVERS, Account(MEMBERS[0], DIRECT_MESSAGES)]
# Roles and members share numbers, so that mistaking one for the other shows.
ROLES = [RoleId(101), RoleId(102), RoleId(777)]
SUBJECTS = [
    *((Scope.MEMBER, int(member)) for member in MEMBERS),
    *((Scope.ROLE, int(role)) for role in ROLES * 2),
    (Scope.SERVER, 0),
    (Scope.POOL, 0),
]
ZONES = ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
_TO_READY = (TaskState.SUBMITTING, TaskState.RUNNING, TaskState.READY)
_TO_OVERDUE = (TaskState.SUBMITTING, TaskState.RUNNING, TaskState.OVERDUE)
_ROUTES: list[Sequence[TaskState]] = [
    *[(*_TO_READY, TaskState.DELIVERED)] * 3,
    (*_TO_READY, TaskState.FAILED),
    *[(*_TO_OVERDUE, TaskState.READY, TaskState.DELIVERED)] * 2,
    (*_TO_OVERDUE, TaskState.READY, TaskState.FAILED),
    (*_TO_OVERDUE, TaskState.FAILED),
    (TaskState.SUBMITTING, TaskState.RESERVED, TaskState.FAILED),
]

# Before both changes of Berlin's clocks, the turn of a year, and the end of a short month.
starts = st.sampled_from(
    [
        datetime(2025, 3, 28, 20, 15, tzinfo=UTC),
        datetime(2025, 10, 24, 21, 30, tzinfo=UTC),
        datetime(2025, 12, 30, 9, tzinfo=UTC),
        datetime(2024, 2, 27, 23, 59, tzinfo=UTC),
    ]
)
_amounts = st.sampled_from([Decimal(amount) for amount in ("0", "12", "24.5", "33.333", "70", "150", "500")])
_periods = st.sampled_from(Period)
_allowances = st.builds(Allowance, st.none() | _amounts, _periods)
limits = st.builds(
    QuotaLimits,
    members=st.builds(Allowance, _amounts, _periods),
    direct=st.builds(Allowance, _amounts, _periods),
    budget=st.builds(Allowance, st.sampled_from([None, None, Decimal(90), Decimal(400)]), st.just(Period.DAY)),
    servers=st.builds(Allowance, st.sampled_from([None, None, Decimal(80), Decimal(300)]), _periods),
    some_servers=st.dictionaries(st.just(SERVERS[1]), _allowances, max_size=1),
)
_servers = st.sampled_from(SERVERS)
_subjects = st.sampled_from(SUBJECTS)
first_rules = st.lists(st.tuples(_servers, _subjects, _allowances), max_size=8)
_some_roles = st.frozensets(st.sampled_from(ROLES))
roles = st.fixed_dictionaries(dict.fromkeys(IN_SERVERS, _some_roles))

_accounts = st.sampled_from([*IN_SERVERS, *IN_SERVERS, ACCOUNTS[-1]])
_in_servers = st.sampled_from(IN_SERVERS)
_images = st.tuples(
    st.sampled_from([Settings(model, resolution=size) for model in Model for size in Resolution]), st.integers(1, 4)
)
_index = st.integers(0, 1 << 20)
_single_moves = st.sampled_from(sorted(set(TaskState) - {TaskState.CANCELLED}))
_waits = st.sampled_from([timedelta(minutes=1), timedelta(minutes=50), timedelta(hours=7), timedelta(days=2)])
_beside = st.sampled_from([timedelta(microseconds=microseconds) for microseconds in (-1, 0, 1)])

_COMMANDS: dict[str, tuple[int, Sequence[st.SearchStrategy[object]]]] = {
    "request": (11, (_accounts, st.lists(_images, min_size=1, max_size=3))),
    "lead": (5, (st.lists(_index, min_size=1, max_size=6), st.sampled_from(_ROUTES), st.integers(1, 12))),
    "try_move": (1, (_index, _single_moves)),
    "roll_back_move": (1, (_index, _single_moves)),
    "cancel": (2, (_index,)),
    "reword": (2, (_accounts, _images, st.sampled_from([Decimal("0.125"), Decimal(3), Decimal(20)]))),
    "refund_rewording": (1, (_index,)),
    "set_rule": (3, (_servers, _subjects, _allowances)),
    "remove_rule": (1, (_index,)),
    "grant": (2, (_in_servers, _amounts)),
    "reset": (1, (_in_servers,)),
    "change_roles": (1, (_in_servers, _some_roles)),
    "change_zone": (1, (_servers, st.sampled_from(ZONES))),
    "wait": (1, (_waits,)),
    "wait_for_period": (2, (st.sampled_from([*SERVERS, DIRECT_MESSAGES]), _periods, _beside)),
}
"""Methods of the machine, with how often each is chosen and its arguments."""


def _command(name: str) -> st.SearchStrategy[tuple[str, tuple[object, ...]]]:
    return st.tuples(st.just(name), st.tuples(*_COMMANDS[name][1]))


commands = st.sampled_from([name for name, (weight, _) in _COMMANDS.items() for _ in range(weight)]).flatmap(_command)
