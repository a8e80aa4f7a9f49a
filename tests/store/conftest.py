"""A database of its own for every test."""

from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import pytest

from bot.store.store import Store
from tests.database import ON_POSTGRESQL, at_server, fresh_database, postgresql_database, server
from tests.fresh import put_fresh_database

MakeUrl = Callable[[str], str]


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


@pytest.fixture
def source(tmp_path: Path) -> MakeUrl:
    """The URL of a database of this kind with the newest schema."""

    def make(kind: str) -> str:
        put_fresh_database(tmp_path / "easel.db")
        return postgresql_database(tmp_path) if kind == "postgresql" else f"sqlite:///{tmp_path / 'easel.db'}"

    return make


@pytest.fixture
def target(tmp_path: Path) -> Generator[MakeUrl, None, None]:
    """The URL of a database of this kind, "sqlite" or "postgresql", without tables."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / 'moved' / 'new.db'}"
        at_server("DROP DATABASE IF EXISTS moved WITH (FORCE)")
        at_server("CREATE DATABASE moved")
        return server().get_uri(database="moved")

    yield make
    if server.cache_info().currsize:
        at_server("DROP DATABASE IF EXISTS moved WITH (FORCE)")
