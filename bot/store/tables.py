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
    LargeBinary,
    MetaData,
    Named,
    String,
    Table,
    TypedColumns,
    false,
    text,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from bot.domain.erasure import ErasureKind
from bot.domain.generation import Delivery
from bot.domain.ids import (
    ChannelId,
    GenerationId,
    GuildId,
    ImageId,
    KieTaskId,
    MessageId,
    PendingCardId,
    TaskId,
    UserId,
)
from bot.domain.settings import AspectRatio, Model, Resolution
from bot.domain.states import Failure, TaskState
from bot.store.types import CreditAmount, PlainText, UtcTime, choice

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def column(kind: TypeEngine[Any] | type[TypeEngine[Any]], *constraints: SchemaItem, **options: Any) -> Column[Any]:
    """A column whose annotation declares a narrower Python type than its SQL type has."""
    return Column(kind, *constraints, **options)


class _GenerationColumns(TypedColumns):
    id: Named[GenerationId] = column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = column(BigInteger)
    guild_id: Named[GuildId] = column(BigInteger)
    created_at: Named[datetime] = column(UtcTime)
    prompt: Named[str] = column(PlainText)
    model: Named[Model] = column(choice(Model))
    aspect_ratio: Named[AspectRatio] = column(choice(AspectRatio))
    resolution: Named[Resolution] = column(choice(Resolution))
    steps: Named[int | None] = column(Integer)
    guidance: Named[float | None] = column(Float)
    reference_count: Named[int] = column(Integer)
    unit_price: Named[Decimal] = column(CreditAmount)
    channel_id: Named[ChannelId] = column(BigInteger)
    application_id: Named[int] = column(BigInteger)
    interaction_token: Named[str] = column(PlainText)
    token_expires_at: Named[datetime] = column(UtcTime)
    message_id: Named[MessageId | None] = column(BigInteger)
    private: Named[bool] = column(Boolean)
    upload_limit: Named[int] = column(BigInteger)
    delivery: Named[Delivery] = column(choice(Delivery), index=True)
    origin_channel_id: Named[ChannelId | None] = column(BigInteger)
    origin_message_id: Named[MessageId | None] = column(BigInteger)
    origin_image_id: Named[ImageId | None] = column(BigInteger)
    roles: Named[list[int] | None] = column(JSON)
    event_id: Named[int | None] = column(BigInteger)
    """The interaction or message that asked for it: each is one order, however often Discord sends it."""
    spoiler: Named[bool] = column(Boolean, server_default=false())
    style: Named[str | None] = column(PlainText)
    template: Named[str | None] = column(PlainText)
    outside_guild_id: Named[GuildId | None] = column(BigInteger)
    """The server where it is shown, if the bot is not in it and the account is the member's own."""


class _ReferenceColumns(TypedColumns):
    generation_id: Named[GenerationId] = column(BigInteger, ForeignKey("generations.id"), primary_key=True)
    position: Named[int] = column(Integer, primary_key=True, autoincrement=False)
    url: Named[str] = column(PlainText)
    filename: Named[str] = column(PlainText)
    digest: Named[str | None] = column(String(64), index=True)
    owner_id: Named[UserId | None] = column(BigInteger, index=True)


class _TaskColumns(TypedColumns):
    id: Named[TaskId] = column(BigInteger, primary_key=True, autoincrement=False)
    generation_id: Named[GenerationId] = column(BigInteger, ForeignKey("generations.id"), index=True)
    user_id: Named[UserId] = column(BigInteger)
    position: Named[int] = column(Integer)
    state: Named[TaskState] = column(choice(TaskState))
    created_at: Named[datetime] = column(UtcTime)
    kie_task_id: Named[KieTaskId | None] = column(String(128), unique=True)
    submitted_at: Named[datetime | None] = column(UtcTime)
    deadline: Named[datetime | None] = column(UtcTime)
    finished_at: Named[datetime | None] = column(UtcTime)
    seconds: Named[float | None] = column(Float)
    consumed: Named[Decimal | None] = column(CreditAmount)
    result_url: Named[str | None] = column(PlainText)
    failure: Named[Failure | None] = column(choice(Failure))
    free: Named[bool] = column(Boolean)


class _ImageColumns(TypedColumns):
    id: Named[ImageId] = column(BigInteger, ForeignKey("tasks.id"), primary_key=True, autoincrement=False)
    generation_id: Named[GenerationId] = column(BigInteger, ForeignKey("generations.id"), index=True)
    parent_id: Named[ImageId | None] = column(BigInteger, ForeignKey("images.id"))
    channel_id: Named[ChannelId] = column(BigInteger)
    message_id: Named[MessageId] = column(BigInteger, index=True)
    filename: Named[str] = column(PlainText)
    posted_at: Named[datetime] = column(UtcTime)
    shared: Named[bool] = column(Boolean, server_default=false())


class _UndeliveredColumns(TypedColumns):
    generation_id: Named[GenerationId] = column(
        BigInteger, ForeignKey("generations.id"), primary_key=True, autoincrement=False
    )
    user_id: Named[UserId] = column(BigInteger, index=True)
    since: Named[datetime] = column(UtcTime)


