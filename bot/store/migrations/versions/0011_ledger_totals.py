"""Totals of the ledger by quarter of an hour, built from its rows; indexes that summed it up go, others shrink."""

import sqlalchemy as sa
from alembic import op

from bot.store.clauses import QuarterOf

revision: str = "0011"
down_revision: str | None = "0010"

_L = sa.table(
    "ledger", *map(sa.column, ("counts_at", "user_id", "guild_id", "movement", "credits", "bonus", "round"))
).c
_GUILD, _USER = _L.guild_id.label("guild_id"), _L.user_id.label("user_id")
_QUARTER = QuarterOf(_L.counts_at).label("quarter")
_NONE = sa.literal_column("0", sa.BigInteger())
_MEMBERS = _L.movement.in_(("reserve", "refund", "goodwill"))
_SERVERS = _L.movement.in_(("reserve", "refund", "late"))


def upgrade() -> None:
    totals = op.create_table(
        "ledger_totals",
        sa.Column("total", sa.String(24), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("quarter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("total", "guild_id", "user_id", "round", "quarter", name="pk_ledger_totals"),
        sqlite_with_rowid=False,
    )
    columns = [column.name for column in totals.columns]
    spent = sa.func.sum(_L.credits)
    for total in (
        sa.select(sa.literal("allowance"), _GUILD, _USER, _L.round, _QUARTER, sa.func.sum(_L.credits - _L.bonus))
        .where(_MEMBERS)
        .group_by("guild_id", "user_id", "round", "quarter"),
        sa.select(sa.literal("bonus"), _GUILD, _USER, _NONE, _NONE, sa.func.sum(_L.bonus))
        .where(_L.bonus != 0)
        .group_by("guild_id", "user_id"),
        sa.select(sa.literal("server"), _GUILD, _NONE, _NONE, _QUARTER, spent)
        .where(_SERVERS)
        .group_by("guild_id", "quarter"),
        sa.select(sa.literal("all"), _NONE, _NONE, _NONE, totals.c.quarter, sa.func.sum(totals.c.credits))
        .where(totals.c.total == "server")
        .group_by(totals.c.quarter),
    ):
        op.execute(totals.insert().from_select(columns, total))
    for index in ("ix_ledger_account", "ix_ledger_counts_at", "ix_ledger_bonus"):
        op.drop_index(index, "ledger")
    shown = sa.text("movement <> 'settle'")
    for index, columns in (("guild_id", ["guild_id", "id"]), ("user_id_guild_id", ["user_id", "guild_id", "id"])):
        op.drop_index(f"ix_ledger_{index}", "ledger")
        op.create_index(f"ix_ledger_{index}", "ledger", columns, sqlite_where=shown, postgresql_where=shown)
