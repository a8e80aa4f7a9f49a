"""What was changed or decided is stored as structure. Old entries of the ledger keep their sentences as notes."""

import json

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"


def upgrade() -> None:
    op.add_column("ledger", sa.Column("change", sa.Text()))
    _decisions_as_structure()


def _decisions_as_structure() -> None:
    """A pending decision was a sentence; its state and the grant that was written with it hold all that it said."""
    connection = op.get_bind()
    requests = sa.table("credit_requests", *map(sa.column, ("id", "user_id", "guild_id", "state", "untold")))
    ledger = sa.table("ledger", *map(sa.column, ("id", "user_id", "guild_id", "movement", "credits", "actor_id")))
    pending = sa.select(requests.c.id, requests.c.user_id, requests.c.guild_id, requests.c.state)
    for request, user, guild, state in connection.execute(pending.where(requests.c.untold.is_not(None))).all():
        movement = "grant" if state == "approved" else "rule"
        entry = (
            sa.select(ledger.c.credits, ledger.c.actor_id)
            .where(ledger.c.user_id == user, ledger.c.guild_id == guild, ledger.c.movement == movement)
            .order_by(ledger.c.id.desc())
            .limit(1)
        )
        thousandths, actor = connection.execute(entry).one_or_none() or (0, None)
        decision = {"kind": f"request_{state}", "member": user, "by": actor or 0}
        if state == "approved":
            decision["amount"] = f"{thousandths / 1000:.3f}"
        values = requests.update().where(requests.c.id == request).values(untold=json.dumps(decision))
        connection.execute(values)
