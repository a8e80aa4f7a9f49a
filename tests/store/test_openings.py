"""Opened cards: written down, found by the next process, and never in the way of a wish."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.generation import Destination, InteractionToken, PendingCard
from bot.domain.ids import GenerationId, MessageId, PendingCardId, first_snowflake
from bot.generation.pending_cards import PendingCardJournal
from bot.store.store import Store
from tests.factories import ALICE, NOW, make_destination, make_generation, make_request

CARD = MessageId((1 << 63) - 1)
BY_COMMAND = PendingCard(PendingCardId(7), ALICE.user_id, NOW, make_destination(pending_card=PendingCardId(7)))
BY_REPLY = PendingCard(PendingCardId(8), ALICE.user_id, NOW, make_destination(token=None, upload_limit=0), MessageId(8))


def known(opening: PendingCard) -> PendingCard:
    """The same, once Discord has told the card's id."""
    return replace(opening, destination=replace(opening.destination, message_id=CARD))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "openings.journal"


def left(journal: Path) -> list[PendingCard]:
    """What another process finds."""
    with PendingCardJournal(journal) as openings:
        return list(openings.left)


@pytest.mark.parametrize("opening", [BY_COMMAND, known(BY_COMMAND), BY_REPLY, known(BY_REPLY)])
def test_a_card_is_found_by_the_next_process_whole(journal: Path, opening: PendingCard) -> None:
    with PendingCardJournal(journal) as openings:
        openings.note(opening)
        assert openings.left == (), "the own cards are not those of an earlier process"

    assert left(journal) == [opening]
    assert left(journal) == [opening], "it stays until it was seen to"


def test_what_has_become_known_of_a_card_takes_the_place_of_what_was(journal: Path) -> None:
    with PendingCardJournal(journal) as openings:
        for one in (BY_COMMAND, BY_REPLY, known(BY_COMMAND)):
            openings.note(one)

    assert left(journal) == [known(BY_COMMAND), BY_REPLY]


def test_a_card_that_came_to_an_end_is_forgotten(journal: Path) -> None:
    with PendingCardJournal(journal) as openings:
        openings.note(BY_COMMAND)
        openings.note(BY_REPLY)
        for _ in range(2):
            openings.close(BY_COMMAND.id)
        openings.close(None)

    assert left(journal) == [BY_REPLY]


def test_a_journal_in_which_nothing_is_open_is_empty(journal: Path) -> None:
    with PendingCardJournal(journal) as openings:
        for one in (BY_COMMAND, BY_REPLY):
            openings.note(one)
        for one in (BY_COMMAND, BY_REPLY):
            openings.close(one.id)
        assert journal.stat().st_size == 0


def test_a_journal_does_not_grow_for_ever(journal: Path) -> None:
    with PendingCardJournal(journal) as openings:
        openings.note(BY_REPLY)
        for number in range(10_000):
            one = replace(BY_COMMAND, id=PendingCardId(1000 + number))
            openings.note(one)
            openings.close(one.id)
        assert journal.stat().st_size < 2 << 20

    assert left(journal) == [BY_REPLY]


def test_a_card_of_an_earlier_process_is_forgotten_once_it_was_seen_to(journal: Path) -> None:
    with PendingCardJournal(journal) as openings:
        openings.note(BY_COMMAND)
    with PendingCardJournal(journal) as openings:
        openings.close(BY_COMMAND.id)

    assert left(journal) == []


@pytest.mark.parametrize("line", [b"", b'{"id": 7, "user_id"', b"null", b"\xff\xfe"])
def test_a_line_that_was_not_written_to_its_end_is_passed_over(journal: Path, line: bytes) -> None:
    with PendingCardJournal(journal) as openings:
        openings.note(BY_REPLY)
    journal.write_bytes(journal.read_bytes() + line)

    assert left(journal) == [BY_REPLY]


def test_a_disk_that_takes_nothing_keeps_no_wish_from_being_accepted(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with PendingCardJournal(journal) as openings:
        monkeypatch.setattr("os.write", refuse)
        monkeypatch.setattr("os.ftruncate", refuse)
        openings.note(BY_COMMAND)
        openings.note(BY_REPLY)
        openings.close(BY_COMMAND.id)
        openings.close(BY_REPLY.id)
        monkeypatch.undo()

    assert left(journal) == []


def test_a_token_is_nobody_elses_to_read(journal: Path) -> None:
    left(journal)

    assert journal.stat().st_mode & 0o077 == 0


async def accepted(store: Store, opening: PendingCard) -> bool:
    async with store.read() as tx:
        return await tx.generations.accepted(opening)


async def test_a_card_that_became_a_generations_is_known_by_its_token_or_its_message(store: Store) -> None:
    assert not await accepted(store, BY_COMMAND)
    async with store.write() as tx:
        for number, opening in enumerate((BY_COMMAND, known(BY_REPLY))):
            request = make_request(destination=opening.destination)
            await tx.generations.add(make_generation(id=GenerationId(first_snowflake(NOW) + number), request=request))

    assert await accepted(store, BY_COMMAND)
    assert await accepted(store, known(BY_COMMAND))
    assert await accepted(store, known(BY_REPLY))
    assert not await accepted(store, BY_REPLY), "a reply whose id Discord never told was never accepted"


@pytest.mark.parametrize(
    "destination",
    [
        make_destination(token=InteractionToken(601, "another", NOW)),
        make_destination(token=None, message_id=MessageId(5)),
    ],
    ids=["token", "message"],
)
async def test_another_card_is_not_taken_for_it(store: Store, destination: Destination) -> None:
    async with store.write() as tx:
        await tx.generations.add(make_generation(id=GenerationId(first_snowflake(NOW)), request=make_request()))

    assert not await accepted(store, replace(BY_COMMAND, destination=destination))
