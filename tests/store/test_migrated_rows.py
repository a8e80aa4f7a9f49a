"""Rows of every kind in the schema before images had menus: the migrations since then change none of them."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import TableClause, column, insert, inspect, select, table

from bot.domain.image_history import HistoryFilter
from bot.store.audit import audit
from bot.store.migrate import migrate
from bot.store.quota_tables import metadata
from bot.store.store import Store
from tests.factories import ALICE, NOW
from tests.store.conftest import MakeUrl
from tests.store.stored import change, upgrade
from tests.store.test_copy import ENGINES, fill

ADDED = {"images": {False}, "drafts": {None}, "generations": {None}, "servers": {None}}
"""What the columns hold that were added to these tables."""


def contents(url: str, tables: list[TableClause]) -> dict[str, list[tuple[Any, ...]]]:
    with change(url) as connection:
        return {one.name: sorted(map(tuple, connection.execute(select(one))), key=repr) for one in tables}


@pytest.mark.parametrize("kind", ENGINES)
async def test_no_row_of_an_earlier_version_is_lost_or_changed(
    source: MakeUrl, target: MakeUrl, kind: str, tmp_path: Path
) -> None:
    filled, old = await fill(source("sqlite")), target(kind)
    (tmp_path / "moved").mkdir()
    upgrade(old, "0016")
    earlier: list[TableClause] = []
    added: dict[str, TableClause] = {}
    with change(old) as connection:
        for now in metadata.sorted_tables:
            if inspect(connection).has_table(now.name):
                there = {one["name"] for one in inspect(connection).get_columns(now.name)}
                known = [column(one.name, one.type) for one in now.columns if one.name in there]
                earlier.append(table(now.name, *known))
                if new := [column(one.name, one.type) for one in now.columns if one.name not in there]:
                    added[now.name] = table(now.name, *new)
    before = contents(filled, earlier)
    assert all(before.values())
    with change(old) as connection:
        for one in earlier:
            names = [each.name for each in one.columns]
            rows = [dict(zip(names, row, strict=True)) for row in before[one.name]]
            # In one statement: some images are made from others.
            connection.execute(insert(one).values(rows))
    migrate(old)

    assert contents(old, earlier) == before
    new_values = contents(old, [*added.values()])
    assert {name: {value for row in rows for value in row} for name, rows in new_values.items()} == ADDED
    assert list(audit(old, NOW)) == list(audit(filled, NOW))
    async with Store.open(old) as store, store.read() as tx:
        for word, found in (("lighthouse", True), ("hound", False)):
            entries = await tx.image_history.entries(HistoryFilter(ALICE.user_id, words=(word,)), 10)
            assert bool(entries) is found
