"""The HTTP client for KIE.ai. createTask is never sent twice for one task, because KIE has no idempotency key."""

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

from bot import metrics
from bot.domain.errors import UploadFailed
from bot.domain.ids import KieTaskId, to_base36
from bot.domain.image_api_errors import AccountRefused, Ambiguous, ImageApiError, PollFailed, TaskRefused, TryLater
from bot.domain.ports import Progress, TaskInput, TaskReport
from bot.domain.states import Failure
from bot.kie import wire
from bot.kie.catalogue import Catalogue
from bot.kie.failures import create_error
from bot.network import NETWORK_ERRORS

log = structlog.stdlib.get_logger(__name__)

_BODY_LIMIT = 1 << 20
"""Bytes; KIE's answers have a few thousand."""
_REFUSING_STATUSES = {400, 401, 402, 404, 422}
"""HTTP statuses that mean the same as KIE's code of that number, even without an envelope."""
_CREATE_PATH = "/api/v1/jobs/createTask"
_UPLOAD_PATH = "/api/file-stream-upload"
_UPLOAD_ATTEMPTS = 3
_USER_AGENT = "Easel (self-hosted Discord bot)"


@dataclass(frozen=True, slots=True)
class KieOptions:
    """KIE's addresses, the key and the time-outs (in seconds)."""

    api_key: str
    base_url: str
    upload_url: str
    nsfw_checker: bool = True
    callback_url: str | None = None
    """Public base URL of Easel's web server; with it, every task asks KIE for a callback."""
    request_seconds: float = 30.0
    poll_seconds: float = 5.0
    """The limit on one recordInfo, which answers within a second: where one hangs, the next may succeed."""
    upload_seconds: float = 60.0


