"""A stand-in for KIE.ai without limits: every task succeeds after a few seconds with the same picture.

It keeps a bill and counts the questions: `GET /stats` tells both. A task that a test has put into Easel's database as
running is known by its id alone, see `running_id`.
"""

import argparse
import asyncio
import io
import itertools
import random
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web
from PIL import Image
from pydantic import TypeAdapter

from bot.domain.credits import KIE_PRICES
from bot.domain.settings import Model, Resolution
from tests.bench.takes import Takes

PICTURE_SIZE: Final = (1024, 576)
GRAIN: Final = (160, 90)


def picture() -> bytes:
    """A JPEG of about 50 KB: coarse noise, which compresses like a photograph."""
    grain = Image.frombytes("RGB", GRAIN, random.Random(1).randbytes(GRAIN[0] * GRAIN[1] * 3))
    image = grain.resize(PICTURE_SIZE, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=40)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Questions:
    """Calls of recordInfo."""

    times: int
    tasks: int
    """Different tasks that were asked after."""
    finished: int
    """Tasks whose end was told."""
    last_new_at: float
    """When a task was asked after for the first time, the last of these moments: Unix seconds, 0 for never."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What the stand-in has seen."""

    created: int
    billed: float
    """Credits, at KIE's prices."""
    most_in_window: int
    """The most createTask calls within any window of the length that it was started with."""
    made: Questions
    """After tasks that it was asked for."""
    found: Questions
    """After tasks that it knew by their ids alone."""
    uploads: int = 0


@dataclass(frozen=True, slots=True)
class _Task:
    created: float
    done: float
    model: str
    price: float


_STATS: Final = TypeAdapter(Stats)


class _Asked:
    def __init__(self) -> None:
        self._times = 0
        self._tasks: dict[str, bool] = {}
        self._last_new_at = 0.0

    def note(self, task_id: str, *, finished: bool) -> None:
        self._times += 1
        if task_id not in self._tasks:
            self._last_new_at = time.time()
        self._tasks[task_id] = finished

    def counted(self) -> Questions:
        return Questions(self._times, len(self._tasks), sum(self._tasks.values()), self._last_new_at)


class KieLoad:
    """Tasks by id, each with the moment it is done; times are Unix seconds."""

    def __init__(self, address: str, take: Callable[[], float], *, window: float = 10.0) -> None:
        """``take`` tells how long the next task takes, in seconds."""
        self._address = address
        self._take = take
        self._window = window
        self._picture = picture()
        self._numbers = itertools.count(1)
        self._tasks: dict[str, _Task] = {}
        self._calls: deque[float] = deque()
        self._most_in_window = self._created = self._uploads = 0
        self._billed = 0.0
        self._made, self._found = _Asked(), _Asked()

    async def serve(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        path = request.path
        if path.endswith("/createTask"):
            return self._create(await request.read())
        if path.endswith("/recordInfo"):
            return self._report(request.query["taskId"])
        if path.endswith("/credit"):
            return _answer(1_000_000.0)
        if path == "/stats":
            return web.Response(body=orjson.dumps(asdict(self._stats())), content_type="application/json")
        if "/api/file-" in path:
            return await self._upload(request)
        return web.Response(body=self._picture, content_type="image/jpeg")

    def _create(self, body: bytes) -> web.Response:
        now, order = time.time(), orjson.loads(body)
        self._calls.append(now)
        while self._calls[0] <= now - self._window:
            self._calls.popleft()
        self._most_in_window = max(self._most_in_window, len(self._calls))
        self._created += 1
        model = Model.FLEX if "/flex-" in order["model"] else Model.PRO
        price = float(KIE_PRICES[model, Resolution(order["input"]["resolution"])])
        self._billed += price
        task_id = f"{next(self._numbers):032x}"
        self._tasks[task_id] = _Task(now, now + self._take(), order["model"], price)
        return _answer({"taskId": task_id, "recordId": task_id})

    def _report(self, task_id: str) -> web.Response:
        task = self._tasks.get(task_id)
        asked = self._found if task is None else self._made
        task = task or _from_id(task_id)
        if task is None:
            return _answer(None, code=422, text="recordInfo is null")
        finished = time.time() >= task.done
        asked.note(task_id, finished=finished)
        return _answer(_record(task_id, task, f"{self._address}/results/{task_id}.jpg", finished=finished))

    def _stats(self) -> Stats:
        made, found = self._made.counted(), self._found.counted()
        return Stats(self._created, self._billed, self._most_in_window, made, found, self._uploads)

    async def _upload(self, request: web.BaseRequest) -> web.Response:
        async for _ in request.content.iter_any():
            pass
        self._uploads += 1
        return _answer({"downloadUrl": f"{self._address}/uploads/{next(self._numbers)}.jpg"})


def _record(task_id: str, task: _Task, url: str, *, finished: bool) -> dict[str, Any]:
    return {
        "taskId": task_id,
        "model": task.model,
        "state": "success" if finished else "waiting",
        "param": "{}",
        "resultJson": orjson.dumps({"resultUrls": [url]}).decode() if finished else "",
        "failCode": None,
        "failMsg": None,
        "costTime": int(task.done - task.created) if finished else None,
        "completeTime": int(task.done * 1000) if finished else None,
        "createTime": int(task.created * 1000),
        "creditsConsumed": task.price if finished else None,
    }


def running_id(number: int, created: float, done: float) -> str:
    """The id of a task that the stand-in knows without ever having been asked for it; times are Unix seconds."""
    return f"running-{number}-{int(created * 1000)}-{int(done * 1000)}"


def _from_id(task_id: str) -> _Task | None:
    match task_id.split("-"):
        case ["running", _, created, done]:
            price = float(KIE_PRICES[Model.PRO, Resolution.ONE_K])
            return _Task(int(created) / 1000, int(done) / 1000, "flux-2/pro-text-to-image", price)
        case _:
            return None


async def stats(port: int) -> Stats:
    """Ask a stand-in on this machine what it has seen."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/stats") as response:
        return _STATS.validate_json(await response.read())


def _answer(data: object, *, code: int = 200, text: str = "success") -> web.Response:
    body = orjson.dumps({"code": code, "msg": text, "data": data})
    return web.Response(body=body, content_type="application/json")


async def serve(port: int, kie: KieLoad) -> None:
    """Serve on a local port until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = web.ServerRunner(web.Server(kie.serve, access_log=None), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    try:
        await stop.wait()
    finally:
        await runner.cleanup()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the port and the tasks' duration from the command line, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a task takes")
    parser.add_argument("--spread", type=float, default=0.0, help="how much longer it takes at most")
    parser.add_argument("--lognormal", type=float, default=0.0, help="spread of the logarithm, with that mean")
    parser.add_argument("--window", type=float, default=10.0, help="in which new tasks are counted")
    given = parser.parse_args(arguments)
    address = f"http://127.0.0.1:{given.port}"
    takes, dice = Takes(given.seconds, given.lognormal), random.Random(1)
    kie = KieLoad(address, lambda: takes.draw(dice) + dice.uniform(0, given.spread), window=given.window)
    asyncio.run(serve(given.port, kie))


if __name__ == "__main__":
    main()
