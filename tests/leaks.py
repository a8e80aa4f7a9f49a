"""Searches the output of every test for what must not be logged: keys, tokens, signed links and prompts."""

import json
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from bot.domain.generation import Generation, GenerationRequest
from bot.generation.service import GenerationService
from bot.log import QUIET
from demo.kie import server as kie_server
from demo.kie.task_request import TaskRequest, parse_task_request
from demo.kie.wire import Json

KEYS = (
    "test-key",
    "another-key",
    "demo-key",
    "test-hmac-key",
    "kie-key-that-nobody-may-read",
    "front.bot.token",
    "a-token-of-an-interaction",
    "hunter2",
)
"""The keys and tokens that the tests use."""
_PATTERNS = {
    "a bearer token": re.compile(r"Bearer\s+[\w.~+/-]{4,}"),
    "an interaction token": re.compile(r"simcord_(?:interaction|webhook)_\d+"),
    "a signed link": re.compile(
        r"[?&](?:hm|ex|is|sig|signature|token|expires|key-pair-id|policy|x-amz-[a-z-]+|x-goog-[a-z-]+)=", re.IGNORECASE
    ),
}
_MIN_PROMPT_LENGTH = 12
"""Shorter prompts appear in ordinary text by chance."""


def leaks_in(text: str, prompts: Iterable[str] = ()) -> list[str]:
    """What leaked into a text, with the text around it; at most one line per kind."""
    matches = {kind: pattern.search(text) for kind, pattern in _PATTERNS.items()}
    matches["a key"] = re.search("|".join(map(re.escape, KEYS)), text)
    spellings = sorted({text for prompt in prompts for text in _spellings(prompt) if len(text) >= _MIN_PROMPT_LENGTH})
    # One after the other, which is faster than one pattern for all.
    matches["a prompt"] = next((re.search(re.escape(prompt), text) for prompt in spellings if prompt in text), None)
    return [f"{kind}: …{_around(text, match)}…" for kind, match in matches.items() if match is not None]


def _spellings(prompt: str) -> tuple[str, ...]:
    """The first 60 characters, as they are and as repr(), ascii() and JSON write them."""
    start = prompt.strip()[:60]
    return start, repr(start)[1:-1], ascii(start)[1:-1], json.dumps(start)[1:-1]


def _around(text: str, match: re.Match[str]) -> str:
    return text[max(match.start() - 80, 0) : match.end() + 20].replace("\n", " ")


@dataclass
class LeakWatch:
    """The prompts of one test, and what the bot logged meanwhile."""

    prompts: set[str] = field(default_factory=set[str])
    logged: list[str] = field(default_factory=list[str])

    def leaks(self, printed: Iterable[str]) -> list[str]:
        """Leaks in what was logged and printed."""
        return leaks_in("\n".join([*self.logged, *printed]), self.prompts)

    def begin(self, patch: pytest.MonkeyPatch) -> None:
        """Record prompts and log entries while the patches last."""
        for name in QUIET:
            patch.setattr(logging.getLogger(name), "level", logging.WARNING)
        patch.setattr(GenerationService, "accept", self._accepting(GenerationService.accept))
        patch.setattr(kie_server, "parse_task_request", self._parsing)
        # The wrapper records entries even where a test captures them. As in the bot's own set-up, tracebacks are
        # without local variables.
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.dev.set_exc_info,
                structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
            ],
            wrapper_class=self._recording_logger(),
        )

    def _accepting(self, accept: Callable[..., Any]) -> Callable[..., Any]:
        async def recorded(service: GenerationService, request: GenerationRequest, *others: Any) -> Generation:
            self.prompts.add(request.prompt)
            return await accept(service, request, *others)

        return recorded

    def _parsing(self, body: Json) -> TaskRequest:
        request = parse_task_request(body)
        self.prompts.add(request.prompt)
        return request

    def _recording_logger(self) -> type[structlog.stdlib.BoundLogger]:
        record = self._record

        class RecordingLogger(structlog.stdlib.BoundLogger):
            """Records every entry before it is logged."""

            def _proxy_to_logger(self, method_name: str, event: str | None = None, *args: str, **fields: Any) -> Any:
                record(event, self._context, fields)
                return super()._proxy_to_logger(method_name, event, *args, **fields)

        return RecordingLogger

    def _record(self, event: str | None, context: Mapping[str, Any], fields: MutableMapping[str, Any]) -> None:
        parts = [str(event), *(f"{key}={value!r}" for key, value in {**context, **fields}.items())]
        error = fields.get("exc_info")
        if isinstance(error, BaseException):
            parts += traceback.format_exception(error)
        elif error:
            parts.append(traceback.format_exc())
        self.logged.append(" ".join(parts))
