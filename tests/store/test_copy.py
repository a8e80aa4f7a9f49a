"""`python -m bot db copy`: both ways, all of it or nothing, and what is refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import JSON, func, insert, select, text, type_coerce
from sqlalchemy.types import NULLTYPE

from bot.domain.credit_requests import CreditRequest, CreditRequestState
from bot.domain.credits import Allowance, Credits, Period, Requester
from bot.domain.erasure import Erasure, ErasureKind
from bot.domain.errors import OperatorError
from bot.domain.generation import Chosen, Draft, Image, Origin, Reference, Source, SubmittedForm
from bot.domain.ids import (
    ChannelId,
    CreditRequestId,
    DraftId,
    GuildId,
    ImageId,
    MessageId,
    PendingCardId,
    ReferenceSetId,
    RoleId,
    StyleId,
    UserId,
)
from bot.domain.image_reports import ReportDecision, Reporter, ReportVerdict
from bot.domain.ledger import RequestApproved, RuleSet
from bot.domain.preferences import Preferences
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import TaskState
from bot.domain.styles import Owner, ReferenceSet, SavedImage, Style
from bot.store import copy as copying
from bot.store import postgres, sqlite
from bot.store.backup import DamagedDatabase
from bot.store.copy import Copied, CopyDiffers, copy
from bot.store.engines import kind_of
from bot.store.migrate import migrate
from bot.store.report_tables import metadata
from bot.store.store import Store
from bot.store.tables import key_values, leases, pending_cards, reference_images, tasks
from tests.database import at_server
from tests.factories import ALICE, BOB, NOW, make_destination, make_generation, make_request
from tests.store.conftest import MakeUrl
from tests.store.stored import bring, change, keep

ADMIN = UserId(9)
LARGEST = (1 << 63) - 1
PROMPT = 'a "lighthouse"\tin\\n a storm,\n✨ \\N'
NOT_COPIED = {"leases", "pending_cards", "reference_images"}
DIGEST, CAT = "cd" * 32, b"\x89PNG\0cat"
RULE = Rule(Scope.MEMBER, ALICE.user_id, Allowance(Credits("12.345"), Period.DAY))
ENGINES = ("sqlite", "postgresql")


async def fill(url: str) -> str:
    """Rows in every table, with every kind of value, and one in every column: the URL again."""
    async with Store.open(url) as store:
        references = (
            Reference("https://kie/1.png", "sketch.png", "ab" * 32, BOB.user_id),
            Reference("https://k/2", "2"),
        )
        asker = Requester(ALICE, frozenset({RoleId(7), RoleId(LARGEST)}))
        request = replace(
            make_request(),
            requester=asker,
            prompt=PROMPT,
            settings=Settings(steps=20, guidance=2.5),
            references=references,
            destination=make_destination(
                message_id=MessageId(6), pending_card=PendingCardId(LARGEST), outside=GuildId(LARGEST)
            ),
            origin=Origin(ChannelId(5), MessageId(LARGEST), ImageId(LARGEST)),
            spoiler=True,
            style="Ink",
            template="{prompt}",
        )
        made = await keep(store, make_generation(request=request, states=[TaskState.RESERVED] * 3))
        for number in range(2):
            late = NOW + timedelta(days=number, microseconds=1)
            await keep(store, make_generation(request=make_request(account=BOB), created_at=late))
        async with store.write() as tx:
            for task, state in zip(made.tasks, (TaskState.DELIVERED, TaskState.FAILED, TaskState.OVERDUE), strict=True):
                await bring(tx, task, state)
            # The image with the lower id, which comes first in a file, is made from the other one.
            child, parent = sorted(ImageId(task.id) for task in made.tasks[:2])
            posted = Image(parent, made.id, None, ChannelId(5), MessageId(LARGEST), "easel.png", NOW)
            await tx.images.add([posted])
            await tx.images.add([replace(posted, id=child, parent_id=parent)])
            await tx.previews.add({parent: b"\0RIFF\x89", child: b""})
            await tx.favourites.add(UserId(LARGEST), parent, NOW)
            for image, verdict in ((child, ReportVerdict.DELETED), (parent, ReportVerdict.DISMISSED)):
                await tx.image_reports.add(image, ALICE.guild_id, ChannelId(LARGEST))
                await tx.image_reports.add_reporter(image, Reporter(UserId(LARGEST), "“bad” ✨"), NOW)
                await tx.image_reports.set_message(image, ChannelId(LARGEST), MessageId(LARGEST))
                assert await tx.image_reports.decide(image, verdict, ReportDecision(ADMIN, NOW))
            assert await tx.image_reports.decide(child, ReportVerdict.REFUNDED, ReportDecision(ADMIN, NOW))
            owner = Owner.member(ALICE.user_id)
            saved = ReferenceSet(
                owner, "Cat", ReferenceSetId(1), (SavedImage("cat.png", DIGEST, len(CAT), spoiler=True),)
            )
            await tx.reference_sets.put(saved)
            style = Style(owner, "“Ink”", StyleId(LARGEST), "{prompt},\n✨", Model.FLEX, AspectRatio.TALL, saved.id)
            await tx.styles.put(style)
            await tx.undelivered.add(made.id, ALICE.user_id, NOW)
            await tx.key_values.put("colour", "teal")
            await tx.greetings.put(ALICE.guild_id, NOW)
            await tx.uploads.remember("aa", "https://kie/aa", NOW)
            sources = (Source("https://cdn/1?a=b&c='", "“1” ✨.png", 1 << 40, None), *references)
            draft = Draft(DraftId(LARGEST), ALICE.user_id, NOW, Origin(ChannelId(5), MessageId(1)), sources)
            chosen = Chosen(Settings(Model.FLEX, guidance=2.5), count=2, private=True)
            charge = await tx.ledger.charge_rewordings(BOB, Credits("2.5"), Credits(0), NOW)
            await tx.drafts.add(replace(draft, chosen=chosen, charge=charge))
            form = SubmittedForm(
                chosen.settings,
                count=2,
                private=True,
                spoiler=True,
                origin=draft.origin,
                rewordings=(PROMPT, "“1”"),
                style="Ink",
                template="{prompt}",
                used=frozenset({0, 2}),
            )
            await tx.drafts.add(replace(draft, id=DraftId(1), prompt=PROMPT, question=MessageId(3), form=form))
            chosen_always = Preferences(
                Model.FLEX, AspectRatio.TALL, Resolution.TWO_K, 4, confirm_above=Credits("0.001")
            )
            await tx.preferences.put(UserId(LARGEST), chosen_always)
            await tx.rules.put(ALICE.guild_id, RULE)
            channel = ChannelId(LARGEST)
            settings = ServerSettings(
                "Europe/Berlin", RoleId(7), channel, frozenset({channel}), reports_channel=channel
            )
            await tx.rules.put_settings(ALICE.guild_id, settings)
            await tx.ledger.record_change(ALICE, ADMIN, RuleSet(RULE), NOW)
            await tx.ledger.grant(ALICE, Credits("0.001"), ADMIN, "welcome\\", NOW)
            asked = CreditRequest(CreditRequestId(1), ALICE, NOW, ChannelId(5))
            await tx.credit_requests.add(asked)
            await tx.credit_requests.set_message(asked.id, ChannelId(5), MessageId(LARGEST))
            approved = RequestApproved(ALICE.user_id, Credits(8), ADMIN)
            await tx.erasures.request(ErasureKind.USER, LARGEST, NOW)
            assert await tx.erasures.finish(Erasure(ErasureKind.USER, LARGEST, NOW), NOW)
            assert await tx.credit_requests.close(asked.id, CreditRequestState.APPROVED, approved)
    with change(url) as connection:
        lease = {"name": "kie:1", "term": 1, "until": NOW, "told": "{}"}
        connection.execute(insert(leases).values(lease))
        connection.execute(insert(pending_cards).values(id=1, lease="kie:1", term=1, card={}))
        connection.execute(tasks.update().where(tasks.c.failure.is_not(None)).values(consumed=Credits("0.001")))
        for digest, data in (("ab", b"\0\x89"), (DIGEST, CAT)):
            image = {"digest": digest, "suffix": "png", "data": data, "size": len(data), "used_at": NOW}
            connection.execute(insert(reference_images).values(image))
    if not postgres.is_url(url):
        folder_of(url).mkdir()
        (folder_of(url) / f"{DIGEST}.png").write_bytes(CAT)
    rows = contents(url)
    empty = [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for position, column in enumerate(table.columns)
        if all(row[position] is None for row in rows[table.name])
    ]
    assert not empty, "give these columns values, so that a copy of them is tested"
    return url


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, with values that are equal in both engines; a JSON null is not an SQL NULL."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    with change(url) as connection:
        for table in metadata.sorted_tables:
            nulls = [column.is_(None) for column in table.columns if isinstance(column.type, JSON)]
            rows[table.name] = sorted(map(tuple, connection.execute(select(table, *nulls))), key=repr)
    return rows


def run(source: str, target: str, tell: Callable[[str, int], object] = "{} {}".format) -> Copied:
    return copy(source, target, NOW, tell, (folder_of(source), folder_of(target)))


def set_images(url: str, rows: dict[str, list[tuple[Any, ...]]]) -> list[bytes]:
    """The images of members that there are, all of them in sets."""
    if postgres.is_url(url):
        return [row[2] for row in rows["reference_images"]]
    return [file.read_bytes() for file in folder_of(url).iterdir()]


def folder_of(url: str) -> Path:
    """Where members' images lie beside a file."""
    return Path("/nowhere") if postgres.is_url(url) else sqlite.database_file(url).parent / "references"


