"""Logging set-up: structured events for Easel and its libraries, with secrets redacted."""

import json
import logging
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterator
from enum import Enum
from logging.handlers import MemoryHandler
from urllib.parse import quote, quote_plus

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

_TOKEN_IN_PATH = re.compile(r"(/(?:webhooks|interactions)/\d+/)[\w.%-]{20,}")
_PASSWORD_IN_URL = re.compile(r"(\w://)[^\s/?#'\"@:]{0,200}:[^\s'\"]{0,200}@(?=[\w.\[])")
_SIGNED_LINK = re.compile(r"(https?://(?!discord\.com/oauth2/authorize\?)[^\s'\"?]+)\?[^\s'\"]+")
"""Any link with a query but the one that adds the bot to a server."""
# At debug level some of these log whole requests, prompts included, so they never log below WARNING.
QUIET = (
    "aiohttp",
    "aiosqlite",
    "alembic",
    "PIL",
    "sqlalchemy",
    "discord.client",
    "discord.gateway",
    "discord.http",
    "discord.webhook",
    # These say at debug level what nobody asks.
    "asyncio",
    "filelock",
)
STARTED = "started"
"""The event that is a summary of the run, with a line for each of its fields on a console."""

_CONSOLE_TIME = "%Y-%m-%d %H:%M:%SZ"
_EVENT_WIDTH, _LABEL_WIDTH = 36, 17
"""Columns on a console: of the event, and of the labels of the summary's lines."""
_OWN = {"bot", "cogs"}
_HELD = 10_000
"""Records; more are shown without waiting for the summary."""
_SECRET_MIN = 4
_SPLIT = r"(?:\s|\\+[nr])*"
"""A secret may be split over lines."""


def _spellings(char: str) -> str:
    """A pattern for a character as it is, or as JSON, repr() and URLs write it, one in another."""
    if char.isascii() and (char.isalnum() or char in "-._~"):
        return re.escape(char)
    raw = char.encode()
    texts = {char, json.dumps(char)[1:-1], ascii(char)[1:-1], ascii(raw)[2:-1], quote(char, safe=""), quote_plus(char)}
    patterns = sorted((re.escape(text).replace(r"\\", r"\\+") for text in texts), key=len, reverse=True)
    return rf"\\*(?:{'|'.join(patterns)})"


def _in_base64(secret: bytes) -> Iterator[str]:
    """What base64 makes of a secret in a longer text, by its place there; the ends depend on the rest."""
    for before in range(3):
        start, end = -(-before * 4 // 3), (before + len(secret)) * 4 // 3
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + secret).decode()[start:end]


class Redactor:
    """Replaces secrets, interaction tokens, and the password or signature in a URL, anywhere in a text."""

    def __init__(self, secrets: Collection[str]) -> None:
        patterns: set[str] = set()
        for secret in secrets:
            if len(secret) >= _SECRET_MIN:
                encoded = (secret.encode().hex(), *_in_base64(secret.encode()))
                patterns |= {_SPLIT.join(map(_spellings, text)) for text in (secret, *encoded)}
        self._secrets = re.compile("|".join(sorted(patterns, key=len, reverse=True))) if patterns else None

    def __call__(self, text: str) -> str:
        """The redacted text; secrets shorter than four characters are left alone."""
        if self._secrets is not None:
            text = self._secrets.sub("[secret]", text)
        text = _TOKEN_IN_PATH.sub(r"\1[token]", text)
        text = _PASSWORD_IN_URL.sub(r"\1[secret]@", text)
        return _SIGNED_LINK.sub(r"\1?[signed]", text)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    def __init__(self, rendering: list[Processor], shared: list[Processor], redact: Redactor) -> None:
        super().__init__(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
            foreign_pre_chain=shared,
        )
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The line, followed by its traceback if there is one, redacted."""
        return self._redact(super().format(record))


def set_up(level: str, style: str, secrets: Collection[str], *, hold: bool = False) -> None:
    """Send every log record of the process to standard error, as ``style`` "console" or "json"; may be repeated.

    ``hold`` those on a console until :func:`release`, the end of the process or an error, so that the summary of the
    run comes first.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if style == "json" else _CONSOLE_TIME, utc=True),
        _enum_values,
    ]
    rendering: list[Processor]
    if style == "json":
        # Local variables would include prompts and keys.
        rendering = [
            ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    else:
        console = structlog.dev.ConsoleRenderer(
            pad_event_to=_EVENT_WIDTH,
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
            sort_keys=False,
        )
        rendering = [_one_line, console]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler: logging.Handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(rendering, shared, Redactor(secrets)))
    if hold and style != "json":
        handler = MemoryHandler(_HELD, flushLevel=logging.ERROR, target=handler)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def release(summary: Callable[[], None] | None = None) -> None:
    """Show the records that were held, after the one that ``summary`` logs, and from now on each at once."""
    root = logging.getLogger()
    held = [handler for handler in root.handlers if isinstance(handler, MemoryHandler)]
    for handler in held:
        root.removeHandler(handler)
        if handler.target is not None:
            root.addHandler(handler.target)
    if summary is not None:
        summary()
    for handler in held:
        handler.close()


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Nothing but the summary and tracebacks takes several lines. Only libraries' events name their logger."""
    if str(event.get("logger", "")).partition(".")[0] in _OWN:
        del event["logger"]
    if event["event"] != STARTED:
        event["event"] = _printable(str(event["event"]))
        return event
    standing = {key: event.pop(key) for key in ("timestamp", "level")}
    lines = (
        f"  {key.replace('_', ' '):<{_LABEL_WIDTH}}{_printable(str(value))}"
        for key, value in event.items()
        if key != "event"
    )
    return {**standing, "event": "\n".join((STARTED, *lines))}


def _printable(text: str) -> str:
    """Text that neither ends the line nor steers the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _enum_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value.value if isinstance(value, Enum) else value for key, value in event.items()}
