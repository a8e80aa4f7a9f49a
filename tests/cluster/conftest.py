"""A PostgreSQL database, whatever the run is on."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.store.leases import PostgresLeases
from bot.store.store import Store
from tests.database import postgresql_database


@pytest.fixture
def postgresql(tmp_path: Path) -> str:
    """Its URL."""
    return postgresql_database(tmp_path)


@pytest.fixture
async def shared_store(postgresql: str) -> AsyncGenerator[Store]:
    async with Store.open(postgresql) as store:
        yield store


@pytest.fixture
async def leases(postgresql: str, shared_store: Store) -> AsyncGenerator[PostgresLeases]:
    async with PostgresLeases.open(postgresql) as opened:
        yield opened
