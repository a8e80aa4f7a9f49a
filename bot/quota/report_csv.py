"""A report's rows as a file for spreadsheets."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping

from bot.domain.ids import UserId
from bot.domain.spending import SpendingRow

COLUMNS = ("day", "member id", "member", "model", "resolution", "images", "credits", "outcome", "reason")
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes UTF-8 for something else."""
_STARTS_A_FORMULA = tuple("=+-@")


def csv_of(rows: Iterable[SpendingRow], names: Mapping[UserId, str]) -> bytes:
    """The rows under a line of :data:`COLUMNS`, in UTF-8; a member without a name has none there.

    The ids are exact here; spreadsheets round numbers that long, which is why the names stand beside them.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            (
                row.day.isoformat(),
                row.user_id,
                _harmless(names.get(row.user_id, "")),
                row.price_class.model.value,
                row.price_class.resolution.value,
                row.images,
                f"{row.credits.normalize():f}",
                row.outcome.value,
                "" if row.failure is None else row.failure.value,
            )
        )
    return (_BYTE_ORDER_MARK + file.getvalue()).encode()


def _harmless(text: str) -> str:
    """Somebody else's words, which no spreadsheet takes for a formula."""
    # Their full-width forms (NFKC) and blanks before them count as well.
    plain = unicodedata.normalize("NFKC", text).lstrip()
    return f"'{text}" if plain.startswith(_STARTS_A_FORMULA) else text
