"""A column type for recorded changes: JSON that says by its ``kind`` what it describes."""

from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Dialect, Text, TypeDecorator

from bot.domain.ledger import RecordedChange

_JSON: Final[TypeAdapter[RecordedChange]] = TypeAdapter(Annotated[RecordedChange, Field(discriminator="kind")])


class ChangeJson(TypeDecorator[RecordedChange]):
    """A recorded change as JSON; what cannot be read, such as a kind that this version does not know, is None."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: RecordedChange | None, dialect: Dialect) -> str | None:
        """Write the JSON."""
        return None if value is None else _JSON.dump_json(value).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> RecordedChange | None:
        """Read the JSON."""
        if value is None:
            return None
        try:
            return _JSON.validate_json(value)
        except ValidationError:
            return None