@pytest.mark.parametrize(
    ("of", "to"),
    [
        ("sqlite", "postgresql"),
        ("postgresql", "sqlite"),
        pytest.param("sqlite", "sqlite", marks=pytest.mark.long),
        pytest.param("postgresql", "postgresql", marks=pytest.mark.long),
    ],
)
async def test_every_row_of_every_table_is_copied_but_those_of_processes(
    source: MakeUrl, target: MakeUrl, of: str, to: str
) -> None:
    old, new = await fill(source(of)), target(to)
    told: dict[str, int] = {}
    copied = run(old, new, told.__setitem__)
    before = contents(old)
    after = contents(new)
    assert set_images(new, after) == [CAT]
    assert after == before | {table: [] for table in NOT_COPIED} | {"reference_images": after["reference_images"]}
    before = {table: rows for table, rows in before.items() if table not in NOT_COPIED}
    assert told == {table: len(rows) for table, rows in before.items()}
    assert copied == Copied(sum(told.values()), 0, 0, [])
    async with Store.open(new) as store:
        # The ledger goes on after its last entry, and the one writer's work fits together.
        await keep(store, make_generation(request=make_request(account=BOB)))
    assert len(contents(new)["ledger"]) == len(before["ledger"]) + 1


async def test_there_and_back_is_the_same(source: MakeUrl, target: MakeUrl, tmp_path: Path) -> None:
    first, second, third = await fill(source("sqlite")), target("postgresql"), f"sqlite:///{tmp_path / 'third.db'}"
    run(first, second)
    run(second, third)

    def stored(url: str) -> list[list[tuple[Any, ...]]]:
        """As they are in the file, without the types of the code."""
        with sqlite.snapshot(url) as connection:
            values = [
                select(*(type_coerce(column, NULLTYPE) for column in table.columns)).order_by(*table.primary_key)
                for table in metadata.sorted_tables
                if table.name not in NOT_COPIED
            ]
            return [[tuple(row) for row in connection.execute(value)] for value in values]

    assert stored(third) == stored(first)


