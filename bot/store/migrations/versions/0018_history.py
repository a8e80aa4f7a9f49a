"""Previews and favourites of posted images, the index of their words, and an index by member.

On SQLite the words stand in a full-text table of their own, which triggers keep in step with images and prompts: a
later migration that recreates ``images`` or ``generations`` has to recreate the triggers, too. On PostgreSQL they are a
generated column: computing them from a prompt takes 0.05 ms, which a member with 10,000 images would wait for.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"

# Member, server and model are words, too: what somebody looks for is found among their own images.
_SQLITE = (
    """
    CREATE VIRTUAL TABLE image_words
    USING fts5(words, content='', columnsize=0, tokenize="unicode61 remove_diacritics 0")
    """,
    """
    INSERT INTO image_words (rowid, words)
    SELECT i.id, 'member' || g.user_id || ' server' || g.guild_id || ' model' || g.model || ' ' || g.prompt
    FROM images i JOIN generations g ON g.id = i.generation_id ORDER BY i.id
    """,
    """
    CREATE TRIGGER images_words_added AFTER INSERT ON images BEGIN
        INSERT INTO image_words (rowid, words)
        SELECT new.id, 'member' || g.user_id || ' server' || g.guild_id || ' model' || g.model || ' ' || g.prompt
        FROM generations g WHERE g.id = new.generation_id;
    END
    """,
    """
    CREATE TRIGGER images_words_deleted AFTER DELETE ON images BEGIN
        INSERT INTO image_words (image_words, rowid, words)
        SELECT 'delete', old.id,
            'member' || g.user_id || ' server' || g.guild_id || ' model' || g.model || ' ' || g.prompt
        FROM generations g WHERE g.id = old.generation_id;
    END
    """,
    """
    CREATE TRIGGER generations_words_changed AFTER UPDATE OF prompt, user_id ON generations BEGIN
        INSERT INTO image_words (image_words, rowid, words)
        SELECT 'delete', i.id,
            'member' || old.user_id || ' server' || old.guild_id || ' model' || old.model || ' ' || old.prompt
        FROM images i WHERE i.generation_id = old.id;
        INSERT INTO image_words (rowid, words)
        SELECT i.id, 'member' || new.user_id || ' server' || new.guild_id || ' model' || new.model || ' ' || new.prompt
        FROM images i WHERE i.generation_id = new.id;
    END
    """,
)
# Between letters these would make an address, a file or a compound of them, or hide them as markup.
_POSTGRESQL = (
    """
    ALTER TABLE generations ADD COLUMN words tsvector GENERATED ALWAYS AS (to_tsvector('simple',
        'member' || CAST(user_id AS text) || ' server' || CAST(guild_id AS text) || ' model' || model || ' ' ||
        translate(prompt, '-/.@_+<>&', '         '))) STORED
    """,
    "CREATE INDEX ix_generations_words ON generations USING gin (words)",
)


def upgrade() -> None:
    op.create_table(
        "previews",
        sa.Column("image_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_previews_image_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", name="pk_previews"),
    )
    op.create_table(
        "favourites",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("image_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_favourites_image_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "image_id", name="pk_favourites"),
    )
    op.create_index("ix_favourites_image_id", "favourites", ["image_id"])
    delivered = sa.text("state = 'delivered'")
    op.create_index(
        "ix_tasks_delivered", "tasks", ["user_id", "id"], sqlite_where=delivered, postgresql_where=delivered
    )
    for statement in _SQLITE if op.get_context().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)
