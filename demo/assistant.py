"""A stand-in for the prompt helper's endpoint: it speaks OpenAI's API on this machine, and invents nothing."""

import asyncio
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

_ADDITIONS = (
    "in soft morning light, muted colours, shallow depth of field, seen from a low angle",
    "as a bold poster with flat shapes, few strong colours and clear outlines, centred",
    "at dusk after rain, warm lamps against a deep blue sky, reflections, fine film grain",
)


@dataclass(eq=False)
class AssistantStandIn:
    """An endpoint on a loopback port for as long as the ``async with`` lasts."""

    answer: web.Response | str | None = None
    """What the model writes, or a whole response, which is sent once; None for three longer versions of the prompt."""
    held: asyncio.Event | None = None
    """Nothing is answered before it is set."""
    base_url: str = field(default="", init=False)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]], init=False)
    """The Authorization header and the body of each request."""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        self.requests.append((request.headers.get("Authorization", ""), body))
        if self.held is not None:
            await self.held.wait()
        if isinstance(self.answer, web.Response):
            return self.answer
        prompt = body["messages"][-1]["content"]
        content = self.answer or json.dumps([f"{prompt[:400]}, {addition}" for addition in _ADDITIONS])
        return web.json_response({"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]})
