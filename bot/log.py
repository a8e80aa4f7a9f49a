"""Logging: events with fields, secrets blotted out, the same for our records and the libraries'."""

import json
import logging
import re
import sys
from collections.abc import Collection
from enum import Enum

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

_TOKEN_IN_PATH = re.compile(r"(/(?:webhooks|interactions)/\d+/)[\w.%-]{20,}")
_SIGNED_LINK = re.compile(r"(https?://[^\s'\"?]+)\?[^\s'\"]+")
# At debug level some of these would print whole requests, and so prompts: they are never heard below a warning.
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
)


class Redactor:
    """Blots out secrets, interaction tokens and the signed part of links, wherever they stand in a log line."""

    def __init__(self, secrets: Collection[str]) -> None:
        # A secret with quotes or beyond ASCII is written otherwise in JSON and in a value's repr.
        written = {form for one in secrets for form in (one, json.dumps(one)[1:-1], repr(one)[1:-1])}
        known = sorted({re.escape(secret) for secret in written if len(secret) >= 4}, key=len, reverse=True)
        self._secrets = re.compile("|".join(known)) if known else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        if self._secrets is not None:
            text = self._secrets.sub("[secret]", text)
        text = _TOKEN_IN_PATH.sub(r"\1[token]", text)
        return _SIGNED_LINK.sub(r"\1?[signed]", text)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    def __init__(self, renderer: Processor, shared: list[Processor], redact: Redactor) -> None:
        super().__init__(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """One line, or a line with its traceback, with nothing secret in it."""
        return self._redact(super().format(record))


def set_up(level: str, style: str, secrets: Collection[str]) -> None:
    """Send every log record of the process to standard error. ``style`` is "console" or "json"."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _enum_values,
    ]
    renderer: Processor
    if style == "json":
        # Without local variables, which hold prompts and keys.
        shared.append(ExceptionRenderer(ExceptionDictTransformer(show_locals=False)))
        renderer = structlog.processors.JSONRenderer()
    else:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
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
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(renderer, shared, Redactor(secrets)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _enum_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value.value if isinstance(value, Enum) else value for key, value in event.items()}
