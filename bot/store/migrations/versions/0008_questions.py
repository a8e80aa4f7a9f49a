"""What a server makes of replies, and drafts that are questions to members."""

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"

_QUESTIONS = sa.text("question_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("servers", sa.Column("replies", sa.String(24), nullable=False, server_default="ask"))
    op.add_column("drafts", sa.Column("prompt", sa.Text()))
    op.add_column("drafts", sa.Column("question_id", sa.BigInteger()))
    op.create_index(
        "ix_drafts_questions",
        "drafts",
        ["user_id", "channel_id"],
        sqlite_where=_QUESTIONS,
        postgresql_where=_QUESTIONS,
    )
