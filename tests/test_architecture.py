"""Rules that no linter checks: mocks, sleeps, suppressed warnings, class names and vocabulary."""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPECS = {"spec", "spec_set", "autospec"}
PRIVATE_WORDS = (
    *("ajar", "announcer", "anew", "apolog(ies|ise|ised|y)", "couriers?", "darkroom", "deliverer", "desk", "door"),
    *("gate", "insists?", "leftovers", "mend(ed|ing|s)?", "outlook", "paint(ed|er|ing|s)?", "pictures?", "reception"),
    *("shelf", "studio", "watcher", "who(m)?ever", "wish(ed|es)?"),
    # The file of pending cards keeps its name: the next version must find what this one wrote.
    r"openings(?!\.journal)",
    *("for want of", "is told", "not to be had", "wherever it may"),
    # "any more" of time, which is "no longer", but not "any more credits".
    r"any more(?=[.,;:)\"]|$)",
)
"""Metaphors and archaic words that were replaced by the vocabulary of the field; as patterns of whole words."""


def dotted_name(node: ast.expr) -> str:
    """``a.b.c`` as it is written; empty for anything but names."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            parent = dotted_name(value)
            return f"{parent}.{attribute}" if parent else ""
        case _:
            return ""


def names_of_mocks(tree: ast.AST) -> set[str]:
    """The names of unittest.mock and its members in a file, and pytest-mock's fixture."""
    names = {"unittest.mock", "mocker"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"unittest", "unittest.mock"}:
            imported = [alias for alias in node.names if node.module == "unittest.mock" or alias.name == "mock"]
            harmless = {"create_autospec", "call", "ANY"}
            names.update(alias.asname or alias.name for alias in imported if alias.name not in harmless)
        if isinstance(node, ast.Import):
            names.update(alias.asname for alias in node.names if alias.name == "unittest.mock" and alias.asname)
    return names


def mocks_without_a_spec(source: str) -> list[int]:
    """Lines that make a mock which accepts any call."""
    tree = ast.parse(source)
    names = names_of_mocks(tree)
    return [
        call.lineno
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and any(f"{dotted_name(call.func)}.".startswith(f"{name}.") for name in names)
        and not dotted_name(call.func).endswith("create_autospec")
        and not any(keyword.arg in SPECS for keyword in call.keywords)
    ]


def bare_sleeps(source: str) -> list[int]:
    """Lines that sleep for a fixed time.

    An asynchronous sleep is allowed in a loop, and in a function within a function: a fake that answers late.
    """
    lines: set[int] = set()

    def visit(node: ast.AST, *, in_function: bool, allowed: bool) -> None:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        allowed |= (is_function and in_function) or isinstance(node, ast.While | ast.For | ast.AsyncFor)
        if isinstance(node, ast.Call) and (function := fixed_sleep(node)) and (function == "time.sleep" or not allowed):
            lines.add(node.lineno)
        for child in ast.iter_child_nodes(node):
            visit(child, in_function=in_function or is_function, allowed=allowed)

    visit(ast.parse(source), in_function=False, allowed=False)
    return sorted(lines)


def fixed_sleep(call: ast.Call) -> str:
    """The function by which a call sleeps for a fixed time; empty if it does not."""
    name = dotted_name(call.func)
    if name not in {"sleep", "time.sleep", "asyncio.sleep"}:
        return ""
    numbers = [
        node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    ]
    return name if any(numbers) else ""


def suppressions(source: str) -> list[int]:
    """Lines that silence the type checker or the linter."""
    lines = enumerate(source.splitlines(), start=1)
    return [number for number, line in lines if re.search(r"#.*(type: |pyright: )ignore|# noqa", line)]


def private_words(text: str) -> list[int]:
    """Lines with a word of :data:`PRIVATE_WORDS`, also as a part of a name in snake_case or CamelCase."""
    pattern = re.compile(rf"(?<![a-z])({'|'.join(PRIVATE_WORDS)})(?![a-z])", re.IGNORECASE)
    lines = enumerate(text.splitlines(), start=1)
    return [number for number, line in lines if pattern.search(re.sub(r"([a-z])([A-Z])", r"\1 \2", line))]


def python_files(*folders: str) -> list[Path]:
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    assert files
    return files


def violations(rule: Callable[[str], list[int]], files: list[Path]) -> list[str]:
    return [f"{file.relative_to(ROOT)}:{line}" for file in files for line in rule(file.read_text(encoding="utf-8"))]


