"""``GET /metrics`` for Prometheus."""

import hmac
from collections.abc import Iterable, Iterator
from typing import ClassVar, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.registry import Collector

from bot.metrics import REGISTRY


class StateOfProcess(Protocol):
    """What is read when Prometheus asks."""

    async def refresh(self) -> None:
        """Read what takes time; called before :meth:`collect`."""
        ...

    def collect(self) -> Iterable[Metric]:
        """Everything of the moment."""
        ...


class MetricsRoute(Collector):
    """All counters, and what ``state`` tells at the moment. With a ``token``, only to who sends it."""

    PATH: ClassVar = "/metrics"

    def __init__(self, state: StateOfProcess, token: str) -> None:
        self._state = state
        self._authorization = f"Bearer {token}".encode() if token else None

    def collect(self) -> Iterator[Metric]:
        """Everything that is exported."""
        yield from REGISTRY.collect()
        yield from self._state.collect()

    async def handle(self, request: web.Request) -> web.Response:
        """The text that Prometheus reads; 401 without the token."""
        if self._authorization is not None:
            sent = request.headers.get("Authorization", "").encode(errors="surrogateescape")
            if not hmac.compare_digest(sent, self._authorization):
                return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        await self._state.refresh()
        return web.Response(body=generate_latest(self), headers={"Content-Type": CONTENT_TYPE_LATEST})
