"""Conditions for statements that are built once, at import, and executed with named parameters.

Building a statement takes as long as executing it.
"""

from collections.abc import Generator, Iterable
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import ColumnElement, CursorResult, RowMapping, bindparam, literal

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
