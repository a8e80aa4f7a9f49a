"""docs/reliability.md names a test for every fault: each of them must be there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`")
RULE = re.compile(r"\|(-+\|)+")


@cache
def defined_in(path: str) -> frozenset[str]:
    """The tests that a file defines, without importing it; none if there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    defined = ast.parse(file.read_text()).body
    return frozenset(one.name for one in defined if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def rows(page: str) -> list[list[str]]:
    """The cells of every row of every table, without the heads."""
    lines = page.splitlines()
    heads = {number - 1 for number, line in enumerate(lines) if RULE.fullmatch(line)}
    found = [line for number, line in enumerate(lines) if line.startswith("|") and number not in heads]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found if not RULE.fullmatch(line)]


def unknown(page: str) -> list[str]:
    """What the page names that does not exist."""
    return [f"{path}::{name}" for path, name in NAMED.findall(page) if name not in defined_in(path)]


def unproved(page: str) -> list[str]:
    """Rows without a test, or with something else in its place, and rows with an empty cell."""
    return [
        row[0]
        for row in rows(page)
        if not all(row) or not re.fullmatch(f"{NAMED.pattern}(, {NAMED.pattern})*", row[-1])
    ]


def test_every_test_that_is_named_exists() -> None:
    assert unknown(PAGE) == []


def test_every_row_names_its_test() -> None:
    assert len(rows(PAGE)) > 80
    assert unproved(PAGE) == []


def test_all_rows_of_a_table_are_as_wide_as_its_head() -> None:
    assert {len(row) for row in rows(PAGE)} == {3, 4}


@pytest.mark.parametrize(
    "name",
    ["tests/no_such_file.py::test_every_row_names_its_test", "tests/test_reliability_page.py::test_of_nothing"],
)
def test_a_test_that_does_not_exist_is_found(name: str) -> None:
    assert unknown(f"| a fault | nothing | none | `{name}` |") == [name]


@pytest.mark.parametrize(
    "cells",
    [
        "a fault | nothing | none | ",
        "a fault | nothing | none | some day",
        "a fault |  | none | `tests/test_reliability_page.py::test_every_row_names_its_test`",
        "a fault | nothing | none | `tests/test_reliability_page.py::test_every_row_names_its_test`, and more",
    ],
)
def test_a_row_without_its_test_is_found(cells: str) -> None:
    page = f"| fault | seen | credits | test |\n|---|---|---|---|\n| {cells} |"
    assert unproved(page) == ["a fault"]
