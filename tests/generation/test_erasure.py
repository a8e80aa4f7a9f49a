"""Erasing by id: what goes, what stays, and that a killed process leaves nothing half done."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.credit_requests import CreditRequest
from bot.domain.credits import Account, Allowance, Credits, Period, period_around
from bot.domain.delivery_errors import Undeliverable
from bot.domain.erasure import ERASED_MEMBER, ErasureKind, ids_needed_until
from bot.domain.errors import StoreUnavailable
from bot.domain.generation import Draft, Image, Origin, Reference
from bot.domain.ids import (
    ChannelId,
    CreditRequestId,
    DraftId,
    GuildId,
    ImageId,
    MessageId,
    ReferenceSetId,
    StyleId,
    UserId,
)
from bot.domain.ledger import RequestApproved, RuleSet
from bot.domain.privacy_errors import BeingErased
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.domain.states import TaskState
from bot.domain.styles import Owner, ReferenceSet, SavedImage, Style
from bot.maintenance.erasure import Eraser
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits
from bot.store.audit import audit
from bot.store.store import Store, Transaction
from bot.store.tables import metadata
from tests.database import execute, fresh_database
from tests.factories import make_generation, make_request
from tests.generation.backend import ALICE, BOB, GUILD, RESERVED, Backend, Installation
from tests.store.stored import bring, keep
from tests.waiting import until

ADMIN, ELSEWHERE = UserId(987_654_321_001), GuildId(8)
MEMBER = UserId(987_654_321_002)
OWN, THEIRS = Account(MEMBER, GUILD), Account(BOB, GUILD)
LIMIT = Allowance(Credits(30), Period.MONTH)


@pytest.fixture
async def idle(installation: Installation) -> AsyncGenerator[Backend, None]:
    """A process without workers."""
    async with installation.start(working=False, discord_up=False) as backend:
        yield backend


def eraser_of(backend: Backend) -> Eraser:
    limits = ReferenceCacheLimits(100_000_000, timedelta(days=90))
    cache = ReferenceCache(backend.folder / "references", limits, backend.clock)
    undelivered = backend.pipeline.undelivered
    return Eraser(backend.runtime, generations=backend.generations, undelivered=undelivered, references=cache)


async def made(
    backend: Backend, account: Account, prompt: str, parent: ImageId | None = None, bonus: int = 0
) -> ImageId:
    """A request of an hour ago whose image was posted, made from a file named by the prompt."""
    digest = f"{abs(hash(prompt)):064x}"
    (backend.folder / "references" / f"{digest}.png").write_bytes(prompt.encode())
    reference = Reference(f"https://kie.example/{prompt}.png", f"{prompt}.png", digest, account.user_id)
    request = make_request(account=account, prompt=prompt, references=(reference,))
    at = backend.clock.now() - timedelta(hours=1)
    generation = await keep(backend.store, make_generation(request=request, created_at=at), Credits(bonus))
    (task,) = generation.tasks
    image = Image(ImageId(task.id), generation.id, parent, ChannelId(5), MessageId(task.id), f"{prompt}.png", at)
    async with backend.store.write() as tx:
        await bring(tx, task, TaskState.DELIVERED, at)
        await tx.generations.mark_delivered(generation.id, image.message_id)
        await tx.images.add([image])
        await tx.uploads.remember(digest, reference.url, at)
    return image.id


def mentions(folder: Path, words: str) -> dict[str, int]:
    """How many rows of each table contain these words."""
    found = {
        table.name: sum(words in repr(row) for row in execute(folder, f"SELECT * FROM {table.name}"))
        for table in metadata.sorted_tables
    }
    return {table: rows for table, rows in found.items() if rows}


def files(backend: Backend) -> list[bytes]:
    return sorted(path.read_bytes() for path in (backend.folder / "references").iterdir())


def check_ledger(backend: Backend) -> None:
    assert list(audit(fresh_database(backend.folder), backend.clock.now())) == []


def total(backend: Backend) -> list[tuple[Any, ...]]:
    """What pools, budgets and the operator's costs count."""
    return execute(
        backend.folder,
        "SELECT total, guild_id, sum(credits) FROM ledger_totals WHERE total IN ('server', 'all') GROUP BY 1, 2 "
        "UNION SELECT model, guild_id, count(*) FROM generations GROUP BY 1, 2 ORDER BY 1, 2",
    )


