"""Which private images their requesters have shared."""

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"


def upgrade() -> None:
    op.add_column("images", sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()))
