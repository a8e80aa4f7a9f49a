"""The tables of styles and reference sets, of members and of servers."""

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, Named, String, Table, TypedColumns

from bot.domain.ids import GuildId, ReferenceSetId, StyleId, UserId
from bot.domain.settings import AspectRatio, Model
from bot.store.quota_tables import metadata
from bot.store.tables import column
from bot.store.types import PlainText, choice


class _ReferenceSetColumns(TypedColumns):
    id: Named[ReferenceSetId] = column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = column(BigInteger)
    """Whose it is; 0 for a server's. Of a member's, the server is 0."""
    guild_id: Named[GuildId] = column(BigInteger)
    key: Named[str] = column(PlainText)
    name: Named[str] = column(PlainText)


class _SetImageColumns(TypedColumns):
    set_id: Named[ReferenceSetId] = column(BigInteger, ForeignKey("reference_sets.id"), primary_key=True)
    position: Named[int] = column(Integer, primary_key=True, autoincrement=False)
    filename: Named[str] = column(PlainText)
    digest: Named[str] = column(String(64), index=True)
    size: Named[int] = column(Integer)
    spoiler: Named[bool] = column(Boolean)


class _StyleColumns(TypedColumns):
    id: Named[StyleId] = column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = column(BigInteger)
    guild_id: Named[GuildId] = column(BigInteger)
    key: Named[str] = column(PlainText)
    name: Named[str] = column(PlainText)
    template: Named[str] = column(PlainText)
    model: Named[Model | None] = column(choice(Model))
    aspect_ratio: Named[AspectRatio | None] = column(choice(AspectRatio))
    set_id: Named[ReferenceSetId | None] = column(BigInteger, ForeignKey("reference_sets.id"), index=True)


reference_sets = Table("reference_sets", metadata, _ReferenceSetColumns)
Index(
    "uq_reference_sets_user_id",
    reference_sets.c.user_id,
    reference_sets.c.guild_id,
    reference_sets.c.key,
    unique=True,
)

set_images = Table("reference_set_images", metadata, _SetImageColumns)

styles = Table("styles", metadata, _StyleColumns)
Index("uq_styles_user_id", styles.c.user_id, styles.c.guild_id, styles.c.key, unique=True)
