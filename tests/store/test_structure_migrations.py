"""From the schemas before references had owners and before changes were recorded as structure."""

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.domain.credits import Credits
from bot.domain.ids import GuildId, UserId
from bot.domain.image_history import HistoryFilter
from bot.domain.ledger import RequestApproved, RequestDenied
from bot.store.migrate import migrate
from bot.store.store import Store
from bot.ui.texts import quota
from tests.database import sqlite_only
from tests.store.stored import rows, upgrade

pytestmark = sqlite_only

AT = "2025-10-09 12:30:00.000000"
ALICE, BOB, ADMIN = UserId(101), UserId(102), UserId(9)


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


def test_what_was_made_from_a_spoiler_becomes_one(file: Path, url: str) -> None:
    upgrade(file, "0011")
    names = {1: ["SPOILER_a.png"], 2: ["a.png", "SPOILER_b.png"], 3: ["SPOILERS.png", "spoiler_a.png"], 4: []}
    with closing(sqlite3.connect(file)) as connection, connection:
        for generation, filenames in names.items():
            connection.execute(
                "INSERT INTO generations (id, user_id, guild_id, created_at, prompt, model, aspect_ratio, resolution, "
                "reference_count, unit_price, channel_id, application_id, interaction_token, token_expires_at, "
                "private, upload_limit, delivery) VALUES (?, 101, 900, ?, 'a fox', 'pro', '1:1', '1K', ?, 5000, 501, "
                "601, 'token', ?, 0, 1000000, 'done')",
                (generation, AT, len(filenames), AT),
            )
            for position, name in enumerate(filenames):
                connection.execute(
                    "INSERT INTO generation_references (generation_id, position, url, filename) VALUES (?, ?, ?, ?)",
                    (generation, position, "https://kie.example/a.png", name),
                )
    migrate(url)

    assert rows(file, "SELECT id FROM generations WHERE spoiler ORDER BY id") == [(1,), (2,)]


async def test_old_sentences_are_shown_as_they_are_and_pending_decisions_as_before(file: Path, url: str) -> None:
    upgrade(file, "0009")
    entry = (
        "INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, bonus, round, actor_id, note) "
        "VALUES (?, ?, ?, 900, ?, ?, 0, 0, 9, ?)"
    )
    request = (
        "INSERT INTO credit_requests (id, user_id, guild_id, asked_at, asked_in, state, untold) "
        "VALUES (?, ?, 900, ?, 5, ?, ?)"
    )
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(entry, (AT, AT, ALICE, "grant", 99_000, "won the contest"))
        connection.execute(entry, (AT, AT, ALICE, "grant", 12_125, "approved request for more credits"))
        connection.execute(entry, (AT, AT, BOB, "rule", 0, "<@102> asked for more credits: <@9> declined."))
        connection.execute(request, (1, ALICE, AT, "approved", "Your request was approved: you got 12.125."))
        connection.execute(request, (2, BOB, AT, "denied", "Your request was declined."))
        connection.execute(request, (3, BOB, AT, "approved", None))
    migrate(url)

    async with Store.open(url) as store, store.read() as tx:
        pending = [decision for _, decision in await tx.credit_requests.pending_notifications()]
        lines = [quota.log_line(line) for line in await tx.ledger.page(GuildId(900), None, 0, 10)]
    assert pending == [RequestApproved(ALICE, Credits("12.125"), ADMIN), RequestDenied(BOB, ADMIN)]
    assert [line.split(" · ", 1)[1].removesuffix(" · by <@9>") for line in lines] == [
        "<@102> asked for more credits: <@9> declined.",
        "<@101> · +12.125 bonus credits: approved request for more credits",
        "<@101> · +99 bonus credits: won the contest",
    ]


async def test_images_of_earlier_versions_are_found_by_their_words(file: Path, url: str) -> None:
    upgrade(file, "0016")
    with closing(sqlite3.connect(file)) as connection, connection:
        for number, (user, prompt) in enumerate([(ALICE, "a red fox"), (ALICE, ""), (BOB, "a fox of bob's")], start=1):
            connection.execute(
                "INSERT INTO generations (id, user_id, guild_id, created_at, prompt, model, aspect_ratio, resolution, "
                "reference_count, unit_price, channel_id, application_id, interaction_token, token_expires_at, "
                "private, upload_limit, delivery) VALUES (?, ?, 900, ?, ?, 'pro', '1:1', '1K', 0, 5000, 501, "
                "601, 'token', ?, 0, 1000000, 'done')",
                (number, user, AT, prompt, AT),
            )
            connection.execute(
                "INSERT INTO tasks (id, generation_id, user_id, position, state, created_at, free) "
                "VALUES (?, ?, ?, 0, 'delivered', ?, 0)",
                (number, number, user, AT),
            )
            connection.execute(
                "INSERT INTO images (id, generation_id, channel_id, message_id, filename, posted_at) "
                "VALUES (?, ?, 501, 7, 'easel.png', ?)",
                (number, number, AT),
            )
    migrate(url)

    async with Store.open(url) as store, store.read() as tx:
        for words, found in (((), [2, 1]), (("fox",), [1]), (("hound",), [])):
            entries = await tx.image_history.entries(HistoryFilter(UserId(ALICE), words=words), 10)
            assert [entry.image.id for entry in entries] == found
            assert not any(entry.private or entry.favourite for entry in entries)
