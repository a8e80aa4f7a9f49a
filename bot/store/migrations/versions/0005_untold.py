"""What could not be told: pictures without a place, and decisions on requests whose member does not know of them."""

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
    # Whether posting had begun made no difference to anybody, and cost a write in the moment that matters most.
    op.execute("UPDATE generations SET delivery = 'none' WHERE delivery = 'begun'")
    op.add_column("credit_requests", sa.Column("untold", sa.Text()))
