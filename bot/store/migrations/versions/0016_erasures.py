"""Erasures that were asked for; a member's requests, and those with a file, are found by an index."""

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("subject", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unname_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("through", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name="pk_erasures"),
    )
    op.create_index("ix_generations_user_id_id", "generations", ["user_id", "id"])
    op.create_index("ix_generation_references_digest", "generation_references", ["digest"])
    op.create_index("ix_generation_references_owner_id", "generation_references", ["owner_id"])