async def test_nuls_are_left_out_and_counted_where_they_cannot_be_stored(source: MakeUrl, target: MakeUrl) -> None:
    old, new = await fill(source("sqlite")), target("postgresql")
    with change(old) as connection:
        connection.execute(text("UPDATE facts SET value = :value"), {"value": "\0te\0al"})
    assert run(old, target("sqlite")).nuls == 0
    assert run(old, new).nuls == 2
    assert contents(new)["facts"] == [("colour", "teal")]


@pytest.mark.parametrize("of", ENGINES)
async def test_a_source_in_use_is_refused(source: MakeUrl, target: MakeUrl, of: str) -> None:
    old, new = await fill(source(of)), target("sqlite")
    with kind_of(old).process_lock(old), pytest.raises(OperatorError, match=r"database.url: .* is in use by another"):
        run(old, new)
    if of == "postgresql":
        with change(old) as connection:
            connection.execute(leases.update().values(until=func.clock_timestamp() + timedelta(minutes=1)))
        with pytest.raises(OperatorError, match=r"in use by another Easel, or was some seconds ago"):
            run(old, new)
    assert not sqlite.database_file(new).exists()


@pytest.mark.parametrize("of", ENGINES)
def test_a_source_of_another_version_is_refused(source: MakeUrl, target: MakeUrl, of: str) -> None:
    old = source(of)
    for version, words in (("0012", "earlier version of Easel: run `python -m bot db migrate`"), ("0999", "later")):
        with change(old) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
        with pytest.raises(OperatorError, match=words):
            run(old, target("sqlite"))


