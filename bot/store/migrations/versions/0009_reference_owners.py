"""Record who attached a reference privately. Earlier references belong to the member who first used the image."""

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"


def upgrade() -> None:
    op.add_column("generation_references", sa.Column("owner_id", sa.BigInteger()))
    # Whether an image was posted is no longer known. "Again" has copied others' images: the oldest generation with an
    # image is its owner's (ids sort by time), and not that of a copy.
    op.create_table(
        "first_uses",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
    )
    op.execute(
        "INSERT INTO first_uses (digest, user_id) SELECT first.digest, generations.user_id FROM "
        "(SELECT digest, MIN(generation_id) AS generation_id FROM generation_references WHERE digest IS NOT NULL "
        "GROUP BY digest) AS first JOIN generations ON generations.id = first.generation_id"
    )
    op.execute(
        "UPDATE generation_references SET owner_id = COALESCE("
        "(SELECT user_id FROM first_uses WHERE first_uses.digest = generation_references.digest), "
        "(SELECT user_id FROM generations WHERE generations.id = generation_references.generation_id))"
    )
    op.drop_table("first_uses")
