"""KIE's callbacks. KIE does not sign the body, so a callback is only a hint to poll the task now."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection
from http import HTTPStatus
from typing import ClassVar

import structlog
from aiohttp import web

from bot.domain.errors import StoreUnavailable
from bot.domain.ids import KieTaskId, TaskId, from_base36
from bot.domain.ports import Clock
from bot.generation.tracker import Tracker
from bot.kie.signature import headers_plausible, verify
from bot.kie.wire import envelope
from bot.web.client_address import FailureLimiter, Network, client_address

log = structlog.stdlib.get_logger(__name__)

_BODY_SECONDS = 3.0
"""KIE's bodies are a few kilobytes and arrive in one piece."""
_REMEMBERED_CALLBACKS = 1000


class CallbackRoute:
    """``POST /kie/callback/<our task id>``, signed with the operator's callback key.

    The body is read only when the headers look like KIE's. Rejected calls are counted per client address; above the
    limit, further ones get 429 and are not logged. A correctly signed call is always accepted, whatever its address.
    """

    PATH: ClassVar = "/kie/callback/{task:[0-9a-z]{1,13}}"

    def __init__(
        self,
        key: str,
        tracker: Tracker,
        clock: Clock,
        *,
        proxies: Collection[Network] = (),
        failures: FailureLimiter | None = None,
    ) -> None:
        self._key = key
        self._tracker = tracker
        self._clock = clock
        self._proxies = proxies
        self._failures = failures or FailureLimiter(now=time.monotonic)
        self._recent: OrderedDict[tuple[TaskId, str], None] = OrderedDict()

    async def handle(self, request: web.Request) -> web.Response:
        """Verify the call and have the tracker poll; a KIE task id that was lost in a crash is stored again.

        503 while the database is unavailable: nothing is stored yet.
        """
        address = client_address(request, self._proxies)
        over_limit = self._failures.over_limit(address)
        status = await self._process(request)
        if status is HTTPStatus.OK:
            return web.json_response({"status": "received"})
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            return web.Response(status=status)
        if over_limit:
            return web.Response(status=HTTPStatus.TOO_MANY_REQUESTS)
        log.warning("callback rejected", status=int(status))
        if self._failures.add(address):
            log.warning("too many invalid callbacks from one address, no longer logging them", address=address)
        return web.Response(status=status)

    async def _process(self, request: web.Request) -> HTTPStatus:
        timestamp = request.headers.get("X-Webhook-Timestamp", "")
        signature = request.headers.get("X-Webhook-Signature", "")
        if not headers_plausible(timestamp, signature, self._clock.now()):
            return HTTPStatus.UNAUTHORIZED
        if (request.content_length or 0) > request.client_max_size:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await request.read()
            task_id = TaskId(from_base36(request.match_info["task"]))
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT
        except web.HTTPRequestEntityTooLarge:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        except (ValueError, web.RequestPayloadError):
            return HTTPStatus.BAD_REQUEST
        # Of the body, only the id is read.
        answer = envelope(body)
        kie_task_id = KieTaskId((answer.task_id if answer else None) or "")
        if not kie_task_id:
            return HTTPStatus.BAD_REQUEST
        if not verify(self._key, kie_task_id, timestamp, signature, self._clock.now()):
            return HTTPStatus.UNAUTHORIZED
        callback = (task_id, signature)
        if callback in self._recent:
            return HTTPStatus.OK  # repeated: it needs no further poll
        try:
            await self._poll(task_id, kie_task_id)
        except StoreUnavailable:
            # The callback may be the only source of the id, so it is stored as soon as the database is back. Until then
            # it can be lost with this process: KIE had better call again.
            self._tracker.attach_kie_id_later(task_id, kie_task_id)
            return HTTPStatus.SERVICE_UNAVAILABLE
        # Not before: KIE may call again while the first call waits for the database.
        self._recent[callback] = None
        if len(self._recent) > _REMEMBERED_CALLBACKS:
            self._recent.popitem(last=False)
        return HTTPStatus.OK

    async def _poll(self, task_id: TaskId, kie_task_id: KieTaskId) -> None:
        if not await self._tracker.callback_received(task_id, kie_task_id):
            log.info("callback for a task that is not tracked", task=task_id)