async def test_a_target_that_is_not_empty_or_in_use_stays_as_it_is(
    source: MakeUrl, target: MakeUrl, tmp_path: Path
) -> None:
    old, new = await fill(source("sqlite")), target("postgresql")
    file = tmp_path / "notes.txt"
    file.write_text("dear diary")
    with pytest.raises(OperatorError, match=r"notes.txt already exists"):
        run(old, f"sqlite:///{file}")
    assert file.read_text() == "dear diary"
    with pytest.raises(OperatorError, match=r"already exists"):
        run(old, old)

    at_server("CREATE TABLE facts (key text, value text); INSERT INTO facts VALUES ('age', '12')", "moved")
    with pytest.raises(OperatorError, match=r"moved on .* is not empty \(its table facts has rows\)"):
        run(old, new)
    with psycopg.connect(new) as connection:
        assert connection.execute("SELECT * FROM facts").fetchall() == [("age", "12")]
        assert connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,)
    at_server("DROP TABLE facts", "moved")
    async with postgres.shared_process_lock(new):
        with pytest.raises(OperatorError, match=r"^the target: .* in use by another"):
            run(old, new)


@pytest.mark.parametrize("to", ENGINES)
async def test_an_interrupted_copy_leaves_nothing(source: MakeUrl, target: MakeUrl, to: str) -> None:
    old, new = await fill(source("sqlite")), target(to)

    def interrupt(table: str, _rows: int) -> None:
        if table == "ledger":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(old, new, interrupt)
    if to == "sqlite":
        assert list(sqlite.database_file(new).parent.iterdir()) == []
    else:
        assert not any(contents(new).values())
    assert run(old, new).rows


async def test_a_server_that_ends_its_connections_meanwhile_keeps_nothing(source: MakeUrl, target: MakeUrl) -> None:
    old, new = await fill(source("sqlite")), target("postgresql")

    def end(table: str, _rows: int) -> None:
        if table == "tasks":
            at_server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'moved'")

    with pytest.raises(OperatorError, match=r"^nothing was copied: "):
        run(old, new, end)
    assert not any(contents(new).values())


_TRIGGER = """
CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {} END';
CREATE TRIGGER tamper BEFORE INSERT ON ledger FOR EACH ROW WHEN (NEW.movement = 'reserve') EXECUTE FUNCTION tamper()
"""
_TAMPERED = {
    "a sum": (
        "NEW.credits := NEW.credits - 1; RETURN NEW;",
        r"ledger: the sum of credits is -17.499 in the source and -17.504 in the target",
    ),
    "a row": ("RETURN NULL;", "ledger: the number of rows is 11 in the source and 6 in the target"),
    "whose credits": (
        "NEW.user_id := 77; RETURN NEW;",
        r"the audit finds in the target alone: task \d+: reserved in another account .* in all\)",
    ),
}


@pytest.mark.parametrize("what", _TAMPERED)
async def test_a_target_that_stores_something_else_is_found(source: MakeUrl, target: MakeUrl, what: str) -> None:
    old, new = await fill(source("sqlite")), target("postgresql")
    migrate(new)
    statement, words = _TAMPERED[what]
    at_server(_TRIGGER.format(statement), "moved")
    with pytest.raises(CopyDiffers, match=words):
        run(old, new)
    assert not any(contents(new).values())


