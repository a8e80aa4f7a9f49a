"""Indexes for queries over the whole history: orphans, recent submissions, pending notifications."""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    op.create_index("ix_tasks_submitted_at", "tasks", ["submitted_at"])
    _partial("ix_tasks_orphans", "tasks", ["state"], "failure = 'unknown_outcome'")
    _partial("ix_credit_requests_untold", "credit_requests", ["id"], "untold IS NOT NULL")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
