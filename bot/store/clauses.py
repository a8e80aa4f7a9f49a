"""Conditions for statements that are built once, at import, and executed with named parameters.

Building a statement takes as long as executing it.
"""

from collections.abc import Generator, Iterable
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import ColumnElement, CursorResult, Integer, RowMapping, bindparam, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

log = structlog.stdlib.get_logger(__name__)

_T = TypeVar("_T")

UNREADABLE: Final = (LookupError, ValueError, TypeError)
"""What reading a row raises for an unknown word, no JSON, or no time: from a newer version, or a damaged disk."""


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


def readable(result: CursorResult[*tuple[Any, ...]]) -> Generator[RowMapping, None, None]:
    """The rows of a result; one that cannot be read is logged and left out."""
    rows = result.mappings()
    while True:
        try:
            row = rows.fetchone()
        except UNREADABLE as error:
            log.error("row skipped: it cannot be read", error=str(error))
            continue
        if row is None:
            return
        yield row
