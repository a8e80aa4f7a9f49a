"""A database file of its own for every test."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.store.store import Store
from tests.fresh import put_fresh_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "easel.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
async def store(url: str, file: Path) -> AsyncGenerator[Store, None]:
    put_fresh_database(file)
    async with Store.open(url) as one:
        yield one
