"""Parts of statements. A statement is built once, with named values: building it took as long as executing it."""

from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import ColumnElement, bindparam, literal

_T = TypeVar("_T")


def among(column: ColumnElement[_T], values: Iterable[_T]) -> ColumnElement[bool]:
    """Whether a column has one of a few values that are always the same."""
    return column.in_([literal(value, column.type) for value in values])


def among_given(column: ColumnElement[_T], name: str) -> ColumnElement[bool]:
    """Whether a column has one of the values that are given by this name with each execution."""
    return column.in_(bindparam(name, expanding=True))
