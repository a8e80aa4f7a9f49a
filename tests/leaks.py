"""What nothing may print or log: keys, tokens, signed links and prompts. Every test's output is searched for them."""

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
"""The keys and tokens that our tests make up."""
_PATTERNS = {
    "a bearer token": re.compile(r"Bearer\s+[\w.~+/-]{4,}"),
    "an interaction's token": re.compile(r"simcord_(?:interaction|webhook)_\d+"),
    "a signed link": re.compile(
        r"[?&](?:hm|ex|is|sig|signature|token|expires|key-pair-id|policy|x-amz-[a-z-]+|x-goog-[a-z-]+)=", re.IGNORECASE
    ),
}
_SHORTEST_PROMPT = 12


def found_in(text: str, prompts: Iterable[str] = ()) -> list[str]:
    """What of all this stands in a text, and around what; never more than a line for each kind."""
    kinds = {kind: pattern.search(text) for kind, pattern in _PATTERNS.items()}
    kinds["a key"] = re.search("|".join(map(re.escape, KEYS)), text)
    long = sorted({form for prompt in prompts for form in _written(prompt) if len(form) >= _SHORTEST_PROMPT})
    # Searched one by one: a pattern of all of them would be slower.
    kinds["a prompt"] = next((re.search(re.escape(prompt), text) for prompt in long if prompt in text), None)
    return [f"{kind}: …{_around(text, match)}…" for kind, match in kinds.items() if match is not None]


def _written(prompt: str) -> tuple[str, ...]:
    """As it is, as a value's repr and as JSON show it; of a long one its beginning."""
    start = prompt.strip()[:60]
    return start, repr(start)[1:-1], ascii(start)[1:-1], json.dumps(start)[1:-1]


def _around(text: str, match: re.Match[str]) -> str:
    return text[max(match.start() - 80, 0) : match.end() + 20].replace("\n", " ")


@dataclass
class Watch:
    """What one test has to do with: the prompts that were asked for, and what the bot logged."""

    prompts: set[str] = field(default_factory=set[str])
    logged: list[str] = field(default_factory=list[str])

    def leaks(self, printed: Iterable[str]) -> list[str]:
        """What was printed or logged and should not have been."""
        return found_in("\n".join([*self.logged, *printed]), self.prompts)

    def begin(self, patch: pytest.MonkeyPatch) -> None:
        """Look on for as long as the patches last."""
        for name in QUIET:
            patch.setattr(logging.getLogger(name), "level", logging.WARNING)
        patch.setattr(GenerationService, "accept", self._accepting(GenerationService.accept))
        patch.setattr(kie_server, "parse_task_request", self._parsing)
        # Entries are noted before a test's own capture keeps them from being printed. Local variables are shown neither
        # by the bot's set-up nor here.
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.dev.set_exc_info,
                structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
            ],
            wrapper_class=self._noting(),
        )

    def _accepting(self, accept: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(desk: GenerationService, request: GenerationRequest, *others: Any) -> Generation:
            self.prompts.add(request.prompt)
            return await accept(desk, request, *others)

        return noted

    def _parsing(self, body: Json) -> TaskRequest:
        request = parse_task_request(body)
        self.prompts.add(request.prompt)
        return request

    def _noting(self) -> type[structlog.stdlib.BoundLogger]:
        note = self._note

        class Noting(structlog.stdlib.BoundLogger):
            """Tells of every entry before it goes its way."""

            def _proxy_to_logger(self, method_name: str, event: str | None = None, *args: str, **fields: Any) -> Any:
                note(event, self._context, fields)
                return super()._proxy_to_logger(method_name, event, *args, **fields)

        return Noting

    def _note(self, event: str | None, context: Mapping[str, Any], fields: MutableMapping[str, Any]) -> None:
        parts = [str(event), *(f"{key}={value!r}" for key, value in {**context, **fields}.items())]
        error = fields.get("exc_info")
        if isinstance(error, BaseException):
            parts += traceback.format_exception(error)
        elif error:
            parts.append(traceback.format_exc())
        self.logged.append(" ".join(parts))
