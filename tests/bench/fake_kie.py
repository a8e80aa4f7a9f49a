"""A fake KIE.ai without limits: every task succeeds after some time, always with the same image.

Run as a process by `tests.bench.bots.start_kie`, or in this one with `FakeKie.serve`. All times are Unix seconds.
"""

import argparse
import asyncio
import itertools
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Final, Self

import aiohttp
import orjson
from aiohttp import web

from bot.domain.credits import KIE_PRICES
from bot.domain.settings import Model, Resolution
from bot.kie.signature import sign
from tests.bench.commands import now
from tests.bench.photos import jpeg
from tests.bench.processes import serve_locally

CALLBACK_KEY: Final = "bench-callback-key"
_NORMAL: Final = NormalDist()
_GOLDEN_RATIO: Final = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class TaskDurations:
    """How long tasks take: log-normal, with this mean in seconds and this standard deviation of the logarithm."""

    mean: float
    spread: float = 0.0

    @classmethod
    def published(cls, median: float, p95: float) -> Self:
        """With this median and 95th percentile, in seconds."""
        spread = math.log(p95 / median) / _NORMAL.inv_cdf(0.95)
        return cls(median * math.exp(spread**2 / 2), spread)

    def quantile(self, share: float) -> float:
        """The duration that this share of tasks does not exceed."""
        return self.mean * math.exp(self.spread * _NORMAL.inv_cdf(share) - self.spread**2 / 2)

    def evenly(self) -> Iterator[float]:
        """Durations without end, of which any hundred in a row cover the distribution evenly.

        Drawn at random, the number of tasks that end in a minute would vary much more.
        """
        return (self.quantile((number * _GOLDEN_RATIO) % 1.0) for number in itertools.count(1))


@dataclass(slots=True)
class FakeKieTask:
    """A task, and when Easel asked for it with recordInfo."""

    created_at: float
    done_at: float
    price: float
    is_inherited: bool = False
    polls: int = 0
    first_polled_at: float = 0.0
    reported_at: float | None = None
    """When its end was first reported."""


@dataclass(frozen=True, slots=True)
class KieStats:
    """What happened so far."""

    created: int
    billed: float
    """Credits."""
    max_in_window: int
    """The most calls of createTask within any window of the length given at the start."""
    uploads: int
    polls: int
    """Calls of recordInfo."""
    reported: int
    """Tasks whose end was reported."""
    last_first_poll_at: float
    """When each inherited task had been polled at least once; 0 if none was."""


