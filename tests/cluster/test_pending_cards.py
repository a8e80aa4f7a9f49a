"""Pending cards as rows: what a process leaves another one reports, once, and never beside an accepted request."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from bot.domain.errors import Ignored, RequestInterrupted, StoreUnavailable
from bot.domain.generation import InteractionToken, PendingCard
from bot.domain.ids import MessageId, PendingCardId
from bot.generation import pending_card_table
from bot.generation.pending_card_table import PendingCardTable
from bot.generation.recover import report_interrupted
from bot.runtime import Runtime
from bot.store.leases import PostgresLeases, Taken
from bot.store.pending_cards import PendingCardRows
from demo.kie import KieStandIn
from tests.factories import NOW, make_destination, make_request
from tests.generation.backend import ALICE, Backend, Installation
from tests.waiting import until


@dataclass
class Gateways:
    """Processes that serve members, each by a lease of its own."""

    url: str
    folder: Path
    kie: KieStandIn
    leases: PostgresLeases
    started: int = 0

    @asynccontextmanager
    async def start(self) -> AsyncGenerator["Gateway"]:
        self.started += 1
        folder, name = self.folder / f"process-{self.started}", f"gateway:{self.started}"
        folder.mkdir()
        term = await self.leases.acquire(name, 60)
        assert term is not None
        lease, tables = Taken(name, term), list[PendingCardTable]()

        def cards(runtime: Runtime) -> PendingCardTable:
            tables.append(PendingCardTable(runtime, rows, lambda: lease, look_every=0.02))
            return tables[0]

        installation = Installation(folder, self.kie, url=self.url, number=self.started)
        async with (
            PendingCardRows.open(self.url, name=name, seconds=5) as rows,
            installation.start(working=False, discord_up=False, cards=cards) as backend,
        ):
            yield Gateway(backend, tables[0], lease, self.leases)

    async def become(self, rows: list[tuple[int, str]]) -> None:
        """Wait until these cards are pending, each under this lease."""

        def reached() -> bool:
            with psycopg.connect(self.url) as connection:
                return connection.execute("SELECT id, lease FROM pending_cards ORDER BY id").fetchall() == rows

        await until(reached, what=f"the rows to be {rows}")

    def waiting(self, name: str) -> int:
        """How many statements the server has from the connections of this name and has not answered."""
        statement = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state = 'active'"
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, (name,)).fetchall()[0][0]

    def prompts(self) -> list[str]:
        with psycopg.connect(self.url) as connection:
            return [prompt for (prompt,) in connection.execute("SELECT prompt FROM generations").fetchall()]


@dataclass(frozen=True)
class Gateway:
    backend: Backend
    cards: PendingCardTable
    lease: Taken
    leases: PostgresLeases

    @property
    def told(self) -> list[PendingCard]:
        return self.backend.sender.interrupted

    async def hang(self) -> None:
        """Its lease runs out."""
        await self.leases.release(self.lease.name, self.lease.term)

    @asynccontextmanager
    async def looking(self) -> AsyncGenerator[None]:
        """It reports what others have left, as it does all the time."""
        looking = asyncio.create_task(report_interrupted(self.backend.runtime, self.cards, self.backend.sender))
        yield
        assert not looking.done()
        looking.cancel()
        await asyncio.wait({looking})

    async def accept(self, card: PendingCard, prompt: str) -> None:
        await self.backend.generations.accept(make_request(prompt=prompt, destination=card.destination))


@pytest.fixture
def gateways(postgresql: str, tmp_path: Path, kie: KieStandIn, leases: PostgresLeases) -> Gateways:
    return Gateways(postgresql, tmp_path, kie, leases)


def end_sessions(url: str, name: str) -> None:
    """The server ends its sessions with the connections of this name."""
    statement = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(statement, (name,))


def pending(number: int, now: datetime) -> PendingCard:
    token = InteractionToken(6, f"token {number}", now + timedelta(minutes=15))
    card_id = PendingCardId(number)
    return PendingCard(card_id, ALICE, now, make_destination(token=token, pending_card=card_id, message_id=None))


def with_message(card: PendingCard) -> PendingCard:
    return replace(card, destination=replace(card.destination, message_id=MessageId(71)))


async def test_a_row_is_overwritten_only_by_its_holder_or_when_that_has_ended(
    postgresql: str, leases: PostgresLeases
) -> None:
    first, other = pending(1, NOW), pending(2, NOW)
    async with PendingCardRows.open(postgresql, name="cards", seconds=5) as rows:
        for card, lease in ((first, "gateway:1"), (other, "gateway:2")):
            assert await leases.acquire(lease, 60) == 1
            assert await rows.record(card, Taken(lease, 1), print)
        assert await rows.record(with_message(first), Taken("gateway:1", 1), print)
        assert not await rows.record(first, Taken("gateway:2", 1), print)
        await leases.release("gateway:1", 1)
        assert await rows.record(first, Taken("gateway:2", 1), print)

        end_sessions(postgresql, "cards")
        await rows.remove(first.id, Taken("gateway:2", 1))
        with psycopg.connect(postgresql) as server:
            assert server.execute("SELECT id FROM pending_cards").fetchall() == [(2,)]


async def test_what_an_ended_process_left_another_one_reports_once(gateways: Gateways) -> None:
    async with gateways.start() as dead, gateways.start() as busy, gateways.start() as first, gateways.start() as other:
        left, kept, removed = (pending(number, NOW) for number in (1, 2, 3))
        for card in (left, with_message(left), removed):
            await dead.cards.record(card)
        await busy.cards.record(kept)
        dead.cards.remove(removed.id)
        await gateways.become([(1, dead.lease.name), (2, busy.lease.name)])
        async with first.looking(), other.looking(), busy.looking():
            await dead.hang()
            await gateways.become([(2, busy.lease.name)])
            assert [*first.told, *other.told, *busy.told] == [with_message(left)]
            # One whose lease has run out may go on with its own.
            await busy.hang()
            await gateways.become([])
            assert kept in [*first.told, *other.told]
            assert len([*first.told, *other.told, *busy.told]) == 2


async def test_a_request_is_either_accepted_or_reported_as_interrupted(gateways: Gateways) -> None:
    async with gateways.start() as hung, gateways.start() as other:
        accepted, reported = (pending(number, hung.backend.clock.now()) for number in (1, 2))
        for card in (accepted, reported):
            await hung.cards.record(card)
        await hung.accept(accepted, "accepted")
        await gateways.become([(2, hung.lease.name)])
        # As when it is killed before it has removed the row.
        await hung.cards.record(accepted)
        await hung.hang()
        interrupted = other.cards.find_interrupted()
        assert {(await anext(interrupted)).id, (await anext(interrupted)).id} == {1, 2}

        with pytest.raises(RequestInterrupted):
            await hung.accept(reported, "too late")
        assert gateways.prompts() == ["accepted"]
        hung.cards.remove(reported.id)
        await other.hang()
        async with gateways.start() as third, third.looking():
            await gateways.become([])
            assert third.told == [reported]


async def test_a_row_is_on_its_way_before_the_acknowledgement_and_its_answer_is_not_waited_for(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_card_table, "_PATIENCE", 600)
    async with gateways.start() as gateway:
        await gateway.cards.record(pending(1, NOW))
        await gateways.become([(1, gateway.lease.name)])
        with psycopg.connect(gateways.url) as connection:
            connection.execute("LOCK TABLE pending_cards")
            async with asyncio.timeout(20):
                await gateway.cards.record(pending(2, NOW))
            # Nothing else of this process runs meanwhile, as if it had been killed.
            deadline = time.monotonic() + 20
            while gateways.waiting(gateway.lease.name) != 1:
                assert time.monotonic() < deadline, "the server does not have the statement"
        await gateways.become([(1, gateway.lease.name), (2, gateway.lease.name)])


async def test_a_database_that_does_not_answer_holds_up_nobody(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_card_table, "_PATIENCE", 0.05)
    async with gateways.start() as gateway:
        # More than there are connections.
        cards = [pending(number, NOW) for number in range(1, 5)]
        with psycopg.connect(gateways.url) as connection:
            connection.execute("LOCK TABLE pending_cards")
            for card in cards:
                await gateway.cards.record(card)
                gateway.cards.remove(card.id)
        await until(lambda: gateways.waiting(gateway.lease.name) == 0, what="the rows to be written after all")
        await gateways.become([])


async def test_a_process_that_lost_its_lease_opens_no_card(gateways: Gateways) -> None:
    async with gateways.start() as first, PendingCardRows.open(gateways.url, name="lost", seconds=5) as rows:
        lease: Taken | None = first.lease
        cards = PendingCardTable(first.backend.runtime, rows, lambda: lease, look_every=60)
        card = pending(7, NOW)
        await cards.record(card)
        await gateways.become([(7, first.lease.name)])
        lease = None
        with pytest.raises(Ignored):
            await cards.record(pending(8, NOW))
        # What it has opened it goes on with.
        await cards.record(with_message(card))


async def test_a_connection_that_was_lost_costs_no_row(gateways: Gateways) -> None:
    async with gateways.start() as gateway:
        await gateway.cards.record(pending(1, NOW))
        await gateways.become([(1, gateway.lease.name)])
        end_sessions(gateways.url, gateway.lease.name)
        await gateway.cards.record(pending(2, NOW))
        await gateways.become([(1, gateway.lease.name), (2, gateway.lease.name)])


async def test_while_the_database_is_away_no_card_is_opened(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateways.start() as gateway:
        await gateway.cards.record(pending(1, NOW))
        await gateways.become([(1, gateway.lease.name)])
        end_sessions(gateways.url, gateway.lease.name)
        with monkeypatch.context() as patch:
            patch.setattr(PendingCardRows, "_connect", refused)
            with pytest.raises(StoreUnavailable, match="starting up"):
                await gateway.cards.record(pending(2, NOW))
            # Its card is open already: the request may still be accepted later.
            await gateway.cards.record(with_message(pending(1, NOW)))
        await gateway.cards.record(pending(3, NOW))
        await gateways.become([(1, gateway.lease.name), (3, gateway.lease.name)])


async def refused(_: PendingCardRows) -> psycopg.AsyncConnection[object]:
    raise psycopg.OperationalError("the database system is starting up")


async def test_after_an_outage_no_request_is_accepted_whose_member_was_told_otherwise(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database stores the rows, and is gone before it has answered."""
    record = PendingCardRows.record

    async def unanswered(rows: PendingCardRows, card: PendingCard, holder: Taken, sent: Callable[[], object]) -> bool:
        await record(rows, card, holder, sent)
        raise StoreUnavailable("the connection is lost")

    async with gateways.start() as cut_off, gateways.start() as other:
        kept, taken, told = (pending(number, cut_off.backend.clock.now()) for number in (1, 2, 3))
        # Also of the second try, after which the process would know.
        monkeypatch.setattr(PendingCardRows, "record", unanswered)
        for card in (kept, taken, told):
            await cut_off.cards.record(card)
        await gateways.become([(number, cut_off.lease.name) for number in (1, 2, 3)])
        await cut_off.accept(kept, "in time")
        await gateways.become([(2, cut_off.lease.name), (3, cut_off.lease.name)])

        await cut_off.hang()
        interrupted = other.cards.find_interrupted()
        assert {(await anext(interrupted)).id, (await anext(interrupted)).id} == {2, 3}
        other.cards.remove(told.id)
        await gateways.become([(2, other.lease.name)])
        with pytest.raises(RequestInterrupted):
            await cut_off.accept(taken, "too late")
        with pytest.raises(StoreUnavailable, match="unknown whether another process"):
            await cut_off.accept(told, "too late")
        assert gateways.prompts() == ["in time"]
        with psycopg.connect(gateways.url) as connection:
            assert connection.execute("SELECT movement FROM ledger").fetchall() == [("reserve",)]
