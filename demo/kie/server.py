"""The stand-in itself: an HTTP server on this machine that answers as KIE does."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

from aiohttp import ClientSession, web

from demo.kie.behave import play
from demo.kie.callbacks import Followers
from demo.kie.gallery import Gallery
from demo.kie.order import read_order
from demo.kie.paint import PictureFormat
from demo.kie.script import EmptyData, NotYetKnown, Route, Script, refused_by_prompt
from demo.kie.tasks import Clock, Desk, Durations, Task
from demo.kie.uploads import Uploads
from demo.kie.wire import Call, Json, Refusal, answer, read_call, refuse, success

Handler: TypeAlias = Callable[[web.Request, Call], Awaitable[web.Response]]


class KieStandIn:
    """KIE on a loopback port, for as long as the ``async with`` lasts; an instance serves once.

    ``durations`` is in seconds: a number, or asked for each task with (model, resolution). ``paint=False`` serves
    one small PNG for all results; ``shrink`` divides the sides of what is painted. ``remember`` is how many received
    calls are kept (None: all).
    """

    def __init__(
        self,
        *,
        api_key: str = "test-key",
        durations: Durations = 0.05,
        credits: Decimal = Decimal(1000),
        callback_key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        create_limit: int = 20,
        create_window: float = 10.0,
        running_limit: int = 100,
        paint: bool = True,
        shrink: int = 1,
        picture_format: PictureFormat = "PNG",
        fetch_seconds: float = 5.0,
        remember: int | None = 10_000,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
    ) -> None:
        self.script = Script()
        self._api_key = api_key
        self._callback_key = callback_key
        self._address = (host, port)
        self._fetch_seconds = fetch_seconds
        self._paint = paint
        self._clock = clock
        self._wall_clock = wall_clock
        self._calls: deque[Call] = deque(maxlen=remember)
        self._gallery = Gallery(picture_format, painting=paint, shrink=shrink)
        self._uploads = Uploads()
        self._stopping = asyncio.Event()
        self._base_url = ""
        self._desk = Desk(
            funds=credits,
            durations=durations,
            create_limit=create_limit,
            create_window=create_window,
            running_limit=running_limit,
            clock=clock,
            wall_clock=wall_clock,
        )
        self._followers: Followers | None = None
        self._resources = contextlib.AsyncExitStack()

    @property
    def base_url(self) -> str:
        """Where API, uploads and results are served, without a slash at the end."""
        return self._base_url

    @property
    def requests(self) -> tuple[Call, ...]:
        """The received calls, oldest first; misbehaved ones too."""
        return tuple(self._calls)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Every task by its KIE id, oldest first."""
        return self._desk.tasks

    @property
    def billed(self) -> Decimal:
        """The price of all tasks that have succeeded by now."""
        return self._desk.billed

    @property
    def balance(self) -> Decimal:
        """Credits left; a running task's price is held back until it ends. It can be set, as when it is filled up."""
        return self._desk.balance

    @balance.setter
    def balance(self, credits: Decimal) -> None:
        self._desk.balance = credits

    @property
    def callbacks_delivered(self) -> int:
        """How many callbacks were answered with 2xx."""
        return self._followers.delivered if self._followers else 0

    @property
    def callbacks_failed(self) -> int:
        """How many callbacks were refused, unanswered, or meant for another machine and never sent."""
        return self._followers.failed if self._followers else 0

    async def call_back(self, task_id: str) -> None:
        """Send the task's callback once more, in its present state, as KIE at times does."""
        if self._followers is not None:
            await self._followers.call_back(self._desk.tasks[task_id])

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as opening:
            opening.push_async_callback(self._gallery.close)
            session = await opening.enter_async_context(ClientSession(trust_env=False))
            opening.push_async_callback(self._close_followers)
            runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            opening.push_async_callback(runner.cleanup)
            opening.callback(self._stopping.set)
            host, port = self._address
            site = web.TCPSite(runner, host, port)
            await site.start()
            self._base_url = f"http://{host}:{runner.addresses[0][1]}"
            self._followers = Followers(
                session,
                self._uploads,
                base_url=self._base_url,
                report=self._report,
                callback_key=self._callback_key,
                wall_clock=self._wall_clock,
                fetch_seconds=self._fetch_seconds,
                keep_references=self._paint,
            )
            self._resources = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def _close_followers(self) -> None:
        if self._followers is not None:
            await self._followers.close()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/api/v1/jobs/createTask", self._route("createTask", self._create))
        app.router.add_get("/api/v1/jobs/recordInfo", self._route("recordInfo", self._record_info))
        app.router.add_get("/api/v1/chat/credit", self._route("credit", self._credit))
        app.router.add_post("/api/file-stream-upload", self._route("upload", self._upload))
        app.router.add_get("/uploads/{path:.+}", self._route(None, self._uploaded))
        app.router.add_get(r"/results/{id:[0-9a-f]+}-{number:\d+}.{suffix}", self._route("result", self._result))
        app.router.add_route("*", "/{path:.*}", self._route(None, self._nowhere))
        return app

    def _route(self, route: Route | None, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            call = await read_call(request, self._clock())
            self._calls.append(call)
            behaviour = self.script.behaviour(route) if route else None
            return await play(behaviour, request, partial(handler, request, call), self._stopping)

        return serve

    def _report(self, task: Task) -> dict[str, Json]:
        return task.record(task.urls(self._base_url, self._gallery.suffix))

    def _stranger(self, call: Call) -> Refusal | None:
        if call.headers.get("Authorization") == f"Bearer {self._api_key}":
            return None
        return Refusal(401, "The API key is missing or wrong")

    async def _create(self, _request: web.Request, call: Call) -> web.Response:
        refusal = self._stranger(call) or self._desk.too_fast()
        if refusal:
            return refuse(refusal)
        order = read_order(call.json)
        if isinstance(order, Refusal):
            return refuse(order)
        if refusal := refused_by_prompt(order.prompt):
            return refuse(refusal)
        task = self._desk.take(order, self.script.outcome)
        if isinstance(task, Refusal):
            return refuse(task)
        if self._followers is not None:
            self._followers.follow(task)
        return success({"taskId": task.id, "recordId": task.id})

    async def _record_info(self, _request: web.Request, call: Call) -> web.Response:
        if refusal := self._stranger(call):
            return refuse(refusal)
        task = self._desk.tasks.get(call.query.get("taskId", ""))
        if task is None:
            return answer(422, "recordInfo is null")
        task.times_asked += 1
        match task.outcome:
            case NotYetKnown(times) if task.times_asked <= times:
                return answer(422, "recordInfo is null")
            case EmptyData(times, null) if task.times_asked <= times:
                return success(None if null else {})
            case _:
                return success(self._report(task))

    async def _credit(self, _request: web.Request, call: Call) -> web.Response:
        refusal = self._stranger(call)
        return refuse(refusal) if refusal else success(float(self.balance))

    async def _upload(self, _request: web.Request, call: Call) -> web.Response:
        refusal = self._stranger(call)
        kept = refusal or self._uploads.keep(call, self._base_url, self._wall_clock())
        if isinstance(kept, Refusal):
            return web.json_response({"success": False, "code": kept.code, "msg": kept.msg, "data": None})
        return web.json_response({"success": True, "code": 200, "msg": "File uploaded successfully", "data": kept})

    async def _uploaded(self, request: web.Request, _call: Call) -> web.Response:
        file = self._uploads.get(request.match_info["path"])
        if file is None:
            return answer(404, "No such file", status=404)
        return web.Response(body=file.content, headers={"Content-Type": file.content_type})

    async def _result(self, request: web.Request, _call: Call) -> web.Response:
        task = self._desk.tasks.get(request.match_info["id"])
        if (
            task is None
            or task.state != "success"
            or f"{self._base_url}{request.path}" not in task.urls(self._base_url, self._gallery.suffix)
        ):
            return answer(404, "No such file", status=404)
        content, content_type = await self._gallery.picture(task, int(request.match_info["number"]))
        return web.Response(body=content, content_type=content_type)

    async def _nowhere(self, _request: web.Request, call: Call) -> web.Response:
        return answer(404, f"No route {call.method} {call.path}", status=404)
