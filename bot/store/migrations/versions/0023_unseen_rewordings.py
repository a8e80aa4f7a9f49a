"""Drafts whose members have paid for rewordings that they have not seen yet."""

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"


def upgrade() -> None:
    op.add_column("drafts", sa.Column("charge_id", sa.BigInteger(), nullable=True))
    is_unseen = sa.text("charge_id IS NOT NULL")
    op.create_index("ix_drafts_unseen", "drafts", ["created_at"], sqlite_where=is_unseen, postgresql_where=is_unseen)