async def months_later(backend: Backend, eraser: Eraser) -> None:
    backend.clock.advance(timedelta(days=34).total_seconds())
    await eraser.work()


async def everything_of_a_member(backend: Backend) -> None:
    """Requests in two servers, an admin's words about the member, and the member's own as an admin."""
    first = await made(backend, OWN, "heron one")
    await made(backend, Account(MEMBER, ELSEWHERE), "heron two")
    await made(backend, THEIRS, "of bob's", parent=first)
    now = backend.clock.now()
    async with backend.store.write() as tx:
        await tx.ledger.grant(OWN, Credits(20), ADMIN, "a heron for you", now)
        await tx.ledger.grant(THEIRS, Credits(7), MEMBER, "thanks, heron", now)
        rule = Rule(Scope.MEMBER, MEMBER, LIMIT)
        await tx.rules.put(GUILD, rule)
        await tx.ledger.record_change(OWN, ADMIN, RuleSet(rule), now)
        decision = RequestApproved(BOB, Credits(3), MEMBER)
        await tx.ledger.grant(THEIRS, Credits(3), MEMBER, "", now, decision)
        await tx.credit_requests.add(CreditRequest(CreditRequestId(1), OWN, now, ChannelId(5)))
        draft = Draft(DraftId(1), MEMBER, now, Origin(ChannelId(5), MessageId(6)), (), "a heron that waits")
        await tx.drafts.add(draft)
        for number, owner in enumerate((Owner.member(MEMBER), Owner.server(GUILD)), start=1):
            digest = f"{number:064x}"
            (backend.folder / "references" / f"{digest}.png").write_bytes(b"of a set")
            images = (SavedImage("heron.png", digest, 8),) if owner.user_id else (SavedImage("logo.png", digest, 8),)
            await tx.reference_sets.put(ReferenceSet(owner, images[0].filename, ReferenceSetId(number), images))
            template = f"{{prompt}}, as {images[0].filename}"
            await tx.styles.put(Style(owner, "Ink", StyleId(number), template, reference_set=ReferenceSetId(number)))
    await made(backend, OWN, "heron three", bonus=5)
    await made(backend, OWN, "heron four", bonus=5)


async def test_a_members_words_go_at_once_and_the_id_when_quotas_no_longer_need_it(idle: Backend) -> None:
    await everything_of_a_member(idle)
    before, eraser = total(idle), eraser_of(idle)
    await eraser.request(ErasureKind.USER, MEMBER)
    await eraser.work()

    assert mentions(idle.folder, "heron") == {}
    assert files(idle) == [b"of a set", b"of bob's"], "a server's set is the server's"
    async with idle.store.read() as tx:
        span = period_around(Period.DAY, idle.clock.now())
        assert await tx.ledger.spent(OWN, span) == 5
        assert await tx.ledger.bonus(OWN) == 0
        assert await tx.ledger.bonus(THEIRS) == 10
        assert await tx.ledger.granted_by(MEMBER, GUILD, span) == 10, "a manager's limit is not refilled"
    check_ledger(idle)

    await months_later(idle, eraser)
    assert mentions(idle.folder, str(MEMBER)) == {"rules": 1}, "the limit that an admin has set"
    assert mentions(idle.folder, str(ERASED_MEMBER)).keys() == {"ledger", "ledger_totals", "generations", "tasks"}
    assert total(idle) == before
    check_ledger(idle)


async def test_a_server_goes_with_its_settings_and_its_sums_stay(idle: Backend) -> None:
    await everything_of_a_member(idle)
    async with idle.store.write() as tx:
        await tx.rules.put_settings(GUILD, ServerSettings("Europe/Berlin"))
    before, eraser = total(idle), eraser_of(idle)
    await eraser.request(ErasureKind.SERVER, GUILD)
    await eraser.work()

    elsewhere = ("generations", "generation_references", "uploads", "images", "drafts")
    own = ("styles", "reference_sets", "reference_set_images")
    assert mentions(idle.folder, "heron") == dict.fromkeys((*elsewhere, *own), 1)
    assert mentions(idle.folder, "logo") == {}
    assert mentions(idle.folder, "of bob's") | mentions(idle.folder, "Berlin") == {}
    assert execute(idle.folder, "SELECT * FROM rules") == []
    check_ledger(idle)

    await months_later(idle, eraser)
    named = execute(idle.folder, f"SELECT DISTINCT user_id, actor_id FROM ledger WHERE guild_id = {GUILD}")
    assert set(named) == {(ERASED_MEMBER, None), (ERASED_MEMBER, ERASED_MEMBER)}
    assert execute(idle.folder, f"SELECT DISTINCT user_id FROM ledger WHERE guild_id = {ELSEWHERE}") == [(MEMBER,)]
    assert total(idle) == before
    check_ledger(idle)


