"""A PostgreSQL database, whatever the run is on."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.store.leases import PostgresLeases
from bot.store.store import Store
from demo.kie import KieStandIn
from tests.database import postgresql_database
from tests.kie.schema import check_all


@pytest.fixture
def postgresql(tmp_path: Path) -> str:
    """Its URL."""
    return postgresql_database(tmp_path)


@pytest.fixture
async def kie() -> AsyncGenerator[KieStandIn]:
    async with KieStandIn(create_limit=10_000, draw=False) as stand_in:
        yield stand_in
        check_all(stand_in)


@pytest.fixture
async def shared_store(postgresql: str) -> AsyncGenerator[Store]:
    async with Store.open(postgresql) as store:
        yield store


@pytest.fixture
async def leases(postgresql: str, shared_store: Store) -> AsyncGenerator[PostgresLeases]:
    async with PostgresLeases.open(postgresql) as opened:
        yield opened