def public_classes(files: list[Path]) -> Iterator[tuple[str, str]]:
    """The name and the file of every public class."""
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, str(file.relative_to(ROOT))


def test_every_mock_has_a_spec() -> None:
    assert violations(mocks_without_a_spec, python_files("tests")) == []


def test_no_test_sleeps_for_a_fixed_time() -> None:
    assert violations(bare_sleeps, python_files("tests")) == []


def test_no_warning_is_suppressed() -> None:
    assert violations(suppressions, python_files("bot", "cogs", "demo")) == []


def test_one_class_name_has_one_meaning() -> None:
    files = groupby(sorted(public_classes(python_files("bot", "cogs"))), key=lambda entry: entry[0])
    defined = {name: [file for _, file in entries] for name, entries in files}
    assert {name: places for name, places in defined.items() if len(places) > 1} == {}


def test_no_private_word_is_left() -> None:
    sources = [file for file in python_files("bot", "cogs") if file.parent.name != "versions"]
    pages = [ROOT / "README.md", ROOT / "config.example.toml", *sorted((ROOT / "docs").rglob("*.md"))]
    assert violations(private_words, [*sources, *pages]) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *((text, True) for text in ("a Wish", "wish_id = 1", "class OpenWish:", "self._courier", "not to be had.")),
        *((text, True) for text in ("They painted it", "it is not kept any more.", "the darkroom", "whoever runs it")),
        *(
            (text, False)
            for text in ("the gateway", "need any more credits", "insistent", "recommended", "investigate")
        ),
    ],
)
def test_private_words_are_found(text: str, found: bool) -> None:
    assert private_words(f"ordinary text\n{text}") == ([2] if found else [])


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("from unittest.mock import Mock\nMock()", [2]),
        ("from unittest.mock import Mock as Thing\nThing()", [2]),
        ("from unittest import mock\nmock.MagicMock(name='a')", [2]),
        ("import unittest.mock\nunittest.mock.AsyncMock(return_value=1)", [2]),
        ("import unittest.mock as m\nm.Mock()", [2]),
        ("from unittest.mock import patch\nwith patch('a.b'): pass", [2]),
        ("from unittest.mock import patch\n@patch.object(a, 'b')\ndef f(): pass", [2]),
        ("def test(mocker): mocker.patch('a.b')", [1]),
        ("from unittest.mock import Mock\nMock(spec=Thing)", []),
        ("from unittest.mock import patch\npatch('a.b', autospec=True)", []),
        ("from unittest import mock\nmock.create_autospec(Thing)", []),
        ("session.patch('https://example.com')", []),
    ],
)
def test_mocks_without_a_spec_are_found(source: str, lines: list[int]) -> None:
    assert mocks_without_a_spec(source) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import time\ntime.sleep(1)", [2]),
        ("async def test_it():\n    await asyncio.sleep(0.01)", [2]),
        ("class TestIt:\n    async def test_it(self):\n        await asyncio.sleep(1)", [3]),
        ("async def test_it():\n    for _ in range(3):\n        await asyncio.sleep(0.01)", []),
        ("async def watch():\n    while not done:\n        await asyncio.sleep(0.01)", []),
        ("def watch():\n    while not done:\n        time.sleep(0.01)", [3]),
        ("async def test_it():\n    async def serve(): await asyncio.sleep(0.01)", []),
        ("async def test_it():\n    def serve(): time.sleep(0.01)", [2]),
        ("async def test_it():\n    await asyncio.sleep(0)", []),
        ("async def test_it():\n    await asyncio.sleep(pause)", []),
    ],
)
def test_bare_sleeps_are_found(source: str, lines: list[int]) -> None:
    assert bare_sleeps(source) == lines


def test_suppressions_are_found() -> None:
    comments = ("type: ignore", "pyright: ignore[reportFoo]", "noqa: S101", "a comment")
    assert suppressions("\n".join(f"a = 1  # {comment}" for comment in comments)) == [1, 2, 3]


def test_no_file_of_the_product_is_longer_than_300_lines() -> None:
    files = [path for room in ("bot", "cogs", "demo") for path in (ROOT / room).rglob("*.py")]
    assert files
    assert [str(path.relative_to(ROOT)) for path in files if len(path.read_text().splitlines()) > 300] == []