class KieClient:
    """Implements :class:`bot.domain.ports.ImageApi` over HTTP. The caller closes the sessions.

    Uploads may use a session of their own, so that a slow file service never blocks other calls; createTask one that
    never reuses a connection: one that died unnoticed, as while the machine slept, would leave in doubt what it costs.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        options: KieOptions,
        *,
        upload_session: aiohttp.ClientSession | None = None,
        create_session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._session = session
        self._upload_session = upload_session or session
        self._create_session = create_session or session
        self._options = options
        self._catalogue = Catalogue(options.nsfw_checker)
        self._headers = {"Authorization": f"Bearer {options.api_key}", "User-Agent": _USER_AGENT}

    async def create(self, task_input: TaskInput) -> KieTaskId:
        """Send createTask once.

        Raises TaskRefused or TryLater when KIE certainly created no task, Ambiguous when that is unknown.
        """
        callback_url = None
        if self._options.callback_url:
            callback_url = f"{self._options.callback_url.rstrip('/')}/kie/callback/{to_base36(task_input.task_id)}"
        body = orjson.dumps(self._catalogue.body(task_input, callback_url))
        try:
            status, answer = await self._call("POST", _CREATE_PATH, body=body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # No connection was made, so nothing was sent.
            raise TryLater(Failure.UNAVAILABLE, type(error).__name__, answered=False) from error
        except NETWORK_ERRORS as error:
            raise Ambiguous(type(error).__name__) from error
        return _created_task_id(status, answer)

    async def report(self, task: KieTaskId) -> TaskReport:
        """The task's record, from one recordInfo call. Raises PollFailed for any answer that is not about the task."""
        seconds = min(self._options.poll_seconds, self._options.request_seconds)
        code, data = await self._read_answer("GET", "/api/v1/jobs/recordInfo", seconds, params={"taskId": task})
        if wire.task_id(data) not in {None, task}:
            raise PollFailed("the record of another task")
        report = wire.task_report(data)
        if report is not None:
            return report
        if code in {HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY}:
            # For a moment after the task was created, the record is empty or "recordInfo is null" (422).
            return TaskReport(Progress.RUNNING)
        raise PollFailed(f"code {code}")

    async def download_url(self, url: str) -> str:
        """A temporary address (20 minutes by docs.kie.ai) for a file that KIE made; raises PollFailed without one."""
        code, data = await self._read_answer("POST", "/api/v1/common/download-url", json={"url": url})
        address = wire.download_url(data) if code == HTTPStatus.OK else None
        if address is None:
            raise PollFailed(f"code {code} without an address")
        return address

    async def balance(self) -> Decimal:
        """The credits left on the operator's account; raises AccountRefused or another PollFailed."""
        code, data = await self._read_answer("GET", "/api/v1/chat/credit")
        if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise AccountRefused(f"code {code}", wrong_key=code == HTTPStatus.UNAUTHORIZED)
        balance = wire.balance(data) if code == HTTPStatus.OK else None
        if balance is None:
            raise PollFailed(f"code {code} without a balance")
        return balance

    async def upload(self, data: bytes, filename: str, content_type: str) -> str:
        """Upload a file (free, kept for a day) and return its URL; raises UploadFailed after three attempts.

        Every attempt uses a new name: KIE serves an overwritten file from its cache for a while.
        """
        suffix = filename.rpartition(".")[2]
        for attempt in range(1, _UPLOAD_ATTEMPTS + 1):
            try:
                return await self._upload_once(data, f"{secrets.token_hex(16)}.{suffix}", content_type)
            except (*NETWORK_ERRORS, _UploadRejected) as error:
                log.warning("reference upload failed", attempt=attempt, error=type(error).__name__)
                if attempt == _UPLOAD_ATTEMPTS or (isinstance(error, _UploadRejected) and error.final):
                    break
                await asyncio.sleep(0.2 * attempt)
        raise UploadFailed

    async def _upload_once(self, data: bytes, name: str, content_type: str) -> str:
        form = aiohttp.FormData()
        form.add_field("uploadPath", "easel")
        form.add_field("fileName", name)
        form.add_field("file", io.BytesIO(data), filename=name, content_type=content_type)
        with metrics.kie_call(_UPLOAD_PATH) as answered:
            async with self._upload_session.post(
                self._options.upload_url + _UPLOAD_PATH,
                data=form,
                headers=self._headers,
                timeout=self._timeout(self._options.upload_seconds),
                allow_redirects=False,
            ) as response:
                answer = wire.envelope(await _read(response))
            code = answer.code if answer else None
            answered(response.status, code)
        url = wire.uploaded_url(answer.data) if answer and code == HTTPStatus.OK else None
        if url is None:
            code = code or response.status
            raise _UploadRejected(final=HTTPStatus.BAD_REQUEST <= code < HTTPStatus.TOO_MANY_REQUESTS)
        return url

    async def _read_answer(
        self,
        method: str,
        path: str,
        seconds: float | None = None,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
    ) -> tuple[int, object]:
        """Code and data of the answer to a call that changes nothing at KIE; raises PollFailed when there is none."""
        body = None if json is None else orjson.dumps(json)
        try:
            status, answer = await self._call(method, path, seconds, params=params, body=body)
        except NETWORK_ERRORS as error:
            raise PollFailed(type(error).__name__) from error
        answer = answer or wire.Envelope({})
        if status != HTTPStatus.OK and answer.code in {None, HTTPStatus.OK}:
            return status, answer.data
        return answer.code or 0, answer.data

    async def _call(
        self,
        method: str,
        path: str,
        seconds: float | None = None,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, wire.Envelope | None]:
        """HTTP's status, and KIE's answer if it is one."""
        # KIE's guide asks for the content type on every request, also where nothing is sent.
        headers: Mapping[str, str] = {**self._headers, "Content-Type": "application/json"}
        # What creates is never repeated, so its connection is never one that may have died unnoticed.
        session = self._create_session if path == _CREATE_PATH else self._session
        with metrics.kie_call(path) as answered:
            async with session.request(
                method,
                self._options.base_url + path,
                params=params,
                data=body,
                headers=headers,
                timeout=self._timeout(seconds or self._options.request_seconds),
                allow_redirects=False,
            ) as response:
                answer = wire.envelope(await _read(response))
            answered(response.status, answer.code if answer else None)
        return response.status, answer

    def _timeout(self, total: float) -> aiohttp.ClientTimeout:
        # Connecting has to time out first: only then is it certain that nothing was sent.
        return aiohttp.ClientTimeout(total=total, connect=min(total / 2, 10))


class _UploadRejected(Exception):
    """The file service answered without a URL. ``final`` when another attempt would not help."""

    def __init__(self, *, final: bool) -> None:
        super().__init__()
        self.final = final


def _created_task_id(status: int, answer: wire.Envelope | None) -> KieTaskId:
    error: ImageApiError
    if answer is not None and (task_id := answer.task_id) is not None:
        # Even with an error code: a task that has an id may run and be billed, and its record will tell.
        return KieTaskId(task_id)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        error = TryLater(Failure.UNAVAILABLE, "HTTP 429")
    elif answer is None or answer.code is None:
        error = _error_without_envelope(status)
    elif answer.code == HTTPStatus.OK:
        error = Ambiguous("no task id")
    else:
        error = create_error(answer.code, answer.msg)
    raise error


def _error_without_envelope(status: int) -> ImageApiError:
    """The error for a page of a gateway: unless that refused the request itself, KIE may have created the task."""
    if status in _REFUSING_STATUSES:
        return create_error(status, None)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.REQUEST_TIMEOUT:
        return TaskRefused(Failure.UNAVAILABLE, f"HTTP {status}")
    return Ambiguous(f"HTTP {status}")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body; raises ClientPayloadError above the limit."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(body)
