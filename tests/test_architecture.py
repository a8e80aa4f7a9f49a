"""Rules that no linter of ours knows: how tests may be written, and that types are not argued away."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPECS = {"spec", "spec_set", "autospec"}


def dotted(node: ast.expr) -> str:
    """``a.b.c`` as it is written; empty for anything but names."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            before = dotted(value)
            return f"{before}.{attribute}" if before else ""
        case _:
            return ""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def names_of_mocks(tree: ast.AST) -> set[str]:
    """What unittest.mock and its members are called in a file, and pytest-mock's fixture."""
    names = {"unittest.mock", "mocker"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"unittest", "unittest.mock"}:
            wanted = [one for one in node.names if node.module == "unittest.mock" or one.name == "mock"]
            names.update(one.asname or one.name for one in wanted if one.name not in {"create_autospec", "call", "ANY"})
        if isinstance(node, ast.Import):
            names.update(one.asname for one in node.names if one.name == "unittest.mock" and one.asname)
    return names


def mocks_without_a_spec(tree: ast.AST) -> list[int]:
    """Lines that make a stand-in which answers to anything."""
    names = names_of_mocks(tree)
    return [
        call.lineno
        for call in calls(tree)
        if any(f"{dotted(call.func)}.".startswith(f"{name}.") for name in names)
        and not dotted(call.func).endswith("create_autospec")
        and not any(keyword.arg in SPECS for keyword in call.keywords)
    ]


def bare_sleeps(tree: ast.AST) -> list[int]:
    """Lines that sleep for a fixed time and hope that it is enough.

    Allowed are the pause of a loop, and a function within a function: a stand-in that answers late.
    """
    found = [call.lineno for call in calls(tree) if sleeps(call) == "time.sleep"]

    def look(node: ast.AST, *, in_function: bool) -> None:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (is_function and in_function) or isinstance(node, ast.While | ast.For | ast.AsyncFor):
            return
        if isinstance(node, ast.Call) and sleeps(node) not in {"", "time.sleep"}:
            found.append(node.lineno)
        for child in ast.iter_child_nodes(node):
            look(child, in_function=in_function or is_function)

    look(tree, in_function=False)
    return sorted(found)


def sleeps(call: ast.Call) -> str:
    """By which function a call sleeps for a fixed time; empty when it does not."""
    name = dotted(call.func)
    if name not in {"sleep", "time.sleep", "asyncio.sleep"}:
        return ""
    fixed = any(isinstance(one, ast.Constant) and isinstance(one.value, int | float) and one.value for one in call.args)
    return name if fixed else ""


def arguments_with_the_type_checker(source: str) -> list[int]:
    return [
        number
        for number, line in enumerate(source.splitlines(), start=1)
        if "type: ignore" in line or "pyright: ignore" in line
    ]


def broken(rule: Callable[[str], list[int]], *folders: str) -> list[str]:
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    assert files
    return [f"{file.relative_to(ROOT)}:{line}" for file in files for line in rule(file.read_text(encoding="utf-8"))]


def test_every_mock_has_a_spec() -> None:
    assert broken(lambda source: mocks_without_a_spec(ast.parse(source)), "tests") == []


def test_no_test_sleeps_and_hopes() -> None:
    assert broken(lambda source: bare_sleeps(ast.parse(source)), "tests") == []


def test_the_type_checker_is_never_told_to_look_away() -> None:
    assert broken(arguments_with_the_type_checker, "bot", "cogs") == []


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
def test_the_rule_on_mocks_finds_what_it_should(source: str, lines: list[int]) -> None:
    assert mocks_without_a_spec(ast.parse(source)) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import time\ntime.sleep(1)", [2]),
        ("async def test_it():\n    await asyncio.sleep(0.01)", [2]),
        ("async def settle():\n    await asyncio.sleep(1)", [2]),
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
def test_the_rule_on_sleeps_finds_what_it_should(source: str, lines: list[int]) -> None:
    assert bare_sleeps(ast.parse(source)) == lines


def test_the_rule_on_types_finds_what_it_should() -> None:
    ignore = "ignore"
    source = f"a = 1\nb = a  # type: {ignore}\nc = b  # pyright: {ignore}[reportFoo]\n"
    assert arguments_with_the_type_checker(source) == [2, 3]
