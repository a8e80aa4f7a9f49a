"""A stand-in for KIE.ai without limits: every task succeeds after a few seconds with the same picture."""

import argparse
import asyncio
import io
import itertools
import random
import signal
import time
from collections.abc import Sequence
from typing import Any, Final

import orjson
from aiohttp import web
from PIL import Image

PICTURE_SIZE: Final = (1024, 576)
GRAIN: Final = (160, 90)


def picture() -> bytes:
    """A JPEG of about 50 KB: coarse noise, which compresses like a photograph."""
    grain = Image.frombytes("RGB", GRAIN, random.Random(1).randbytes(GRAIN[0] * GRAIN[1] * 3))
    image = grain.resize(PICTURE_SIZE, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=40)
    return out.getvalue()


class KieLoad:
    """Tasks by id, each with the moment it is done; times are Unix seconds."""

    def __init__(self, address: str, seconds: float) -> None:
        self._address = address
        self._seconds = seconds
        self._picture = picture()
        self._numbers = itertools.count(1)
        self._tasks: dict[str, float] = {}

    async def serve(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        path = request.path
        if path.endswith("/createTask"):
            await request.read()
            task_id = f"{next(self._numbers):032x}"
            self._tasks[task_id] = time.time()
            return _answer({"taskId": task_id, "recordId": task_id})
        if path.endswith("/recordInfo"):
            task_id = request.query["taskId"]
            if task_id not in self._tasks:
                return _answer(None, code=422, text="recordInfo is null")
            return _answer(self._record(task_id))
        if path.endswith("/credit"):
            return _answer(1_000_000.0)
        if "/api/file-" in path:
            return await self._upload(request)
        return web.Response(body=self._picture, content_type="image/jpeg")

    def _record(self, task_id: str) -> dict[str, Any]:
        created = self._tasks[task_id]
        done = created + self._seconds
        finished = time.time() >= done
        urls = [f"{self._address}/results/{task_id}.jpg"]
        return {
            "taskId": task_id,
            "model": "flux-2/pro-text-to-image",
            "state": "success" if finished else "waiting",
            "param": "{}",
            "resultJson": orjson.dumps({"resultUrls": urls}).decode() if finished else "",
            "failCode": None,
            "failMsg": None,
            "costTime": int(self._seconds) if finished else None,
            "completeTime": int(done * 1000) if finished else None,
            "createTime": int(created * 1000),
        }

    async def _upload(self, request: web.BaseRequest) -> web.Response:
        async for _ in request.content.iter_any():
            pass
        return _answer({"downloadUrl": f"{self._address}/uploads/{next(self._numbers)}.jpg"})


def _answer(data: object, *, code: int = 200, text: str = "success") -> web.Response:
    body = orjson.dumps({"code": code, "msg": text, "data": data})
    return web.Response(body=body, content_type="application/json")


async def serve(port: int, seconds: float) -> None:
    """Serve on a local port until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    kie = KieLoad(f"http://127.0.0.1:{port}", seconds)
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
    given = parser.parse_args(arguments)
    asyncio.run(serve(given.port, given.seconds))


if __name__ == "__main__":
    main()
