"""Quotas: rules, server settings, requests for credits, and a ledger with grants, resets and changes of rules."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    _widen_the_ledger()
    op.add_column("generations", sa.Column("roles", sa.JSON()))
    op.create_table(
        "rules",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.String(24), nullable=False),
        sa.Column("subject", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("credits", sa.BigInteger()),
        sa.Column("period", sa.String(24), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", "scope", "subject", name="pk_rules"),
    )
    op.create_table(
        "servers",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("manager_role_id", sa.BigInteger()),
        sa.Column("requests_channel_id", sa.BigInteger()),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name="pk_servers"),
    )
    op.create_table(
        "credit_requests",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_in", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("channel_id", sa.BigInteger()),
        sa.Column("message_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_credit_requests"),
    )
    _partial("uq_credit_requests_open", "credit_requests", ["user_id", "guild_id"], "state = 'open'", unique=True)


def _widen_the_ledger() -> None:
    """Allow rows without a task."""
    if op.get_bind().dialect.name == "sqlite":
        _copy_the_ledger()
    else:
        _alter_the_ledger()
    op.create_index("ix_ledger_account", "ledger", ["user_id", "guild_id", "counts_at"])
    op.create_index("ix_ledger_guild_id_counts_at", "ledger", ["guild_id", "counts_at", "movement", "credits"])
    op.create_index("ix_ledger_counts_at", "ledger", ["counts_at", "movement", "credits"])
    op.create_index("ix_ledger_guild_id", "ledger", ["guild_id", "id"])
    op.create_index("ix_ledger_user_id_guild_id", "ledger", ["user_id", "guild_id", "id"])
    _partial("ix_ledger_bonus", "ledger", ["user_id", "guild_id", "bonus"], "bonus <> 0")
    _partial("ix_ledger_resets", "ledger", ["user_id", "guild_id", "round"], "movement = 'reset'")
    _partial("uq_ledger_reserved_once", "ledger", ["task_id"], "movement = 'reserve'", unique=True)
    _partial("uq_ledger_ended_once", "ledger", ["task_id"], "movement IN ('settle', 'refund', 'goodwill')", unique=True)


def _alter_the_ledger() -> None:
    for index in ("ix_ledger_account", "uq_ledger_reserved_once", "uq_ledger_ended_once"):
        op.drop_index(index, "ledger")
    for column in ("generation_id", "task_id"):
        op.alter_column("ledger", column, nullable=True)
    # The table is empty: no version before this one ran on anything but SQLite.
    op.add_column("ledger", sa.Column("bonus", sa.BigInteger(), nullable=False))
    op.add_column("ledger", sa.Column("round", sa.Integer(), nullable=False))
    op.add_column("ledger", sa.Column("actor_id", sa.BigInteger()))
    op.add_column("ledger", sa.Column("note", sa.Text(), nullable=False))


def _copy_the_ledger() -> None:
    """SQLite cannot drop NOT NULL from a column."""
    op.create_table(
        "ledger_widened",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("movement", sa.String(24), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("generation_id", sa.BigInteger()),
        sa.Column("task_id", sa.BigInteger()),
        sa.Column("bonus", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("actor_id", sa.BigInteger()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name="fk_ledger_generation_id"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_ledger_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger"),
    )
    op.execute(
        "INSERT INTO ledger_widened "
        "(id, at, counts_at, user_id, guild_id, movement, credits, generation_id, task_id, bonus, round, note) "
        "SELECT id, at, counts_at, user_id, guild_id, movement, credits, generation_id, task_id, 0, 0, '' "
        "FROM ledger ORDER BY id"
    )
    op.drop_table("ledger")
    op.rename_table("ledger_widened", "ledger")


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
