"""Which servers were greeted, and when the bot had joined them; forms whose words their members still choose."""

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"


def upgrade() -> None:
    op.create_table(
        "greetings",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name="pk_greetings"),
    )
    op.add_column("drafts", sa.Column("form", sa.JSON(), nullable=True))
