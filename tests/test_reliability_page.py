"""docs/reliability.md names a test for every fault, and each of them must exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()
TEST = re.compile(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`")
RULE = re.compile(r"\|(-+\|)+")
THIS = "tests/test_reliability_page.py::test_every_row_names_its_test"


@cache
def defined_tests(path: str) -> frozenset[str]:
    """The tests that a file defines, without importing it; empty if there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    functions = ast.parse(file.read_text()).body
    return frozenset(node.name for node in functions if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def rows(page: str) -> list[list[str]]:
    """The cells of every row of every table, without the headings."""
    lines = page.splitlines()
    headings = {number - 1 for number, line in enumerate(lines) if RULE.fullmatch(line)}
    table = [line for number, line in enumerate(lines) if line.startswith("|") and number not in headings]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table if not RULE.fullmatch(line)]


def missing_tests(page: str) -> list[str]:
    """The tests that the page names and that do not exist."""
    return [f"{path}::{name}" for path, name in TEST.findall(page) if name not in defined_tests(path)]


def rows_without_test(page: str) -> list[str]:
    """Rows whose last cell is not a list of tests, and rows with an empty cell."""
    tests = f"{TEST.pattern}(, {TEST.pattern})*"
    return [row[0] for row in rows(page) if not all(row) or not re.fullmatch(tests, row[-1])]


def test_every_row_names_its_test() -> None:
    assert len(rows(PAGE)) > 80
    assert {len(row) for row in rows(PAGE)} == {3, 4}
    assert rows_without_test(PAGE) == []


def test_every_test_that_is_named_exists() -> None:
    assert missing_tests(PAGE) == []


@pytest.mark.parametrize("name", ["tests/no_such_file.py::test_every_row_names_its_test", THIS.replace("row", "line")])
def test_a_missing_test_is_found(name: str) -> None:
    assert missing_tests(f"| a fault | nothing | none | `{name}` |") == [name]


@pytest.mark.parametrize(
    "cells",
    [
        "a fault | nothing | none | ",
        "a fault | nothing | none | some day",
        f"a fault |  | none | `{THIS}`",
        f"a fault | nothing | none | `{THIS}`, and more",
    ],
)
def test_a_row_without_its_test_is_found(cells: str) -> None:
    page = f"| fault | seen | credits | test |\n|---|---|---|---|\n| {cells} |"
    assert rows_without_test(page) == ["a fault"]
