"""A database file of its own for every test."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.store.store import Store
from tests.database import ON_POSTGRESQL, fresh_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "easel.db"


@pytest.fixture
def url(file: Path) -> str:
    """Of the store's database; of a file that does not exist yet, in tests that are about SQLite."""
    return fresh_database(file.parent) if ON_POSTGRESQL else f"sqlite:///{file}"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store, None]:
    url = fresh_database(tmp_path)
    async with Store.open(url) as one:
        yield one
