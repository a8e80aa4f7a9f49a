"""Cards that an earlier process left pending: their members are told once, unless the request was accepted."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.generation import Destination, InteractionToken, PendingCard
from bot.domain.ids import ChannelId, MessageId, PendingCardId
from bot.generation.recover import report_interrupted
from tests.generation.backend import ALICE, Backend, Installation
from tests.waiting import until


async def record_card(backend: Backend, value: str = "another") -> PendingCard:
    """A card that this process has shown, without a generation."""
    now = backend.clock.now()
    destination = Destination(
        ChannelId(5), InteractionToken(6, value, now), MessageId(9), private=False, upload_limit=0
    )
    card = PendingCard(PendingCardId(1), ALICE, now, destination)
    await backend.pending_cards.record(card)
    return card


async def reported(backend: Backend) -> list[PendingCard]:
    """The cards whose members this process tells of the interruption."""
    await report_interrupted(backend.runtime, backend.pending_cards, backend.sender)
    await until(lambda: not len(backend.runtime.background), what="the reports to be sent")
    return backend.sender.interrupted


async def test_an_interrupted_request_is_reported_once_and_by_the_next_process(installation: Installation) -> None:
    async with installation.start() as backend:
        card = await record_card(backend)
        assert await reported(backend) == []
    async with installation.start() as backend:
        assert await reported(backend) == [card]
        assert backend.ledger() == []
    async with installation.start() as backend:
        assert await reported(backend) == []


async def test_accepting_a_request_removes_its_card_from_the_journal(installation: Installation) -> None:
    async with installation.start(working=False) as backend:
        card = await record_card(backend)
        request = (await backend.generation(await backend.request())).request
        destination = replace(card.destination, pending_card=card.id)
        await backend.generations.accept(replace(request, destination=destination))
    async with installation.start(working=False) as backend:
        assert backend.pending_cards.interrupted == ()


async def test_a_request_accepted_just_before_the_kill_is_not_reported(installation: Installation) -> None:
    async with installation.start() as backend:
        generation_id = await backend.request()
        # The process died after the transaction and before it removed the card.
        await record_card(backend, value="token")
        await backend.wait_for_post(generation_id)
    async with installation.start() as backend:
        assert await reported(backend) == []
    async with installation.start() as backend:
        assert backend.pending_cards.interrupted == ()


async def test_a_card_of_a_time_that_does_not_exist_is_dropped(installation: Installation) -> None:
    async with installation.start() as backend:
        await backend.pending_cards.record(
            replace(await record_card(backend), opened_at=datetime.min.replace(tzinfo=UTC))
        )
    async with installation.start() as backend:
        assert await reported(backend) == []
    async with installation.start() as backend:
        assert backend.pending_cards.interrupted == ()


async def test_a_report_that_fails_is_repeated_by_the_next_process(
    installation: Installation, expected_errors: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_errors.append(RuntimeError("Session is closed"))

    async def fail(_card: PendingCard, /) -> None:
        raise expected_errors[0]

    async with installation.start() as backend:
        card = await record_card(backend)
    async with installation.start() as backend:
        monkeypatch.setattr(backend.sender, "show_interrupted", fail)
        await reported(backend)
    async with installation.start() as backend:
        assert await reported(backend) == [card]
