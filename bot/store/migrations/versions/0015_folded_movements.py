"""Old movements can be folded into sums by year, and what they refer to deleted without reading whole tables."""

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"


def upgrade() -> None:
    op.add_column("ledger", sa.Column("folded", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("uq_ledger_task_id_movement", "ledger", ["task_id", "movement"], unique=True)
    op.drop_index("uq_ledger_reserved_once", "ledger")
    op.create_index("ix_ledger_generation_id", "ledger", ["generation_id"])
    _partial("ix_ledger_single", "ledger", ["id"], "task_id IS NULL AND folded = 0")
    _partial("ix_images_parent_id", "images", ["parent_id"], "parent_id IS NOT NULL")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
