"""Conditions for statements that are built once, at import, and executed with named parameters.

Building a statement takes as long as executing it.
"""

from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import ColumnElement, bindparam, literal

_T = TypeVar("_T")


def in_constants(column: ColumnElement[_T], values: Iterable[_T]) -> ColumnElement[bool]:
    """``column IN (…)`` with values that never change."""
    return column.in_([literal(value, column.type) for value in values])


def in_parameter(column: ColumnElement[_T], name: str) -> ColumnElement[bool]:
    """``column IN (…)`` with the list that each execution passes under this parameter name."""
    return column.in_(bindparam(name, expanding=True))