class _KeyValueColumns(TypedColumns):
    key: Named[str] = column(String(64), primary_key=True)
    value: Named[str] = column(PlainText)


class _UploadColumns(TypedColumns):
    digest: Named[str] = column(String(64), primary_key=True)
    url: Named[str] = column(PlainText)
    uploaded_at: Named[datetime] = column(UtcTime, index=True)


class _LeaseColumns(TypedColumns):
    name: Named[str] = column(String(64), primary_key=True)
    term: Named[int] = column(BigInteger)
    until: Named[datetime] = column(UtcTime)
    told: Named[str | None] = column(PlainText)


class _PendingCardColumns(TypedColumns):
    id: Named[PendingCardId] = column(BigInteger, primary_key=True, autoincrement=False)
    lease: Named[str] = column(String(64))
    """By which lease, and in which term, a process sees to the card."""
    term: Named[int] = column(BigInteger)
    card: Named[dict[str, Any]] = column(JSON)


class _ReferenceImageColumns(TypedColumns):
    digest: Named[str] = column(String(64), primary_key=True)
    suffix: Named[str] = column(String(8))
    data: Named[bytes] = column(LargeBinary)
    size: Named[int] = column(Integer)
    used_at: Named[datetime] = column(UtcTime, index=True)


class _ErasureColumns(TypedColumns):
    kind: Named[ErasureKind] = column(choice(ErasureKind), primary_key=True)
    subject: Named[int] = column(BigInteger, primary_key=True, autoincrement=False)
    asked_at: Named[datetime] = column(UtcTime)
    erased_at: Named[datetime | None] = column(UtcTime)
    unname_at: Named[datetime | None] = column(UtcTime)
    through: Named[int] = column(BigInteger)
    """The last row of the ledger that is from before."""


class _PreviewColumns(TypedColumns):
    image_id: Named[ImageId] = column(
        BigInteger, ForeignKey("images.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    data: Named[bytes] = column(LargeBinary)


class _FavouriteColumns(TypedColumns):
    user_id: Named[UserId] = column(BigInteger, primary_key=True, autoincrement=False)
    image_id: Named[ImageId] = column(
        BigInteger, ForeignKey("images.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    saved_at: Named[datetime] = column(UtcTime)


class _PreferenceColumns(TypedColumns):
    user_id: Named[UserId] = column(BigInteger, primary_key=True, autoincrement=False)
    model: Named[Model | None] = column(choice(Model))
    aspect_ratio: Named[AspectRatio | None] = column(choice(AspectRatio))
    resolution: Named[Resolution | None] = column(choice(Resolution))
    count: Named[int | None] = column(Integer)
    private: Named[bool] = column(Boolean)
    ping: Named[bool] = column(Boolean)
    confirm_above: Named[Decimal | None] = column(CreditAmount)


class _GreetingColumns(TypedColumns):
    guild_id: Named[GuildId] = column(BigInteger, primary_key=True, autoincrement=False)
    joined_at: Named[datetime] = column(UtcTime)
    """When the bot had joined the server that was greeted, by Discord's clock."""


generations = Table("generations", metadata, _GenerationColumns)
Index("ix_generations_user_id_id", generations.c.user_id, generations.c.id)
Index(
    "uq_generations_event_id",
    generations.c.event_id,
    unique=True,
    sqlite_where=text("event_id IS NOT NULL"),
    postgresql_where=text("event_id IS NOT NULL"),
)

references = Table("generation_references", metadata, _ReferenceColumns)

tasks = Table("tasks", metadata, _TaskColumns)
Index("ix_tasks_state_user_id", tasks.c.state, tasks.c.user_id)
Index(
    "ix_tasks_delivered",
    tasks.c.user_id,
    tasks.c.id,
    sqlite_where=text("state = 'delivered'"),
    postgresql_where=text("state = 'delivered'"),
)
Index("ix_tasks_submitted_at", tasks.c.submitted_at)
Index(
    "ix_tasks_orphans",
    tasks.c.state,
    sqlite_where=text("failure = 'unknown_outcome'"),
    postgresql_where=text("failure = 'unknown_outcome'"),
)

images = Table("images", metadata, _ImageColumns)
Index(
    "ix_images_parent_id",
    images.c.parent_id,
    sqlite_where=text("parent_id IS NOT NULL"),
    postgresql_where=text("parent_id IS NOT NULL"),
)

undelivered = Table("undelivered", metadata, _UndeliveredColumns)

key_values = Table("facts", metadata, _KeyValueColumns)

uploads = Table("uploads", metadata, _UploadColumns)

leases = Table("leases", metadata, _LeaseColumns)

pending_cards = Table("pending_cards", metadata, _PendingCardColumns)

reference_images = Table("reference_images", metadata, _ReferenceImageColumns)

erasures = Table("erasures", metadata, _ErasureColumns)

previews = Table("previews", metadata, _PreviewColumns)

favourites = Table("favourites", metadata, _FavouriteColumns)

preferences = Table("preferences", metadata, _PreferenceColumns)

greetings = Table("greetings", metadata, _GreetingColumns)