async def test_it_can_be_killed_at_every_step(idle: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    await everything_of_a_member(idle)
    before, eraser = total(idle), eraser_of(idle)
    await eraser.request(ErasureKind.USER, MEMBER)
    write, left = Store.write, 0

    @asynccontextmanager
    async def dying(store: Store) -> AsyncGenerator[Transaction, None]:
        nonlocal left
        async with write(store) as tx:
            yield tx
            if not left:
                raise StoreUnavailable("killed")
            left -= 1

    monkeypatch.setattr(Store, "write", dying)
    monkeypatch.setattr("bot.maintenance.erasure._AT_ONCE", 1)
    for step in range(40):
        # It dies in its first transaction, and later in the second after one that was committed.
        left = min(step, 1)
        try:
            await eraser_of(idle).work()
        except StoreUnavailable:
            check_ledger(idle)
        else:
            if not execute(idle.folder, "SELECT 1 FROM erasures"):
                break
            idle.clock.advance(timedelta(days=34).total_seconds())
    else:
        pytest.fail("it never ended")
    monkeypatch.undo()
    assert step > 10
    assert mentions(idle.folder, "heron") == {}
    assert mentions(idle.folder, str(MEMBER)) == {"rules": 1}
    assert total(idle) == before
    check_ledger(idle)


async def test_a_member_and_then_their_server_are_erased_and_each_step_is_sound(idle: Backend) -> None:
    eraser = eraser_of(idle)
    await everything_of_a_member(idle)
    await eraser.request(ErasureKind.USER, MEMBER)
    await eraser.work()
    until_due = ids_needed_until(idle.clock.now()) - idle.clock.now()
    idle.clock.advance((until_due - timedelta(hours=6)).total_seconds())
    await made(idle, OWN, "a later heron")
    await eraser.request(ErasureKind.SERVER, GUILD)
    await eraser.work()
    idle.clock.advance(timedelta(hours=7).total_seconds())
    await eraser.work()
    assert mentions(idle.folder, str(MEMBER)).keys() >= {"ledger", "generations"}, "those of the server, still needed"
    check_ledger(idle)
    await months_later(idle, eraser)
    assert mentions(idle.folder, str(MEMBER)) == {}
    check_ledger(idle)


async def test_what_waits_for_a_command_is_refunded_and_its_file_deleted(backend: Backend) -> None:
    backend.sender.always = Undeliverable("nowhere")
    generation = await backend.request("a heron that could not be posted")
    await until(lambda: backend.sender.attempts and not len(backend.runtime.background), what="giving up")
    assert backend.ledger(generation) == [RESERVED]
    eraser = eraser_of(backend)
    await eraser.request(ErasureKind.USER, ALICE)
    with pytest.raises(BeingErased):
        await backend.request("another")
    await eraser.work()

    assert [movement for movement, _ in backend.ledger(generation)] == ["reserve", "goodwill"]
    assert mentions(backend.folder, "heron") == {}
    assert list(backend.spool_folder.iterdir()) == []
    backend.sender.always = None
    await backend.request_and_wait("a fresh start")


@pytest.mark.parametrize("hour", [0, 9, 11, 13, 23])
def test_ids_are_needed_until_the_month_is_over_everywhere(hour: int) -> None:
    for day in (datetime.fromisoformat(text) for text in ("2026-01-31T00:30:00+00:00", "2026-02-01T00:30:00+00:00")):
        now = day.replace(hour=hour)
        for offset in range(-12, 15):
            local = now + timedelta(hours=offset)
            end = (local.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0)
            assert ids_needed_until(now) >= end - timedelta(hours=offset)
