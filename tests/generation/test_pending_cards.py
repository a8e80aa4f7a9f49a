"""The journal of pending cards: the next process finds them, and a full disk does not get in the way of a request."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.generation import PendingCard
from bot.domain.ids import MessageId, PendingCardId
from bot.generation.pending_cards import PendingCardJournal, read_pending_cards
from tests.factories import ALICE, NOW, make_destination

BY_COMMAND = PendingCard(PendingCardId(7), ALICE.user_id, NOW, make_destination(pending_card=PendingCardId(7)))
BY_REPLY = PendingCard(PendingCardId(8), ALICE.user_id, NOW, make_destination(token=None, upload_limit=0), MessageId(8))


def with_message(card: PendingCard) -> PendingCard:
    """The same card once Discord has answered with its message's id."""
    return replace(card, destination=replace(card.destination, message_id=MessageId((1 << 63) - 1)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pending.journal"


def left(file: Path) -> list[PendingCard]:
    """What the next process finds."""
    with PendingCardJournal(file) as journal:
        return list(journal.left)


@pytest.mark.parametrize("card", [BY_COMMAND, with_message(BY_COMMAND), BY_REPLY, with_message(BY_REPLY)])
def test_the_next_process_finds_a_card_unchanged_until_it_is_closed(file: Path, card: PendingCard) -> None:
    with PendingCardJournal(file) as journal:
        journal.note(card)
        assert journal.left == (), "a process's own cards are not an earlier one's"
    assert file.stat().st_mode & 0o077 == 0, "others could read the token"
    assert left(file) == [card]
    with PendingCardJournal(file) as journal:
        assert journal.left == (card,)
        journal.close(card.id)
    assert left(file) == []


def test_a_card_that_is_noted_again_replaces_the_earlier_note(file: Path) -> None:
    with PendingCardJournal(file) as journal:
        for card in (BY_COMMAND, BY_REPLY, with_message(BY_COMMAND)):
            journal.note(card)
    assert left(file) == [with_message(BY_COMMAND), BY_REPLY]


def test_closing_is_harmless_to_repeat_and_empties_the_journal_in_the_end(file: Path) -> None:
    with PendingCardJournal(file) as journal:
        journal.note(BY_COMMAND)
        journal.note(BY_REPLY)
        for closed in (BY_COMMAND.id, BY_COMMAND.id, None):
            journal.close(closed)
        assert read_pending_cards(file) == [BY_REPLY]
        journal.close(BY_REPLY.id)
        assert file.stat().st_size == 0


def test_the_journal_does_not_grow_without_limit(file: Path) -> None:
    with PendingCardJournal(file) as journal:
        journal.note(BY_REPLY)
        for number in range(10_000):
            card = replace(BY_COMMAND, id=PendingCardId(1000 + number))
            journal.note(card)
            journal.close(card.id)
        assert file.stat().st_size < 2 << 20
    assert left(file) == [BY_REPLY]


@pytest.mark.parametrize("line", [b"", b'{"id": 7, "user_id"', b"null", b"\xff\xfe"])
def test_an_incomplete_line_is_skipped(file: Path, line: bytes) -> None:
    with PendingCardJournal(file) as journal:
        journal.note(BY_REPLY)
    file.write_bytes(file.read_bytes() + line)
    assert left(file) == [BY_REPLY]


def test_a_full_disk_raises_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with PendingCardJournal(file) as journal:
        monkeypatch.setattr("os.write", refuse)
        monkeypatch.setattr("os.ftruncate", refuse)
        for card in (BY_COMMAND, BY_REPLY):
            journal.note(card)
        for card in (BY_COMMAND, BY_REPLY):
            journal.close(card.id)
        monkeypatch.undo()
    assert left(file) == []
