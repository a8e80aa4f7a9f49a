"""Parses KIE's answers leniently: a field of an unexpected type is treated as missing."""

from decimal import Decimal
from typing import Annotated, Any, cast

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.domain.ports import Progress, TaskReport
from bot.domain.states import Failure
from bot.kie.failures import task_failure

_MAX_NUMBER = 1e15
"""Above any timestamp in milliseconds; as credits it still fits the store's 64-bit integers."""

_MAX_TASK_SECONDS = 3600.0
"""KIE gives up after ten minutes, so a longer duration means wrong timestamps."""


def _text_or_none(value: object) -> object:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _number_or_none(value: object) -> object:
    return (
        value if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MAX_NUMBER else None
    )


def _mapping_or_empty(value: object) -> object:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return cast("object", value) if isinstance(value, dict) else {}


Text = Annotated[str | None, BeforeValidator(_text_or_none)]
Number = Annotated[float | None, BeforeValidator(_number_or_none)]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_mapping_or_empty)]


class Envelope(BaseModel):
    """KIE's ``{code, msg, data}``; the HTTP status is usually 200, whatever the code."""

    code: int
    msg: Text = None
    data: Any = None


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Created(_Wire):
    task_id: Text = None


class _Uploaded(_Wire):
    download_url: Text = None


class _Record(_Wire):
    state: Text = None
    result_json: JsonObject = {}
    response: JsonObject = {}
    fail_code: Text = None
    fail_msg: Text = None
    create_time: Number = None
    complete_time: Number = None
    credits_consumed: Number = None


def envelope(body: bytes) -> Envelope | None:
    """The envelope in a body; None for anything else (a gateway's HTML page, a truncated answer)."""
    try:
        return Envelope.model_validate(orjson.loads(body))
    except (orjson.JSONDecodeError, ValidationError):
        return None


def created_task_id(data: object) -> str | None:
    """The task id in createTask's data, if present."""
    return _Created.model_validate(data).task_id if isinstance(data, dict) else None


def download_url(data: object) -> str | None:
    """The URL that download-url answers, if present: documented as the data itself."""
    return data if isinstance(data, str) and data.startswith(("https://", "http://")) else uploaded_url(data)


def uploaded_url(data: object) -> str | None:
    """The URL in the data of a file upload, if present."""
    return _Uploaded.model_validate(data).download_url if isinstance(data, dict) else None


def balance(data: object) -> Decimal | None:
    """The account's balance in credits, or None when the data is no number. It may be negative."""
    if not isinstance(data, int | float) or isinstance(data, bool) or not abs(data) < _MAX_NUMBER:
        return None
    return round(Decimal(str(data)), 3)


def task_report(data: object) -> TaskReport | None:
    """The record in recordInfo's data, or None when it has no state. Undocumented states count as running."""
    if not isinstance(data, dict):
        return None
    record = _Record.model_validate(data)
    if record.state is None:
        return None
    consumed = None if record.credits_consumed is None else round(Decimal(str(record.credits_consumed)), 3)
    match record.state:
        case "success":
            url = _first_url(record.result_json) or _first_url(record.response)
            if url is None:
                return TaskReport(Progress.FAILED, failure=Failure.NO_IMAGE, consumed=consumed)
            return TaskReport(Progress.SUCCEEDED, result_url=url, seconds=_seconds(record), consumed=consumed)
        case "fail":
            return TaskReport(
                Progress.FAILED, failure=task_failure(record.fail_code, record.fail_msg), consumed=consumed
            )
        case _:
            return TaskReport(Progress.RUNNING)


def _first_url(result: dict[str, Any]) -> str | None:
    value = result.get("resultUrls")
    urls = cast("list[object]", value) if isinstance(value, list) else []
    return next((url for url in urls if isinstance(url, str) and url.startswith(("https://", "http://"))), None)


def _seconds(record: _Record) -> float | None:
    # costTime is documented as milliseconds but arrives as seconds, so the two timestamps (milliseconds) are used.
    if record.create_time is None or record.complete_time is None or record.complete_time < record.create_time:
        return None
    seconds = (record.complete_time - record.create_time) / 1000
    return seconds if seconds <= _MAX_TASK_SECONDS else None
