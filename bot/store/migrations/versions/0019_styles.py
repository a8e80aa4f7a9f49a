"""Styles, reference sets, and with which style a request was made."""

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"


def upgrade() -> None:
    op.add_column("generations", sa.Column("style", sa.Text(), nullable=True))
    op.add_column("generations", sa.Column("template", sa.Text(), nullable=True))
    op.create_table(
        "reference_sets",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reference_sets"),
    )
    op.create_index("uq_reference_sets_user_id", "reference_sets", ["user_id", "guild_id", "key"], unique=True)
    op.create_table(
        "reference_set_images",
        sa.Column("set_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("spoiler", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["set_id"], ["reference_sets.id"], name="fk_reference_set_images_set_id"),
        sa.PrimaryKeyConstraint("set_id", "position", name="pk_reference_set_images"),
    )
    op.create_index("ix_reference_set_images_digest", "reference_set_images", ["digest"])
    op.create_table(
        "styles",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("model", sa.String(24), nullable=True),
        sa.Column("aspect_ratio", sa.String(24), nullable=True),
        sa.Column("set_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["set_id"], ["reference_sets.id"], name="fk_styles_set_id"),
        sa.PrimaryKeyConstraint("id", name="pk_styles"),
    )
    op.create_index("ix_styles_set_id", "styles", ["set_id"])
    op.create_index("uq_styles_user_id", "styles", ["user_id", "guild_id", "key"], unique=True)
