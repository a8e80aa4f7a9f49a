"""References from before their owners were stored: strict, and a copy by "Again" is not its requester's."""

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.store.migrate import migrate
from tests.store.stored import rows, upgrade

AT = "2025-10-09 12:30:00.000000"
ALICE, BOB = 101, 102


def test_old_references_belong_to_whoever_used_the_image_first(file: Path, url: str) -> None:
    upgrade(file, "0006")
    uses = [(1, ALICE, "a"), (2, BOB, "a"), (3, BOB, "b"), (4, ALICE, None), (5, BOB, None)]
    with closing(sqlite3.connect(file)) as connection, connection:
        for generation, user, digest in uses:
            connection.execute(
                "INSERT INTO generations (id, user_id, guild_id, created_at, prompt, model, aspect_ratio, resolution, "
                "reference_count, unit_price, channel_id, application_id, interaction_token, token_expires_at, "
                "private, upload_limit, delivery) VALUES (?, ?, 900, ?, 'a fox', 'pro', '1:1', '1K', 1, 5000, 501, "
                "601, 'token', ?, 0, 1000000, 'done')",
                (generation, user, AT, AT),
            )
            reference = (generation, "https://kie.example/a.png", "a.png", digest)
            connection.execute("INSERT INTO generation_references VALUES (?, 0, ?, ?, ?)", reference)
    migrate(url)

    owners = rows(file, "SELECT owner_id FROM generation_references ORDER BY generation_id")
    assert [owner for (owner,) in owners] == [ALICE, ALICE, BOB, ALICE, BOB]