async def test_a_file_that_stores_something_else_is_found(
    source: MakeUrl, target: MakeUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampering(url: str) -> None:
        migrate(url)
        with change(url) as connection:
            connection.execute(
                text("CREATE TRIGGER tamper AFTER INSERT ON tasks BEGIN UPDATE tasks SET consumed = 1; END")
            )

    old, new = await fill(source("postgresql")), target("sqlite")
    monkeypatch.setattr(copying, "migrate", tampering)
    with pytest.raises(CopyDiffers, match="tasks: the sum of consumed is"):
        run(old, new)
    assert not sqlite.database_file(new).exists()


async def test_what_the_audit_finds_in_the_source_too_is_copied_and_told(source: MakeUrl, target: MakeUrl) -> None:
    old = await fill(source("sqlite"))
    with change(old) as connection:
        connection.execute(text("UPDATE ledger_totals SET credits = credits - 1000 WHERE total = 'all'"))
    found = run(old, target("postgresql")).findings
    assert [finding.partition(" of ")[0] for finding in found] == ["total all"] * 2


async def test_what_the_target_refuses_is_named_without_what_it_says(source: MakeUrl, target: MakeUrl) -> None:
    old, new = await fill(source("sqlite")), target("postgresql")
    with change(old) as connection:
        connection.execute(key_values.update().values(key="a secret of somebody's, " * 5))
    with pytest.raises(OperatorError) as caught:
        run(old, new)
    assert str(caught.value) == (
        "nothing was copied: value too long for type character varying(64) (COPY facts, line 1, column key)."
    )
    with change(old) as connection:
        connection.execute(key_values.update().values(key="colour"))
        connection.execute(text("UPDATE generations SET prompt = CAST(x'66ff66' AS TEXT)"))
    with pytest.raises(OperatorError, match=r"nothing was copied: Could not decode to UTF-8 column 'prompt'\.$"):
        run(old, new)


def test_a_source_that_is_missing_or_damaged(source: MakeUrl, target: MakeUrl, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="nothing to copy"):
        run(f"sqlite:///{tmp_path / 'nowhere.db'}", target("sqlite"))
    (tmp_path / "damaged.db").write_bytes(b"this is not a database" * 400)
    with pytest.raises(DamagedDatabase, match="not a database"):
        run(f"sqlite:///{tmp_path / 'damaged.db'}", target("sqlite"))


def command(folder: Path, url: str, to: str) -> tuple[int, str]:
    """`db copy` as a process: its exit code, and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "bot", "db", "copy", to],
        cwd=folder,
        env=os.environ | {"EASEL__DATABASE__URL": url, "EASEL__LOG__LEVEL": "debug"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def test_the_command_says_what_it_did_and_what_comes_next_without_the_password(
    source: MakeUrl, target: MakeUrl, tmp_path: Path
) -> None:
    old, new = await fill(source("sqlite")), f"{target('postgresql')}&password=hunter2-hunter2"
    code, printed = command(tmp_path, old, new)
    assert code == 0, printed
    assert "generations: 3\n" in printed
    assert "rows were copied" in printed
    assert "The audit of the ledger found nothing." in printed
    assert 'url = "postgresql://' in printed
    assert "hunter2" not in printed
    code, printed = command(tmp_path, old, new)
    assert (code, printed.splitlines()[-1].endswith("has rows): use a new database.")) == (78, True)
    assert "hunter2" not in printed


def test_wrong_and_unreachable_targets(source: MakeUrl, tmp_path: Path) -> None:
    old = source("sqlite")
    for to, words in (
        ("new.db", "easel: the target: must look like sqlite:///path/to/easel.db or postgresql://user@host/database."),
        (
            "postgresql://easel:hunter2-hunter2@h/easel?colour=teal",
            "easel: the target: the database URL must look like",
        ),
        (
            "postgresql://easel:hunter2-hunter2@127.0.0.1:1/easel",
            "easel: the target: easel on 127.0.0.1 cannot be reached",
        ),
    ):
        code, printed = command(tmp_path, old, to)
        assert (code, words in printed.splitlines()[-1]) == (78, True), printed
        assert "hunter2" not in printed
