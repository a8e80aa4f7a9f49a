"""The stand-in itself: an HTTP server on this machine that answers as KIE does."""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import TracebackType
from typing import Self, TypeAlias

from aiohttp import ClientSession, web

from demo.kie.behaviours import respond
from demo.kie.callbacks import CallbackSender
from demo.kie.images import ImageSpec, draw_image, noise_png
from demo.kie.references import UploadStore
from demo.kie.script import EmptyData, Endpoint, NotYetKnown, Script, Succeed
from demo.kie.task_request import parse_task_request
from demo.kie.tasks import KieAccount, KieTask
from demo.kie.wire import KieError, RecordedRequest, envelope, record_request

_Handler: TypeAlias = Callable[[web.Request, RecordedRequest], Awaitable[web.Response]]

_HOST = "127.0.0.1"
_CACHED_IMAGES = 32
_PLACEHOLDER = ImageSpec("placeholder", "any", "1:1", "1K", shrink=16)


@dataclass(eq=False, repr=False, kw_only=True)
class KieStandIn(KieAccount):
    """A KIE account on a loopback port for as long as the ``async with`` lasts; an instance serves once.

    ``draw=False`` serves one small PNG for all results; ``shrink`` divides the sides of what is drawn. ``remember`` is
    how many received requests are kept (None: all).
    """

    api_key: str = "test-key"
    callback_key: str | None = None
    draw: bool = True
    shrink: int = 1
    remember: int | None = 10_000
    base_url: str = field(default="", init=False)
    """Where API, uploads and results are served, without a trailing slash."""
    script: Script = field(default_factory=Script, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._requests: deque[RecordedRequest] = deque(maxlen=self.remember)
        self._uploads = UploadStore()
        self._cached_draw = lru_cache(_CACHED_IMAGES)(draw_image)
        self._stopping = asyncio.Event()
        self._callbacks: CallbackSender
        self._resources = AsyncExitStack()

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The received requests, oldest first, including those that a scripted behaviour answered."""
        return tuple(self._requests)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listening = stack.enter_context(socket.create_server((_HOST, 0)))
            self.base_url = f"http://{_HOST}:{listening.getsockname()[1]}"
            session = await stack.enter_async_context(ClientSession(trust_env=False))
            self._callbacks = CallbackSender(
                session, self._uploads, self.base_url, self.callback_key, self.wall_clock, keep_references=self.draw
            )
            stack.push_async_callback(self._callbacks.close)
            runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            stack.callback(self._stopping.set)
            await web.SockSite(runner, listening).start()
            self._resources = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        routes: list[tuple[str, str, Endpoint | None, _Handler]] = [
            ("POST", "/api/v1/jobs/createTask", "createTask", self._create_task),
            ("GET", "/api/v1/jobs/recordInfo", "recordInfo", self._record_info),
            ("GET", "/api/v1/chat/credit", "credit", self._credit),
            ("POST", "/api/v1/common/download-url", "downloadUrl", self._download_url),
            ("POST", "/api/file-stream-upload", "upload", self._upload),
            ("GET", "/uploads/{path:.+}", None, self._uploaded_file),
            ("GET", r"/results/{id:[0-9a-f]+}-{number:\d+}.png", "result", self._result),
            ("*", "/{path:.*}", None, self._not_found),
        ]
        for method, path, endpoint, handler in routes:
            app.router.add_route(method, path, partial(self._serve, endpoint, handler))
        return app

    async def _serve(self, endpoint: Endpoint | None, handler: _Handler, request: web.Request) -> web.StreamResponse:
        recorded = await record_request(request, self.clock())
        self._requests.append(recorded)
        behaviour = self.script.take_behaviour(endpoint) if endpoint else None
        process = partial(self._process, endpoint, handler, request, recorded)
        return await respond(behaviour, request, process, self._stopping)

    async def _process(
        self, endpoint: Endpoint | None, handler: _Handler, request: web.Request, recorded: RecordedRequest
    ) -> web.Response:
        needs_key = endpoint not in (None, "result")
        try:
            if needs_key:
                self._check_key(recorded)
            return await handler(request, recorded)
        except KieError as error:
            more = {"success": False} if endpoint == "upload" else {}
            return envelope(error.code, error.msg, status=200 if needs_key else error.code, **more)

    def _check_key(self, recorded: RecordedRequest) -> None:
        if recorded.headers.get("Authorization") != f"Bearer {self.api_key}":
            raise KieError(401, "The API key is missing or wrong")

    async def _create_task(self, _request: web.Request, recorded: RecordedRequest) -> web.Response:
        self.check_limits()
        task_request = parse_task_request(recorded.json)
        task = self.create_task(task_request, self.script.take_outcome)
        self._callbacks.start(task)
        return envelope(200, "success", {"taskId": task.id, "recordId": task.id})

    async def _record_info(self, _request: web.Request, recorded: RecordedRequest) -> web.Response:
        task = self.tasks.get(recorded.query.get("taskId", ""))
        if task is None:
            raise KieError(422, "recordInfo is null")
        task.times_polled += 1
        match task.outcome:
            case NotYetKnown(times) if task.times_polled <= times:
                raise KieError(422, "recordInfo is null")
            case EmptyData(times, null) if task.times_polled <= times:
                return envelope(200, "success", None if null else {})
            case _:
                return envelope(200, "success", task.record(self.base_url))

    async def _credit(self, _request: web.Request, _recorded: RecordedRequest) -> web.Response:
        return envelope(200, "success", float(self.balance))

    async def _download_url(self, _request: web.Request, recorded: RecordedRequest) -> web.Response:
        """For a result of ours, an address at which this server serves it; 422 for any other, as KIE documents."""
        url = recorded.json.get("url") if isinstance(recorded.json, dict) else None
        for task in self.tasks.values():
            if url in task.result_urls(self.base_url):
                number = task.result_urls(self.base_url).index(url) + 1
                return envelope(200, "success", f"{self.base_url}/results/{task.id}-{number}.png")
        raise KieError(422, "The url was not generated by this service")

    async def _upload(self, _request: web.Request, recorded: RecordedRequest) -> web.Response:
        data = self._uploads.keep(recorded, self.base_url, self.wall_clock())
        return envelope(200, "File uploaded successfully", data, success=True)

    async def _uploaded_file(self, request: web.Request, _recorded: RecordedRequest) -> web.Response:
        file = self._uploads.get(request.match_info["path"])
        if file is None:
            raise KieError(404, "No such file")
        return web.Response(body=file.content, headers={"Content-Type": file.content_type})

    async def _result(self, request: web.Request, _recorded: RecordedRequest) -> web.Response:
        task = self.tasks.get(request.match_info["id"])
        urls = task.result_urls(self.base_url) if task is not None and task.state == "success" else []
        number = int(request.match_info["number"])
        if task is None or not 1 <= number <= len(urls):
            raise KieError(404, "No such file")
        content = await asyncio.to_thread(self._image, task, number)
        return web.Response(body=content, content_type="image/png")

    def _image(self, task: KieTask, number: int) -> bytes:
        if isinstance(task.outcome, Succeed) and task.outcome.noise_megabytes > 0:
            return noise_png(task.outcome.noise_megabytes, f"{task.id}/{number}")
        if not self.draw:
            return self._cached_draw(_PLACEHOLDER)
        return self._cached_draw(
            ImageSpec(
                prompt=task.request.prompt,
                model=task.request.model,
                aspect_ratio=task.request.aspect_ratio,
                resolution=task.request.resolution,
                references=task.references or (),
                variant=task.variant + number - 1,
                shrink=self.shrink,
            )
        )

    async def _not_found(self, _request: web.Request, recorded: RecordedRequest) -> web.Response:
        raise KieError(404, f"No route {recorded.method} {recorded.path}")
