"""Images with their parents, drafts of edits, and the origin of a generation that is an edit."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.add_column("generations", sa.Column("origin_channel_id", sa.BigInteger()))
    op.add_column("generations", sa.Column("origin_message_id", sa.BigInteger()))
    op.add_column("generations", sa.Column("origin_image_id", sa.BigInteger()))
    op.add_column("generation_references", sa.Column("digest", sa.String(length=64)))
    op.create_table(
        "images",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger()),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
        sa.ForeignKeyConstraint(["id"], ["tasks.id"], name="fk_images_id"),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name="fk_images_generation_id"),
        sa.ForeignKeyConstraint(["parent_id"], ["images.id"], name="fk_images_parent_id"),
    )
    op.create_index("ix_images_generation_id", "images", ["generation_id"])
    op.create_index("ix_images_message_id", "images", ["message_id"])
    op.create_table(
        "drafts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drafts"),
    )
    op.create_index("ix_drafts_created_at", "drafts", ["created_at"])
