"""Generations made from a spoiler are spoilers. Of earlier ones, the names of their images tell."""

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"


def upgrade() -> None:
    op.add_column("generations", sa.Column("spoiler", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Not LIKE, which in SQLite does not distinguish "SPOILER_" from "spoiler_".
    op.execute(
        "UPDATE generations SET spoiler = true WHERE id IN "
        "(SELECT generation_id FROM generation_references WHERE substr(filename, 1, 8) = 'SPOILER_')"
    )
