"""Members' preferences, commands that wait for their member's yes, and places that the bot is not in."""

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"


def upgrade() -> None:
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(24), nullable=True),
        sa.Column("aspect_ratio", sa.String(24), nullable=True),
        sa.Column("resolution", sa.String(24), nullable=True),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("ping", sa.Boolean(), nullable=False),
        sa.Column("confirm_above", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name="pk_preferences"),
    )
    op.add_column("drafts", sa.Column("chosen", sa.JSON()))
    op.add_column("generations", sa.Column("outside_guild_id", sa.BigInteger()))
