"""The KIE client: typed answers, precise errors, and never a second createTask for one order."""

import asyncio
import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus

import aiohttp
import orjson
import structlog

from bot.domain.errors import Ambiguous, ImageApiError, PollFailed, TaskRefused, TryLater, UploadFailed
from bot.domain.ids import KieTaskId, to_base36
from bot.domain.ports import Progress, TaskInput, TaskReport
from bot.domain.states import Failure
from bot.kie import wire
from bot.kie.catalogue import Catalogue
from bot.kie.failures import refusal

log = structlog.stdlib.get_logger(__name__)

_BODY_LIMIT = 1 << 20
_REFUSALS = {400, 401, 402, 404, 422}
_UPLOAD_TRIES = 3
_USER_AGENT = "Easel (self-hosted Discord bot)"


@dataclass(frozen=True, slots=True)
class KieOptions:
    """Where KIE is and how to talk to it. Times in seconds."""

    api_key: str
    base_url: str
    upload_url: str
    nsfw_checker: bool = True
    callback_url: str | None = None
    """Public address of our web server; when given, KIE is asked to call back there."""
    request_seconds: float = 30.0
    poll_seconds: float = 5.0
    """The limit on one recordInfo, which answers within a second: where one hangs, the next may succeed."""
    upload_seconds: float = 60.0


class KieClient:
    """KIE over HTTP: the port :class:`bot.domain.ports.ImageApi`. The sessions are the caller's to close.

    Uploads may have a session of their own, so that a file service that hangs holds up nothing else.
    """

    def __init__(
        self, session: aiohttp.ClientSession, options: KieOptions, uploads: aiohttp.ClientSession | None = None
    ) -> None:
        self._session = session
        self._upload_session = uploads or session
        self._options = options
        self._catalogue = Catalogue(options.nsfw_checker)
        self._headers = {"Authorization": f"Bearer {options.api_key}", "User-Agent": _USER_AGENT}

    async def create(self, order: TaskInput) -> KieTaskId:
        """Send createTask once.

        Raises Refused or TryLater when KIE surely has no task of it, Ambiguous when nobody can know.
        """
        callback = None
        if self._options.callback_url:
            callback = f"{self._options.callback_url.rstrip('/')}/kie/callback/{to_base36(order.task_id)}"
        body = orjson.dumps(self._catalogue.body(order, callback))
        try:
            status, answer = await self._post_json("/api/v1/jobs/createTask", body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TryLater(Failure.UNAVAILABLE, type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Ambiguous(type(error).__name__) from error
        return _created(status, answer)

    async def report(self, task: KieTaskId) -> TaskReport:
        """Call recordInfo once. Raises PollFailed for anything but an answer about the task."""
        status, answer = await self._ask(
            "/api/v1/jobs/recordInfo", {"taskId": task}, min(self._options.poll_seconds, self._options.request_seconds)
        )
        report = wire.report(answer.data)
        if report is not None:
            return report
        if status == answer.code == HTTPStatus.OK:
            # Empty just after its creation: still at it.
            return TaskReport(Progress.RUNNING)
        if answer.code == HTTPStatus.UNPROCESSABLE_ENTITY:
            # "recordInfo is null": also said for a moment of a task that was just created.
            return TaskReport(Progress.RUNNING)
        raise PollFailed(f"code {answer.code}")

    async def balance(self) -> Decimal:
        """The credits left on the account, by one question; raises PollFailed."""
        status, answer = await self._ask("/api/v1/chat/credit", {}, self._options.request_seconds)
        left = wire.balance(answer.data) if status == answer.code == HTTPStatus.OK else None
        if left is None:
            raise PollFailed(f"code {answer.code} without a balance")
        return left

    async def upload(self, data: bytes, filename: str, content_type: str) -> str:
        """Store a file at KIE for a day (free), under a name of its own; raises UploadFailed after three tries."""
        suffix = filename.rpartition(".")[2]
        for attempt in range(1, _UPLOAD_TRIES + 1):
            try:
                return await self._upload_once(data, f"{secrets.token_hex(16)}.{suffix}", content_type)
            except (aiohttp.ClientError, TimeoutError, OSError, _NotTaken) as error:
                log.warning("reference upload failed", attempt=attempt, error=type(error).__name__)
                if attempt == _UPLOAD_TRIES or (isinstance(error, _NotTaken) and error.final):
                    break
                await asyncio.sleep(0.2 * attempt)
        raise UploadFailed

    async def _upload_once(self, data: bytes, name: str, content_type: str) -> str:
        form = aiohttp.FormData()
        form.add_field("uploadPath", "easel")
        form.add_field("fileName", name)
        form.add_field("file", io.BytesIO(data), filename=name, content_type=content_type)
        async with self._upload_session.post(
            self._options.upload_url + "/api/file-stream-upload",
            data=form,
            headers=self._headers,
            timeout=self._timeout(self._options.upload_seconds),
            allow_redirects=False,
        ) as response:
            body = await _read(response)
        answer = wire.envelope(body)
        url = wire.download_url(answer.data) if answer and answer.code == HTTPStatus.OK else None
        if url is None:
            code = answer.code if answer else response.status
            raise _NotTaken(final=HTTPStatus.BAD_REQUEST <= code < HTTPStatus.TOO_MANY_REQUESTS)
        return url

    async def _ask(self, path: str, params: Mapping[str, str], seconds: float) -> tuple[int, wire.Envelope]:
        try:
            async with self._session.get(
                self._options.base_url + path,
                params=params,
                headers=self._headers,
                timeout=self._timeout(seconds),
                allow_redirects=False,
            ) as response:
                status, body = response.status, await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PollFailed(type(error).__name__) from error
        answer = wire.envelope(body)
        if answer is None:
            raise PollFailed(f"HTTP {status} without an envelope")
        return status, answer

    async def _post_json(self, path: str, body: bytes) -> tuple[int, bytes]:
        headers: Mapping[str, str] = {**self._headers, "Content-Type": "application/json"}
        async with self._session.post(
            self._options.base_url + path,
            data=body,
            headers=headers,
            timeout=self._timeout(self._options.request_seconds),
            allow_redirects=False,
        ) as response:
            return response.status, await _read(response)

    def _timeout(self, total: float) -> aiohttp.ClientTimeout:
        # Connecting must run out first: only then is it sure that nothing was sent.
        return aiohttp.ClientTimeout(total=total, connect=min(total / 2, 10))


class _NotTaken(Exception):
    """The file service answered, and has no file of it. ``final`` when another try would not help."""

    def __init__(self, *, final: bool) -> None:
        super().__init__()
        self.final = final


def _created(status: int, body: bytes) -> KieTaskId:
    answer = wire.envelope(body)
    error: ImageApiError
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        error = TryLater(Failure.UNAVAILABLE, "HTTP 429")
    elif answer is None:
        error = _page(status)
    elif (task := wire.created_task(answer.data)) is not None:
        # Whatever the code says: a task that has an id may be made and billed, and its record tells.
        return KieTaskId(task)
    elif answer.code == HTTPStatus.OK:
        error = Ambiguous("no task id")
    else:
        error = refusal(answer.code, answer.msg)
    raise error


def _page(status: int) -> ImageApiError:
    """What a gateway's page means: nothing of what stands behind it, unless it refuses the request itself."""
    if status in _REFUSALS:
        return refusal(status, None)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.REQUEST_TIMEOUT:
        return TaskRefused(Failure.UNAVAILABLE, f"HTTP {status}")
    return Ambiguous(f"HTTP {status}")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, up to a megabyte; KIE's answers are a few kilobytes."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(body)
