"""What KIE answers, read leniently: a field that is missing or of another kind is as good as absent."""

from decimal import Decimal
from typing import Annotated, Any, cast

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.domain.ports import Progress, TaskReport
from bot.domain.states import Failure
from bot.kie.failures import failure_of

_ABSURD = 1e15
"""Far above every stamp in milliseconds and every bill, and as credits still within 64 bits in the store."""

_LONGEST_TASK = 3600.0
"""Seconds. KIE itself gives up after ten minutes; what is longer is a mistake in the stamps."""


def _text_or_none(value: object) -> object:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _number_or_none(value: object) -> object:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _ABSURD else None


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
    """KIE's ``{code, msg, data}``, which mostly comes with HTTP 200 whatever the code says."""

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
    """The envelope in a body, or None when it holds none (a gateway's HTML, a cut-off answer)."""
    try:
        return Envelope.model_validate(orjson.loads(body))
    except (orjson.JSONDecodeError, ValidationError):
        return None


def created_task(data: object) -> str | None:
    """The task id in the data of createTask, if there is one."""
    return _Created.model_validate(data).task_id if isinstance(data, dict) else None


def download_url(data: object) -> str | None:
    """The address in the data of a file upload, if there is one."""
    return _Uploaded.model_validate(data).download_url if isinstance(data, dict) else None


def balance(data: object) -> Decimal | None:
    """The account's balance in credits, if the data is one. It may have fallen below zero."""
    if not isinstance(data, int | float) or isinstance(data, bool) or not abs(data) < _ABSURD:
        return None
    return round(Decimal(str(data)), 3)


def report(data: object) -> TaskReport | None:
    """What the data of recordInfo says; None when it says nothing of the task's state.

    States that nobody documented mean "still at it".
    """
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
            return TaskReport(Progress.FAILED, failure=failure_of(record.fail_code, record.fail_msg), consumed=consumed)
        case _:
            return TaskReport(Progress.RUNNING)


def _first_url(result: dict[str, Any]) -> str | None:
    found = result.get("resultUrls")
    urls = cast("list[object]", found) if isinstance(found, list) else []
    return next((url for url in urls if isinstance(url, str) and url.startswith(("https://", "http://"))), None)


def _seconds(record: _Record) -> float | None:
    # costTime is documented in milliseconds and arrives in seconds; the two stamps are milliseconds in both.
    if record.create_time is None or record.complete_time is None or record.complete_time < record.create_time:
        return None
    seconds = (record.complete_time - record.create_time) / 1000
    return seconds if seconds <= _LONGEST_TASK else None
