"""The table of drafts: what members have begun, and not asked for yet."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Named, Table, TypedColumns, text

from bot.domain.ids import ChannelId, DraftId, MessageId, UserId
from bot.store.tables import column, metadata
from bot.store.types import PlainText, UtcTime


class _DraftColumns(TypedColumns):
    id: Named[DraftId] = column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Named[UserId] = column(BigInteger)
    created_at: Named[datetime] = column(UtcTime, index=True)
    channel_id: Named[ChannelId] = column(BigInteger)
    message_id: Named[MessageId] = column(BigInteger)
    sources: Named[list[dict[str, Any]]] = column(JSON)
    prompt: Named[str | None] = column(PlainText)
    question_id: Named[MessageId | None] = column(BigInteger)
    chosen: Named[dict[str, Any] | None] = column(JSON(none_as_null=True))
    """What a command asked for beside the prompt, while it waits for its member's yes."""
    form: Named[dict[str, Any] | None] = column(JSON(none_as_null=True))
    charge_id: Named[int | None] = column(BigInteger)
    """The row of the ledger that paid for what its member has not seen yet."""


drafts = Table("drafts", metadata, _DraftColumns)
Index(
    "ix_drafts_questions",
    drafts.c.user_id,
    drafts.c.channel_id,
    sqlite_where=text("question_id IS NOT NULL"),
    postgresql_where=text("question_id IS NOT NULL"),
)

Index(
    "ix_drafts_unseen",
    drafts.c.created_at,
    sqlite_where=text("charge_id IS NOT NULL"),
    postgresql_where=text("charge_id IS NOT NULL"),
)
