"""A client of the stand-in, a listener for its callbacks, and what else its tests share."""

import io
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from PIL import Image

from demo.kie import (
    Json,
    KieStandIn,
)
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
    """Seconds that pass only when told to."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Caller:
    """A client of the stand-in, with the few verbs the tests need."""

    kie: KieStandIn
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Json) -> dict[str, Json]:
        async with self.session.post(self.kie.base_url + path, json=body) as response:
            assert response.status == 200
            return table(await response.json())

    async def get(self, path: str, **query: str) -> dict[str, Json]:
        async with self.session.get(self.kie.base_url + path, params=query) as response:
            assert response.status == 200
            return table(await response.json())

    async def create(self, model: str = PRO, callback: str | None = None, **changes: Json) -> str:
        answer = await self.post(CREATE, request(model, callback, **changes))
        assert answer["code"] == 200, answer
        task_id = table(answer["data"])["taskId"]
        assert isinstance(task_id, str)
        return task_id

    async def refused(self, model: str = PRO, **changes: Json) -> tuple[Json, str]:
        answer = await self.post(CREATE, request(model, None, **changes))
        assert answer["data"] is None
        return answer["code"], str(answer["msg"])

    async def record(self, task_id: str) -> dict[str, Json]:
        answer = await self.get(RECORD, taskId=task_id)
        assert answer["code"] == 200
        return table(answer["data"])

    async def ended(self, task_id: str) -> dict[str, Json]:
        async def look() -> dict[str, Json] | None:
            record = await self.record(task_id)
            return record if record["state"] in ("success", "fail") else None

        return await until(look, what="the end of the task")

    async def upload(self, content: bytes, name: str = "ref.png", **fields: str) -> dict[str, Json]:
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(content), filename=name, content_type="image/png")
        for field_name, value in fields.items():
            form.add_field(field_name, value)
        async with self.session.post(self.kie.base_url + UPLOAD, data=form) as response:
            return table(await response.json())

    async def reference(self, content: bytes, name: str = "ref.png") -> str:
        answer = await self.upload(content, name, uploadPath="easel")
        return str(table(answer["data"])["downloadUrl"])


def request(model: str = PRO, callback: str | None = None, **changes: Json) -> dict[str, Json]:
    inputs: dict[str, Json] = {"prompt": "a red fox", "aspect_ratio": "1:1", "resolution": "1K", **changes}
    given: dict[str, Json] = {name: value for name, value in inputs.items() if value is not None}
    body: dict[str, Json] = {"model": model, "input": given}
    return body if callback is None else {**body, "callBackUrl": callback}


def table(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


def picture(size: tuple[int, int] = (64, 64), colour: str = "teal", kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, kind)
    return stream.getvalue()


def results(record: dict[str, Json]) -> list[str]:
    packed = record["resultJson"]
    assert isinstance(packed, str)
    urls: list[str] = json.loads(packed)["resultUrls"]
    return urls


@asynccontextmanager
async def open_caller(kie: KieStandIn) -> AsyncGenerator[Caller]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with kie, aiohttp.ClientSession(headers=headers) as session:
        yield Caller(kie, session)


@dataclass
class Listener:
    """A loopback server that takes callbacks and serves one picture."""

    url: str = ""
    status: int = 200
    calls: list[tuple[dict[str, str], dict[str, Json]]] = field(
        default_factory=list[tuple[dict[str, str], dict[str, Json]]]
    )

    async def take(self, call: web.Request) -> web.Response:
        self.calls.append((dict(call.headers), table(await call.json())))
        return web.Response(status=self.status)

    async def serve(self, _call: web.Request) -> web.Response:
        return web.Response(body=picture(), content_type="image/png")


@asynccontextmanager
async def open_listener() -> AsyncGenerator[Listener]:
    taker = Listener()
    app = web.Application()
    app.router.add_post("/hook", taker.take)
    app.router.add_get("/fox.png", taker.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        taker.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield taker
