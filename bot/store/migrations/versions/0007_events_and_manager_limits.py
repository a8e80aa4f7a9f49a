"""One generation per interaction or message; what quota managers may grant."""

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    op.add_column("generations", sa.Column("event_id", sa.BigInteger()))
    _partial("uq_generations_event_id", "generations", ["event_id"], "event_id IS NOT NULL", unique=True)
    op.add_column("servers", sa.Column("manager_limit", sa.BigInteger(), nullable=False, server_default="500000"))
    _partial("ix_ledger_grants", "ledger", ["guild_id", "actor_id", "counts_at"], "movement = 'grant'")


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
