"""Reports what is logged as an error to Sentry: the log's event and the stack, and nothing that a member wrote.

An error's text may quote anything, so it stays in the log. Only imported when a DSN is configured.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, cast

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import BadDsn, capture_internal_exceptions, event_from_exception

from bot import VERSION
from bot.domain.errors import OperatorError

_FLUSH_SECONDS: Final = 2
"""How long the end of the process may wait for Sentry; the system gives it ten seconds in all."""
_AGAIN_SECONDS: Final = 60.0
"""An error that repeats is reported as often: one that comes with every request would use up Sentry's quota."""
_OURS: Final = ("bot", "cogs")
_FIELDS: Final = ("ref", "component", "command")
"""Fields of log entries that are sent as tags: the reference that the member was given, and names of ours."""
_EVENT_KEYS: Final = ("event_id", "timestamp", "level", "platform", "release", "logger", "message", "tags")
_EXCEPTION_KEYS: Final = ("type", "module", "mechanism")
_FRAME_KEYS: Final = (
    "filename",
    "function",
    "module",
    "lineno",
    "in_app",
    "pre_context",
    "context_line",
    "post_context",
)


def set_up(dsn: str, redact: Callable[[str], str]) -> None:
    """Report errors from now on, in a thread of the SDK; raises OperatorError for what is no DSN."""
    try:
        sentry_sdk.init(
            dsn=dsn,
            release=f"easel@{VERSION}",
            before_send=partial(_stripped, redact),
            default_integrations=False,
            integrations=[AtexitIntegration(callback=_say_nothing)],
            include_local_variables=False,
            max_breadcrumbs=0,
            send_client_reports=False,
            auto_session_tracking=False,
            shutdown_timeout=_FLUSH_SECONDS,
        )
    except BadDsn as error:
        raise OperatorError(
            "sentry.dsn is not a DSN: copy it again from the Client Keys page of your Sentry project."
        ) from error
    logging.getLogger().addHandler(_SentryHandler(logging.ERROR))
    # It warns of each attempt to reach Sentry.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


class _SentryHandler(logging.Handler):
    """Turns log records into Sentry's events. structlog's have a mapping as their message."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._reported: dict[tuple[str, type[BaseException] | None], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the event, unless the same one was sent within a minute."""
        with capture_internal_exceptions():
            fields = cast("Mapping[str, Any]", record.msg) if isinstance(record.msg, dict) else {"event": record.msg}
            # A library's message may contain what its arguments were.
            is_ours = record.name.partition(".")[0] in _OURS
            message = str(fields.get("event")) if is_ours else f"error in {record.name}"
            error = _exception(fields.get("exc_info") or record.exc_info)
            key, now = (message, type(error) if error is not None else None), time.monotonic()
            if now - self._reported.get(key, -_AGAIN_SECONDS) < _AGAIN_SECONDS:
                return
            self._reported[key] = now
            event: Event = {}
            hint: Hint = {}
            if error is not None:
                event, hint = event_from_exception(
                    error,
                    client_options=sentry_sdk.get_client().options,
                    mechanism={"type": "logging", "handled": record.levelno < logging.CRITICAL},
                )
            event["message"] = message
            event["level"] = "fatal" if record.levelno >= logging.CRITICAL else "error"
            event["logger"] = record.name
            event["tags"] = {name: str(fields[name]) for name in _FIELDS if is_ours and name in fields}
            sentry_sdk.capture_event(event, hint)


def _exception(exc_info: object) -> BaseException | None:
    """The exception in what loggers accept as ``exc_info``."""
    if isinstance(exc_info, tuple):
        return cast("tuple[Any, BaseException | None, Any]", exc_info)[1]
    if isinstance(exc_info, BaseException):
        return exc_info
    return sys.exc_info()[1] if exc_info else None


def _stripped(redact: Callable[[str], str], event: Event, _hint: Hint) -> Event:
    """Only what is known to be harmless; and should a secret stand even there, it is redacted."""
    given = cast("Mapping[str, Any]", event)
    kept = _only(given, _EVENT_KEYS)
    exceptions = [_without_text(exception) for exception in given.get("exception", {}).get("values", ())]
    if exceptions:
        kept["exception"] = {"values": exceptions}
    return cast("Event", _redacted(kept, redact))


def _without_text(exception: Mapping[str, Any]) -> dict[str, Any]:
    stacktrace: Mapping[str, Any] = exception.get("stacktrace") or {}
    return _only(exception, _EXCEPTION_KEYS) | {
        "value": "The text is in Easel's log.",
        "stacktrace": {"frames": [_only(frame, _FRAME_KEYS) for frame in stacktrace.get("frames", ())]},
    }


def _only(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    match value:
        case str():
            return redact(value)
        case dict():
            return {key: _redacted(inner, redact) for key, inner in cast("dict[str, Any]", value).items()}
        case list():
            return [_redacted(inner, redact) for inner in cast("list[Any]", value)]
        case _:
            return value


def _say_nothing(_pending: int, _timeout: int) -> None:
    """In place of the SDK's lines on standard error when the process ends."""