class FakeKie:
    """Its HTTP API. ``window`` is in seconds, see `KieStats.max_in_window`."""

    def __init__(self, durations: TaskDurations, *, window: float = 10.0, seed: int = 1) -> None:
        self.tasks: dict[str, FakeKieTask] = {}
        self.by_prompt: dict[str, FakeKieTask] = {}
        self._durations = durations
        self._window = window
        self._dice = random.Random(seed)
        self._address = ""
        self._image = jpeg()
        self._numbers = itertools.count(1)
        self._recent_calls: deque[float] = deque()
        self._max_in_window = self._uploads = 0
        self._callbacks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncGenerator[int]:
        """Listen on this local port, or any; yields its number."""
        async with serve_locally(self._respond, port) as listening:
            self._address = f"http://127.0.0.1:{listening}"
            yield listening
            for callback in self._callbacks:
                callback.cancel()

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        path = request.path
        if path.endswith("/createTask"):
            return self._create(orjson.loads(await request.read()))
        if path.endswith("/recordInfo"):
            return self._record_info(request.query["taskId"])
        if path.endswith("/credit"):
            return _answer(1_000_000.0)
        if path == "/stats":
            return web.Response(body=orjson.dumps(asdict(self._stats())), content_type="application/json")
        if "/api/file-" in path:
            async for _ in request.content.iter_any():
                pass
            self._uploads += 1
            return _answer({"downloadUrl": f"{self._address}/uploads/{self._uploads}.jpg"})
        return web.Response(body=self._image, content_type="image/jpeg")

    def _create(self, body: dict[str, Any]) -> web.Response:
        created_at, task_id = now(), f"{next(self._numbers):032x}"
        self._recent_calls.append(created_at)
        while self._recent_calls[0] <= created_at - self._window:
            self._recent_calls.popleft()
        self._max_in_window = max(self._max_in_window, len(self._recent_calls))
        model = Model.FLEX if "/flex-" in body["model"] else Model.PRO
        price = float(KIE_PRICES[model, Resolution(body["input"]["resolution"])])
        seconds = self._durations.quantile(self._dice.uniform(1e-6, 1 - 1e-6))
        task = self.tasks[task_id] = FakeKieTask(created_at, created_at + seconds, price)
        self.by_prompt[body["input"]["prompt"]] = task
        if url := body.get("callBackUrl"):
            callback = asyncio.create_task(self._call_back(task_id, url, seconds))
            self._callbacks.add(callback)
            callback.add_done_callback(self._callbacks.discard)
        return _answer({"taskId": task_id, "recordId": task_id})

    def _record_info(self, task_id: str) -> web.Response:
        task = self.tasks.get(task_id) or _inherited(task_id)
        if task is None:
            return _answer(None, code=422, text="recordInfo is null")
        self.tasks[task_id] = task
        polled_at = now()
        task.polls += 1
        task.first_polled_at = task.first_polled_at or polled_at
        is_done = polled_at >= task.done_at
        if is_done and task.reported_at is None:
            task.reported_at = polled_at
        return _answer(self._record(task_id, is_done=is_done))

    def _record(self, task_id: str, *, is_done: bool) -> dict[str, Any]:
        task = self.tasks[task_id]
        urls = {"resultUrls": [f"{self._address}/results/{task_id}.jpg"]}
        return {
            "taskId": task_id,
            "state": "success" if is_done else "waiting",
            "resultJson": orjson.dumps(urls).decode() if is_done else "",
            "completeTime": int(task.done_at * 1000) if is_done else None,
            "createTime": int(task.created_at * 1000),
            "creditsConsumed": task.price if is_done else None,
        }

    async def _call_back(self, task_id: str, url: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        timestamp = str(int(now()))
        signature = sign(CALLBACK_KEY, task_id, timestamp)
        headers = {"X-Webhook-Timestamp": timestamp, "X-Webhook-Signature": signature}
        body = {"code": 200, "msg": "success", "data": self._record(task_id, is_done=True)}
        async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as response:
            await response.read()

    def _stats(self) -> KieStats:
        inherited = [task for task in self.tasks.values() if task.is_inherited]
        return KieStats(
            created=len(self.tasks) - len(inherited),
            billed=sum(task.price for task in self.tasks.values() if not task.is_inherited),
            max_in_window=self._max_in_window,
            uploads=self._uploads,
            polls=sum(task.polls for task in self.tasks.values()),
            reported=sum(task.reported_at is not None for task in self.tasks.values()),
            last_first_poll_at=max((task.first_polled_at for task in inherited), default=0.0),
        )


def inherited_id(number: int, created_at: float, done_at: float) -> str:
    """The id of a task that was put into Easel's database as running: the fake KIE knows it by that alone."""
    return f"inherited-{number}-{int(created_at * 1000)}-{int(done_at * 1000)}"


def _inherited(task_id: str) -> FakeKieTask | None:
    match task_id.split("-"):
        case ["inherited", _, created_ms, done_ms]:
            price = float(KIE_PRICES[Model.PRO, Resolution.ONE_K])
            return FakeKieTask(int(created_ms) / 1000, int(done_ms) / 1000, price, is_inherited=True)
        case _:
            return None


def _answer(data: object, *, code: int = 200, text: str = "success") -> web.Response:
    body = orjson.dumps({"code": code, "msg": text, "data": data})
    return web.Response(body=body, content_type="application/json")


async def read_stats(port: int) -> KieStats:
    """The stats of the fake KIE on this local port."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/stats") as response:
        return KieStats(**await response.json())


async def _serve(options: argparse.Namespace) -> None:
    kie = FakeKie(TaskDurations(options.mean, options.spread), window=options.window)
    async with kie.serve(options.port):
        await asyncio.Event().wait()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    for option in ("--mean", "--spread", "--window"):
        parser.add_argument(option, type=float, required=True)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
