"""The tables of quotas: the ledger with its totals, rules, server settings and credit requests."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    Named,
    String,
    Table,
    TypedColumns,
    text,
)

from bot.domain.credit_requests import CreditRequestState
from bot.domain.credits import Movement, Period
from bot.domain.ids import ChannelId, CreditRequestId, GenerationId, GuildId, MessageId, RoleId, TaskId, UserId
from bot.domain.ledger import Decision, RecordedChange
from bot.domain.rules import ReplyMode, Scope
from bot.store.changes import ChangeJson
from bot.store.draft_table import metadata
from bot.store.tables import column
from bot.store.types import CreditAmount, PlainText, Total, UtcTime, choice


class _LedgerColumns(TypedColumns):
    id: Named[int] = column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Named[datetime] = column(UtcTime)
    counts_at: Named[datetime] = column(UtcTime)
    user_id: Named[UserId] = column(BigInteger)
    guild_id: Named[GuildId] = column(BigInteger)
    movement: Named[Movement] = column(choice(Movement))
    credits: Named[Decimal] = column(CreditAmount)
    generation_id: Named[GenerationId | None] = column(BigInteger, ForeignKey("generations.id"))
    task_id: Named[TaskId | None] = column(BigInteger, ForeignKey("tasks.id"))
    bonus: Named[Decimal] = column(CreditAmount)
    round: Named[int] = column(Integer)
    actor_id: Named[UserId | None] = column(BigInteger)
    note: Named[str] = column(PlainText)
    change: Named[RecordedChange | None] = column(ChangeJson)
    folded: Named[int] = column(Integer, server_default="0")
    """Of how many movements of a year, all of one kind and account, it is the sum; 0 for a single one."""


class _LedgerTotalColumns(TypedColumns):
    total: Named[Total] = column(choice(Total), primary_key=True)
    guild_id: Named[GuildId] = column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = column(BigInteger, primary_key=True, autoincrement=False)
    round: Named[int] = column(Integer, primary_key=True, autoincrement=False)
    quarter: Named[int] = column(Integer, primary_key=True, autoincrement=False)
    """Quarters of an hour since 1970, UTC."""
    credits: Named[Decimal] = column(CreditAmount)


class _RuleColumns(TypedColumns):
    guild_id: Named[GuildId] = column(BigInteger, primary_key=True, autoincrement=False)
    scope: Named[Scope] = column(choice(Scope), primary_key=True)
    subject: Named[int] = column(BigInteger, primary_key=True, autoincrement=False)
    credits: Named[Decimal | None] = column(CreditAmount)
    period: Named[Period] = column(choice(Period))


class _ServerColumns(TypedColumns):
    guild_id: Named[GuildId] = column(BigInteger, primary_key=True, autoincrement=False)
    zone: Named[str] = column(String(64))
    manager_role_id: Named[RoleId | None] = column(BigInteger)
    requests_channel_id: Named[ChannelId | None] = column(BigInteger)
    channels: Named[list[int]] = column(JSON)
    manager_limit: Named[Decimal] = column(CreditAmount, server_default="500000")
    replies: Named[ReplyMode] = column(choice(ReplyMode), server_default=ReplyMode.ASK.value)
    reports_channel_id: Named[ChannelId | None] = column(BigInteger)


class _RequestColumns(TypedColumns):
    id: Named[CreditRequestId] = column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = column(BigInteger)
    guild_id: Named[GuildId] = column(BigInteger)
    asked_at: Named[datetime] = column(UtcTime)
    asked_in: Named[ChannelId] = column(BigInteger)
    state: Named[CreditRequestState] = column(choice(CreditRequestState))
    channel_id: Named[ChannelId | None] = column(BigInteger)
    message_id: Named[MessageId | None] = column(BigInteger)
    untold: Named[Decision | None] = column(ChangeJson)
    """A decision that its member has not been notified of."""


ledger = Table("ledger", metadata, _LedgerColumns)
Index("ix_ledger_guild_id_counts_at", ledger.c.guild_id, ledger.c.counts_at, ledger.c.movement, ledger.c.credits)
# What members and admins can page through.
for _columns in ((ledger.c.guild_id, ledger.c.id), (ledger.c.user_id, ledger.c.guild_id, ledger.c.id)):
    Index(
        "_".join(("ix_ledger", *(column.name for column in _columns[:-1]))),
        *_columns,
        sqlite_where=text("movement <> 'settle'"),
        postgresql_where=text("movement <> 'settle'"),
    )
Index(
    "ix_ledger_resets",
    ledger.c.user_id,
    ledger.c.guild_id,
    ledger.c.round,
    sqlite_where=text("movement = 'reset'"),
    postgresql_where=text("movement = 'reset'"),
)
Index(
    "ix_ledger_grants",
    ledger.c.guild_id,
    ledger.c.actor_id,
    ledger.c.counts_at,
    sqlite_where=text("movement = 'grant'"),
    postgresql_where=text("movement = 'grant'"),
)
# Credits move once: a task is reserved once, and then either settled or refunded.
Index(
    "uq_ledger_task_id_movement",
    ledger.c.task_id,
    ledger.c.movement,
    unique=True,
)
Index(
    "uq_ledger_ended_once",
    ledger.c.task_id,
    unique=True,
    sqlite_where=text("movement IN ('settle', 'refund', 'goodwill')"),
    postgresql_where=text("movement IN ('settle', 'refund', 'goodwill')"),
)

# Without these, each row that a foreign key refers to takes a look at the whole table when it is deleted.
Index("ix_ledger_generation_id", ledger.c.generation_id)
# Grants, resets and changes that may be folded.
Index(
    "ix_ledger_single",
    ledger.c.id,
    sqlite_where=text("task_id IS NULL AND folded = 0"),
    postgresql_where=text("task_id IS NULL AND folded = 0"),
)

# The table is its primary key: in SQLite it is stored in that order, without another index.
ledger_totals = Table("ledger_totals", metadata, _LedgerTotalColumns, sqlite_with_rowid=False)

rules = Table("rules", metadata, _RuleColumns)

servers = Table("servers", metadata, _ServerColumns)

credit_requests = Table("credit_requests", metadata, _RequestColumns)
# One open request per member and server.
Index(
    "uq_credit_requests_open",
    credit_requests.c.user_id,
    credit_requests.c.guild_id,
    unique=True,
    sqlite_where=text("state = 'open'"),
    postgresql_where=text("state = 'open'"),
)
# Decisions that the member has not been notified of.
Index(
    "ix_credit_requests_untold",
    credit_requests.c.id,
    sqlite_where=text("untold IS NOT NULL"),
    postgresql_where=text("untold IS NOT NULL"),
)
