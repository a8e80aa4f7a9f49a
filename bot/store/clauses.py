"""Conditions for statements that are built once, at import, and executed with named parameters.

Building a statement takes as long as executing it.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Integer, bindparam, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_T = TypeVar("_T")


def in_constants(column: ColumnElement[_T], values: Iterable[_T]) -> ColumnElement[bool]:
    """``column IN (…)`` with values that never change."""
    return column.in_([literal(value, column.type) for value in values])


def in_parameter(column: ColumnElement[_T], name: str) -> ColumnElement[bool]:
    """``column IN (…)`` with the list that each execution passes under this parameter name."""
    return column.in_(bindparam(name, expanding=True))


class QuarterOf(FunctionElement[int]):
    """The quarter of an hour that contains a time, as a number of quarters since 1970, UTC."""

    type = Integer()
    inherit_cache = True


@compiles(QuarterOf)
def _quarter_of(element: QuarterOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(floor(EXTRACT(epoch FROM {compiler.process(element.clauses, **options)}) / 900) AS INTEGER)"
