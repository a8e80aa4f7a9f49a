"""Parses KIE's answers leniently: a field that is missing, absurd or of an unexpected type is left out."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import orjson

from bot.domain.kie_limits import TASK_SECONDS_MAX
from bot.domain.ports import Progress, TaskReport
from bot.domain.states import Failure
from bot.kie.failures import task_failure
from bot.network import parse_address

_MAX_BALANCE = Decimal(10**12)
_MAX_CONSUMED = Decimal(10_000)
"""Credits for one image; KIE's dearest costs 24."""
_MAX_TIME = Decimal(10**15)
_MAX_SECONDS_TIME = Decimal(10**11)
"""Timestamps are milliseconds; one below this would be before 1974, so it is seconds."""
_MAX_NESTING = 4

_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?", re.ASCII)
_TASK_ID = re.compile(r"(?!(?:null|none|undefined|nan|true|false|0)$)[a-z0-9][\w.:-]{0,127}", re.ASCII | re.IGNORECASE)
_TASK_ID_FIELDS = ("taskId", "task_id", "taskID", "taskid")
_URL_FIELDS = (
    *("resultUrls", "resultUrl", "result_urls", "result_url", "resultImageUrl", "resultImageUrls", "urls", "url"),
    *("images", "image", "image_url", "imageUrl", "output", "data"),
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """KIE's ``{code, msg, data}``; the HTTP status is usually 200, whatever the code."""

    fields: Mapping[str, object]

    @property
    def code(self) -> int | None:
        """KIE's code; None when there is none, as in a gateway's answer."""
        code = _number(self.fields.get("code"), 0, Decimal(10**6))
        return None if code is None or code % 1 else int(code)

    @property
    def msg(self) -> str | None:
        """The message, wherever it is."""
        return next(filter(None, (_text(self.fields.get(name)) for name in ("msg", "message", "error"))), None)

    @property
    def data(self) -> object:
        """What the answer is about."""
        return self.fields.get("data")

    @property
    def task_id(self) -> str | None:
        """The id of the task that the answer is about, if there is a usable one."""
        return task_id(self.data) or task_id(self.fields)


def envelope(body: bytes) -> Envelope | None:
    """The envelope in a body; None for what is no JSON object (a gateway's HTML page, a truncated answer)."""
    parsed = _parse(body)
    return Envelope(cast("dict[str, object]", parsed)) if isinstance(parsed, dict) else None


def task_id(value: object) -> str | None:
    """The first usable task id in an object, under any of the names that KIE gives it."""
    fields = _object(value)
    candidates = (_text(fields.get(name)) for name in _TASK_ID_FIELDS)
    return next((text for text in candidates if text and _TASK_ID.fullmatch(text)), None)


def download_url(data: object) -> str | None:
    """The URL that download-url answers, if present: documented as the data itself."""
    return next(_urls(data), None) or uploaded_url(data)


def uploaded_url(data: object) -> str | None:
    """The URL in the data of a file upload, if present."""
    return next(_urls(_object(data).get("downloadUrl")), None)


def balance(data: object) -> Decimal | None:
    """The account's balance in credits, or None when the data is no number. It may be negative."""
    return _number(data, -_MAX_BALANCE, _MAX_BALANCE)


def task_report(data: object) -> TaskReport | None:
    """The record in recordInfo's data, or None when it has no state. Undocumented states count as running."""
    record = _object(data)
    state = _text(record.get("state"))
    if state is None:
        return None
    match state.lower():
        case "success" | "succeeded":
            consumed = _number(record.get("creditsConsumed"), 0, _MAX_CONSUMED)
            parts = (record.get("resultJson"), record.get("response"), record.get("info"), record)
            url = next((url for part in parts for url in _urls(part)), None)
            if url is None:
                return TaskReport(Progress.FAILED, failure=Failure.NO_IMAGE, consumed=consumed)
            return TaskReport(Progress.SUCCEEDED, result_url=url, seconds=_seconds(record), consumed=consumed)
        case "fail" | "failed":
            message = record.get("failMsg")
            text = str(cast("object", message)) if isinstance(message, dict | list) else _text(message)
            failure = task_failure(_text(record.get("failCode")), text)
            return TaskReport(Progress.FAILED, failure=failure)
        case _:
            return TaskReport(Progress.RUNNING)


def _parse(text: bytes | str) -> object:
    """The JSON in a text, or None. NaN and Infinity, which are no JSON but common, count as null."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _object(value: object) -> Mapping[str, object]:
    """The object that a value is, holds as its only item, or contains as JSON; an empty one if there is none."""
    if isinstance(value, str):
        value = _parse(value)
    if isinstance(value, list) and len(items := cast("list[object]", value)) == 1:
        value = items[0]
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def _number(value: object, least: Decimal | int, most: Decimal) -> Decimal | None:
    """A number, also one in quotes, to a thousandth; None when it is outside these limits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value := value.strip()):
        return None
    number = Decimal(str(value))
    return round(number, 3) if number.is_finite() and least <= number <= most else None


def _urls(value: object, nesting: int = _MAX_NESTING) -> Iterator[str]:
    """Every usable address in a result, however it is wrapped."""
    if isinstance(value, str) and value.strip()[:1] in {"[", "{"}:
        value = _parse(value)
    if isinstance(value, str):
        try:
            parse_address(value.strip())
        except ValueError:
            return
        yield value.strip()
    elif nesting and isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _urls(item, nesting - 1)
    elif nesting and isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        for name in _URL_FIELDS:
            yield from _urls(fields.get(name), nesting - 1)


def _seconds(record: Mapping[str, object]) -> float | None:
    # costTime is documented as milliseconds but arrives as seconds, so the two timestamps are used.
    created, completed = (_number(record.get(name), 0, _MAX_TIME) for name in ("createTime", "completeTime"))
    if created is None or completed is None:
        return None
    seconds = float(completed - created) / (1 if completed < _MAX_SECONDS_TIME else 1000)
    return seconds if 0 <= seconds <= TASK_SECONDS_MAX else None
