"""A client of the stand-in, and a loopback server that takes its callbacks."""

import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from demo.kie import KieStandIn
from tests.waiting import until

KEY = "test-key"
PRO = "flux-2/pro-text-to-image"
PRO_EDIT = "flux-2/pro-image-to-image"
CREATE = "/api/v1/jobs/createTask"
RECORD = "/api/v1/jobs/recordInfo"
CREDIT = "/api/v1/chat/credit"
UPLOAD = "/api/file-stream-upload"


@dataclass
class FakeClock:
    """Seconds that pass only when a test says so."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class KieCaller:
    """A client of the stand-in, with the few verbs the tests need."""

    kie: KieStandIn
    session: aiohttp.ClientSession

    async def send(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """The HTTP status and the JSON body."""
        async with self.session.request(method, self.kie.base_url + path, **options) as response:
            return response.status, await response.json()

    async def post(self, body: Any) -> Any:
        return (await self.send("POST", CREATE, json=body))[1]

    async def get(self, path: str, **query: str) -> Any:
        return (await self.send("GET", path, params=query))[1]

    async def download(self, url: str) -> tuple[int, str, bytes]:
        """The status, content type and body, fetched without the key."""
        async with aiohttp.ClientSession() as stranger, stranger.get(url) as response:
            return response.status, response.content_type, await response.read()

    async def create(self, model: str = PRO, callback: str | None = None, **changes: Any) -> str:
        answer = await self.post(request(model, callback, **changes))
        assert answer["code"] == 200, answer
        task_id: str = answer["data"]["taskId"]
        return task_id

    async def refused(self, model: str = PRO, **changes: Any) -> tuple[int, str]:
        answer = await self.post(request(model, None, **changes))
        assert answer["data"] is None
        return answer["code"], answer["msg"]

    async def record(self, task_id: str) -> dict[str, Any]:
        data: dict[str, Any] = (await self.get(RECORD, taskId=task_id))["data"]
        return data

    async def finish(self, model: str = PRO, callback: str | None = None, **changes: Any) -> dict[str, Any]:
        """Create a task and return its record once it has ended."""
        return await self.end(await self.create(model, callback, **changes))

    async def end(self, task_id: str) -> dict[str, Any]:
        async def ended() -> dict[str, Any] | None:
            record = await self.record(task_id)
            return record if record and record["state"] in ("success", "fail") else None

        return await until(ended, what="the end of the task")

    async def upload(self, content: bytes, name: str = "ref.png", **fields: str) -> dict[str, Any]:
        form = aiohttp.FormData(fields)
        form.add_field("file", io.BytesIO(content), filename=name, content_type="image/png")
        return (await self.send("POST", UPLOAD, data=form))[1]

    async def reference(self, content: bytes, name: str = "ref.png") -> str:
        url: str = (await self.upload(content, name, uploadPath="easel"))["data"]["downloadUrl"]
        return url


def request(model: str = PRO, callback: str | None = None, **changes: Any) -> dict[str, Any]:
    """A createTask body; a change to None removes the field."""
    inputs = {"prompt": "a red fox", "aspect_ratio": "1:1", "resolution": "1K", **changes}
    body = {"model": model, "input": {name: value for name, value in inputs.items() if value is not None}}
    return body if callback is None else {**body, "callBackUrl": callback}


def results(record: dict[str, Any]) -> list[str]:
    urls: list[str] = json.loads(record["resultJson"])["resultUrls"]
    return urls


def image(size: tuple[int, int] = (64, 64), file_format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "teal").save(stream, file_format)
    return stream.getvalue()


@asynccontextmanager
async def open_caller(kie: KieStandIn) -> AsyncGenerator[KieCaller]:
    async with kie, aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        yield KieCaller(kie, session)


@pytest.fixture
async def caller() -> AsyncIterator[KieCaller]:
    async with open_caller(KieStandIn(durations=0.02)) as opened:
        yield opened


@dataclass
class CallbackListener:
    """A loopback server that takes callbacks at /hook and serves an image at /fox.png."""

    url: str = ""
    status: int = 200
    received: list[Any] = field(default_factory=list[Any])
    """Headers and body of each callback."""

    async def take(self, call: web.Request) -> web.Response:
        self.received.append((dict(call.headers), await call.json()))
        return web.Response(status=self.status)

    async def serve(self, _call: web.Request) -> web.Response:
        return web.Response(body=image(), content_type="image/png")


@pytest.fixture
async def listener() -> AsyncIterator[CallbackListener]:
    listener = CallbackListener()
    app = web.Application()
    app.add_routes([web.post("/hook", listener.take), web.get("/fox.png", listener.serve)])
    async with TestServer(app) as server:
        listener.url = str(server.make_url("/")).rstrip("/")
        yield listener
