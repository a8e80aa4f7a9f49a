"""The journal of pending cards: what one process recorded the next one finds, and a disk error stops nothing."""

import contextlib
import errno
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.generation import Destination, InteractionToken, PendingCard
from bot.domain.ids import GenerationId, MessageId, PendingCardId, first_snowflake
from bot.generation.pending_cards import PendingCardJournal, read_pending_cards
from bot.store.store import Store
from tests.database import fresh_database
from tests.factories import ALICE, NOW, make_destination, make_generation, make_request

CARD_MESSAGE = MessageId((1 << 63) - 1)
COMMAND = PendingCard(PendingCardId(7), ALICE.user_id, NOW, make_destination(pending_card=PendingCardId(7)))
REPLY = PendingCard(PendingCardId(8), ALICE.user_id, NOW, make_destination(token=None, upload_limit=0), MessageId(8))


def with_message(card: PendingCard) -> PendingCard:
    """The same card, once Discord has told its message's id."""
    return replace(card, destination=replace(card.destination, message_id=CARD_MESSAGE))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pending_cards.journal"


def interrupted(path: Path) -> list[PendingCard]:
    """What another process finds."""
    with PendingCardJournal(path) as journal:
        return list(journal.interrupted)


def size(path: Path) -> int:
    return path.stat().st_size


def append(path: Path, line: bytes) -> None:
    path.write_bytes(path.read_bytes() + line)


@pytest.mark.parametrize("card", [COMMAND, with_message(COMMAND), REPLY, with_message(REPLY)])
async def test_the_next_process_finds_a_card_until_it_is_removed(path: Path, card: PendingCard) -> None:
    with PendingCardJournal(path) as journal:
        await journal.record(card)
        assert journal.interrupted == (), "a process's own cards are not interrupted"
    for _ in range(2):
        assert interrupted(path) == [card]
    with PendingCardJournal(path) as journal:
        journal.remove(card.id)
    assert interrupted(path) == []


async def test_a_card_recorded_again_replaces_the_first(path: Path) -> None:
    with PendingCardJournal(path) as journal:
        for card in (COMMAND, REPLY, with_message(COMMAND)):
            await journal.record(card)
    assert interrupted(path) == [with_message(COMMAND), REPLY]


async def test_removed_cards_are_forgotten_and_an_empty_journal_is_an_empty_file(path: Path) -> None:
    with PendingCardJournal(path) as journal:
        for card in (COMMAND, REPLY):
            await journal.record(card)
        for card_id in (COMMAND.id, COMMAND.id, None):
            journal.remove(card_id)
        assert read_pending_cards(path) == [REPLY]
        journal.remove(REPLY.id)
        assert size(path) == 0


async def test_the_journal_is_compacted(path: Path) -> None:
    with PendingCardJournal(path) as journal:
        await journal.record(REPLY)
        for number in range(10_000):
            card = replace(COMMAND, id=PendingCardId(1000 + number))
            await journal.record(card)
            journal.remove(card.id)
        assert size(path) < 2 << 20
    assert interrupted(path) == [REPLY]


@pytest.mark.parametrize("line", [b"", b'{"id": 7, "user_id"', b"null", b"\xff\xfe"])
async def test_an_incomplete_line_is_skipped(path: Path, line: bytes) -> None:
    with PendingCardJournal(path) as journal:
        await journal.record(REPLY)
    append(path, line)
    assert interrupted(path) == [REPLY]


async def test_a_full_disk_raises_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with PendingCardJournal(path) as journal, monkeypatch.context() as full_disk:
        full_disk.setattr("os.write", refuse)
        full_disk.setattr("os.ftruncate", refuse)
        for card in (COMMAND, REPLY):
            await journal.record(card)
        for card in (COMMAND, REPLY):
            journal.remove(card.id)
    assert interrupted(path) == []


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
async def test_a_card_outlives_a_rewriting_that_fails_or_is_killed(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    with PendingCardJournal(path) as journal:
        await journal.record(REPLY)
    with monkeypatch.context() as trouble:
        trouble.setattr(step, fail)
        with contextlib.suppress(KeyboardInterrupt), PendingCardJournal(path) as journal:
            await journal.record(COMMAND)
            journal.remove(COMMAND.id)
    assert interrupted(path) == [REPLY]


def test_only_this_user_can_read_the_tokens(path: Path) -> None:
    interrupted(path)
    assert path.stat().st_mode & 0o077 == 0


async def is_accepted(store: Store, card: PendingCard) -> bool:
    async with store.read() as tx:
        return await tx.generations.accepted(card)


async def test_an_accepted_request_is_recognised_by_its_token_or_its_message(tmp_path: Path) -> None:
    async with Store.open(fresh_database(tmp_path)) as store:
        assert not await is_accepted(store, COMMAND)
        async with store.write() as tx:
            for number, card in enumerate((COMMAND, with_message(REPLY))):
                request = make_request(destination=card.destination)
                generation_id = GenerationId(first_snowflake(NOW) + number)
                await tx.generations.add(make_generation(id=generation_id, request=request))

        for card in (COMMAND, with_message(COMMAND), with_message(REPLY)):
            assert await is_accepted(store, card)
        assert not await is_accepted(store, REPLY), "a reply whose id Discord never told was never accepted"
        others: list[Destination] = [
            make_destination(token=InteractionToken(601, "another", NOW)),
            make_destination(token=None, message_id=MessageId(5)),
        ]
        for destination in others:
            assert not await is_accepted(store, replace(COMMAND, destination=destination))
