"""Undelivered generations, and decisions on credit requests that members have not been notified of."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    op.create_table(
        "undelivered",
        sa.Column("generation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name="fk_undelivered_generation_id"),
        sa.PrimaryKeyConstraint("generation_id", name="pk_undelivered"),
    )
    # Nothing ever depended on whether posting had begun, and recording it cost a write just before each post.
    op.execute("UPDATE generations SET delivery = 'none' WHERE delivery = 'begun'")
    op.add_column("credit_requests", sa.Column("untold", sa.Text()))
