"""The tables as the migrations create them; a test compares the two."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    text,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from bot.domain.credit_requests import CreditRequestState
from bot.domain.credits import Movement, Period
from bot.domain.generation import Delivery
from bot.domain.ids import (
    ChannelId,
    CreditRequestId,
    DraftId,
    GenerationId,
    GuildId,
    ImageId,
    KieTaskId,
    MessageId,
    RoleId,
    TaskId,
    UserId,
)
from bot.domain.ledger import Decision, RecordedChange
from bot.domain.rules import ReplyMode, Scope
from bot.domain.settings import AspectRatio, Model, Resolution
from bot.domain.states import Failure, TaskState
from bot.store.changes import ChangeJson
from bot.store.types import CreditAmount, UtcTime, choice

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _column(kind: TypeEngine[Any] | type[TypeEngine[Any]], *constraints: SchemaItem, **options: Any) -> Column[Any]:
    """A column whose annotation declares a narrower Python type than its SQL type has."""
    return Column(kind, *constraints, **options)


class _GenerationColumns(TypedColumns):
    id: Named[GenerationId] = _column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = _column(BigInteger)
    guild_id: Named[GuildId] = _column(BigInteger)
    created_at: Named[datetime] = _column(UtcTime)
    prompt: Named[str] = _column(Text)
    model: Named[Model] = _column(choice(Model))
    aspect_ratio: Named[AspectRatio] = _column(choice(AspectRatio))
    resolution: Named[Resolution] = _column(choice(Resolution))
    steps: Named[int | None] = _column(Integer)
    guidance: Named[float | None] = _column(Float)
    reference_count: Named[int] = _column(Integer)
    unit_price: Named[Decimal] = _column(CreditAmount)
    channel_id: Named[ChannelId] = _column(BigInteger)
    application_id: Named[int] = _column(BigInteger)
    interaction_token: Named[str] = _column(Text)
    token_expires_at: Named[datetime] = _column(UtcTime)
    message_id: Named[MessageId | None] = _column(BigInteger)
    private: Named[bool] = _column(Boolean)
    upload_limit: Named[int] = _column(BigInteger)
    delivery: Named[Delivery] = _column(choice(Delivery), index=True)
    origin_channel_id: Named[ChannelId | None] = _column(BigInteger)
    origin_message_id: Named[MessageId | None] = _column(BigInteger)
    origin_image_id: Named[ImageId | None] = _column(BigInteger)
    roles: Named[list[int] | None] = _column(JSON)


class _ReferenceColumns(TypedColumns):
    generation_id: Named[GenerationId] = _column(BigInteger, ForeignKey("generations.id"), primary_key=True)
    position: Named[int] = _column(Integer, primary_key=True, autoincrement=False)
    url: Named[str] = _column(Text)
    filename: Named[str] = _column(Text)
    digest: Named[str | None] = _column(String(64))
    owner_id: Named[UserId | None] = _column(BigInteger)


class _TaskColumns(TypedColumns):
    id: Named[TaskId] = _column(BigInteger, primary_key=True, autoincrement=False)
    generation_id: Named[GenerationId] = _column(BigInteger, ForeignKey("generations.id"), index=True)
    user_id: Named[UserId] = _column(BigInteger)
    position: Named[int] = _column(Integer)
    state: Named[TaskState] = _column(choice(TaskState))
    created_at: Named[datetime] = _column(UtcTime)
    kie_task_id: Named[KieTaskId | None] = _column(String(128), unique=True)
    submitted_at: Named[datetime | None] = _column(UtcTime)
    deadline: Named[datetime | None] = _column(UtcTime)
    finished_at: Named[datetime | None] = _column(UtcTime)
    seconds: Named[float | None] = _column(Float)
    consumed: Named[Decimal | None] = _column(CreditAmount)
    result_url: Named[str | None] = _column(Text)
    failure: Named[Failure | None] = _column(choice(Failure))
    free: Named[bool] = _column(Boolean)


class _ImageColumns(TypedColumns):
    id: Named[ImageId] = _column(BigInteger, ForeignKey("tasks.id"), primary_key=True, autoincrement=False)
    generation_id: Named[GenerationId] = _column(BigInteger, ForeignKey("generations.id"), index=True)
    parent_id: Named[ImageId | None] = _column(BigInteger, ForeignKey("images.id"))
    channel_id: Named[ChannelId] = _column(BigInteger)
    message_id: Named[MessageId] = _column(BigInteger, index=True)
    filename: Named[str] = _column(Text)
    posted_at: Named[datetime] = _column(UtcTime)


class _LedgerColumns(TypedColumns):
    id: Named[int] = _column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Named[datetime] = _column(UtcTime)
    counts_at: Named[datetime] = _column(UtcTime)
    user_id: Named[UserId] = _column(BigInteger)
    guild_id: Named[GuildId] = _column(BigInteger)
    movement: Named[Movement] = _column(choice(Movement))
    credits: Named[Decimal] = _column(CreditAmount)
    generation_id: Named[GenerationId | None] = _column(BigInteger, ForeignKey("generations.id"))
    task_id: Named[TaskId | None] = _column(BigInteger, ForeignKey("tasks.id"))
    bonus: Named[Decimal] = _column(CreditAmount)
    round: Named[int] = _column(Integer)
    actor_id: Named[UserId | None] = _column(BigInteger)
    note: Named[str] = _column(Text)
    change: Named[RecordedChange | None] = _column(ChangeJson)


class _RuleColumns(TypedColumns):
    guild_id: Named[GuildId] = _column(BigInteger, primary_key=True, autoincrement=False)
    scope: Named[Scope] = _column(choice(Scope), primary_key=True)
    subject: Named[int] = _column(BigInteger, primary_key=True, autoincrement=False)
    credits: Named[Decimal | None] = _column(CreditAmount)
    period: Named[Period] = _column(choice(Period))


class _ServerColumns(TypedColumns):
    guild_id: Named[GuildId] = _column(BigInteger, primary_key=True, autoincrement=False)
    zone: Named[str] = _column(String(64))
    manager_role_id: Named[RoleId | None] = _column(BigInteger)
    requests_channel_id: Named[ChannelId | None] = _column(BigInteger)
    channels: Named[list[int]] = _column(JSON)
    replies: Named[ReplyMode] = _column(choice(ReplyMode), server_default=ReplyMode.ASK.value)


class _RequestColumns(TypedColumns):
    id: Named[CreditRequestId] = _column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = _column(BigInteger)
    guild_id: Named[GuildId] = _column(BigInteger)
    asked_at: Named[datetime] = _column(UtcTime)
    asked_in: Named[ChannelId] = _column(BigInteger)
    state: Named[CreditRequestState] = _column(choice(CreditRequestState))
    channel_id: Named[ChannelId | None] = _column(BigInteger)
    message_id: Named[MessageId | None] = _column(BigInteger)
    untold: Named[Decision | None] = _column(ChangeJson)
    """A decision that its member has not been notified of."""


class _UndeliveredColumns(TypedColumns):
    generation_id: Named[GenerationId] = _column(
        BigInteger, ForeignKey("generations.id"), primary_key=True, autoincrement=False
    )
    user_id: Named[UserId] = _column(BigInteger)
    since: Named[datetime] = _column(UtcTime)


class _KeyValueColumns(TypedColumns):
    key: Named[str] = _column(String(64), primary_key=True)
    value: Named[str] = _column(Text)


class _UploadColumns(TypedColumns):
    digest: Named[str] = _column(String(64), primary_key=True)
    url: Named[str] = _column(Text)
    uploaded_at: Named[datetime] = _column(UtcTime, index=True)


class _DraftColumns(TypedColumns):
    id: Named[DraftId] = _column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = _column(BigInteger)
    created_at: Named[datetime] = _column(UtcTime, index=True)
    channel_id: Named[ChannelId] = _column(BigInteger)
    message_id: Named[MessageId] = _column(BigInteger)
    sources: Named[list[dict[str, Any]]] = _column(JSON)
    prompt: Named[str | None] = _column(Text)
    question_id: Named[MessageId | None] = _column(BigInteger)


generations = Table("generations", metadata, _GenerationColumns)

references = Table("generation_references", metadata, _ReferenceColumns)

tasks = Table("tasks", metadata, _TaskColumns)
Index("ix_tasks_state_user_id", tasks.c.state, tasks.c.user_id)
Index("ix_tasks_submitted_at", tasks.c.submitted_at)
Index(
    "ix_tasks_orphans",
    tasks.c.state,
    sqlite_where=text("failure = 'unknown_outcome'"),
    postgresql_where=text("failure = 'unknown_outcome'"),
)

images = Table("images", metadata, _ImageColumns)

ledger = Table("ledger", metadata, _LedgerColumns)
Index("ix_ledger_account", ledger.c.user_id, ledger.c.guild_id, ledger.c.counts_at)
Index("ix_ledger_guild_id_counts_at", ledger.c.guild_id, ledger.c.counts_at, ledger.c.movement, ledger.c.credits)
Index("ix_ledger_counts_at", ledger.c.counts_at, ledger.c.movement, ledger.c.credits)
Index("ix_ledger_guild_id", ledger.c.guild_id, ledger.c.id)
Index("ix_ledger_user_id_guild_id", ledger.c.user_id, ledger.c.guild_id, ledger.c.id)
Index(
    "ix_ledger_bonus",
    ledger.c.user_id,
    ledger.c.guild_id,
    ledger.c.bonus,
    sqlite_where=text("bonus <> 0"),
    postgresql_where=text("bonus <> 0"),
)
Index(
    "ix_ledger_resets",
    ledger.c.user_id,
    ledger.c.guild_id,
    ledger.c.round,
    sqlite_where=text("movement = 'reset'"),
    postgresql_where=text("movement = 'reset'"),
)
# Credits move once: a task is reserved once, and then either settled or refunded.
Index(
    "uq_ledger_reserved_once",
    ledger.c.task_id,
    unique=True,
    sqlite_where=text("movement = 'reserve'"),
    postgresql_where=text("movement = 'reserve'"),
)
Index(
    "uq_ledger_ended_once",
    ledger.c.task_id,
    unique=True,
    sqlite_where=text("movement IN ('settle', 'refund', 'goodwill')"),
    postgresql_where=text("movement IN ('settle', 'refund', 'goodwill')"),
)

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

undelivered = Table("undelivered", metadata, _UndeliveredColumns)

key_values = Table("facts", metadata, _KeyValueColumns)

uploads = Table("uploads", metadata, _UploadColumns)

drafts = Table("drafts", metadata, _DraftColumns)
Index(
    "ix_drafts_questions",
    drafts.c.user_id,
    drafts.c.channel_id,
    sqlite_where=text("question_id IS NOT NULL"),
    postgresql_where=text("question_id IS NOT NULL"),
)
