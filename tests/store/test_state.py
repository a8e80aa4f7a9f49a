"""What a database is like, as `python -m bot check` shows it; on both engines."""

import re
from pathlib import Path

import pytest

from bot.domain.errors import OperatorError
from bot.store.migrate import NEWEST
from bot.store.state import read_state
from tests.database import ON_POSTGRESQL, execute, fresh_database


def test_server_schema_and_size_are_read(tmp_path: Path) -> None:
    url = fresh_database(tmp_path)
    state = read_state(url)
    assert re.fullmatch(r"PostgreSQL \d+\.\d+.*" if ON_POSTGRESQL else r"SQLite 3\.[\d.]+", state.server)
    assert (state.schema, state.problems) == (NEWEST, [])
    assert state.size > 100_000
    execute(tmp_path, "DROP TABLE alembic_version")
    assert read_state(url).schema is None


def test_a_server_that_is_out_of_reach_is_named() -> None:
    with pytest.raises(OperatorError, match=r"easel on 127\.0\.0\.1 cannot be reached"):
        read_state("postgresql://easel@127.0.0.1:1/easel")
