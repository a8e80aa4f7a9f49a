from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.checks.surroundings import Surroundings, open_surroundings
from tests.fresh import put_fresh_database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a new database."""
    put_fresh_database(tmp_path / "easel.db")
    (tmp_path / "easel.db").chmod(0o600)
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
async def surroundings(folder: Path) -> AsyncGenerator[Surroundings]:
    async with open_surroundings(folder) as surroundings:
        yield surroundings
