"""KIE's callbacks: a hint to look at a task now. The body is not signed and is believed in nothing."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection
from http import HTTPStatus
from typing import Annotated, ClassVar

import structlog
from aiohttp import web
from pydantic import AliasChoices, AliasPath, BaseModel, Field

from bot.domain.errors import StoreUnavailable
from bot.domain.ids import KieTaskId, TaskId, from_base36
from bot.domain.ports import Clock
from bot.generation.tracker import Tracker
from bot.kie.signature import could_be_signed, verify
from bot.web.client_address import FailureLimiter, Network, client_address

log = structlog.stdlib.get_logger(__name__)

_BODY_SECONDS = 3.0
"""KIE's bodies are a few kilobytes and arrive at once."""
_HEARD_KEPT = 1000


class CallbackRoute:
    """``POST /kie/callback/<our task id>``, signed with the operator's callback key.

    No body is read unless the headers could be KIE's. Refused calls are counted per address; over the limit all that is
    refused gets 429 and is not logged. A genuine call is never refused, also not amid a flood from the same address.
    """

    PATH: ClassVar = "/kie/callback/{task:[0-9a-z]{1,13}}"

    def __init__(
        self,
        key: str,
        tracker: Tracker,
        clock: Clock,
        *,
        proxies: Collection[Network] = (),
        refusals: FailureLimiter | None = None,
    ) -> None:
        self._key = key
        self._tracker = tracker
        self._clock = clock
        self._proxies = proxies
        self._refusals = refusals or FailureLimiter(now=time.monotonic)
        self._heard: OrderedDict[tuple[TaskId, str], None] = OrderedDict()

    async def handle(self, request: web.Request) -> web.Response:
        """Verify, wake the tracker, answer at once. An id that was lost in a crash is found again here."""
        address = client_address(request, self._proxies)
        over = self._refusals.too_many(address)
        status = await self._judge(request)
        if status is HTTPStatus.OK:
            return web.json_response({"status": "received"})
        if over:
            return web.Response(status=HTTPStatus.TOO_MANY_REQUESTS)
        log.warning("a callback was refused", status=int(status))
        if self._refusals.add(address):
            log.warning("too many wrong callbacks from one address: no more of them are logged", address=address)
        return web.Response(status=status)

    async def _judge(self, request: web.Request) -> HTTPStatus:
        timestamp = request.headers.get("X-Webhook-Timestamp", "")
        signature = request.headers.get("X-Webhook-Signature", "")
        if not could_be_signed(timestamp, signature, self._clock.now()):
            return HTTPStatus.UNAUTHORIZED
        if (request.content_length or 0) > request.client_max_size:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await request.read()
            kie_task_id = KieTaskId(_Hint.model_validate_json(body).kie_task_id)
            task_id = TaskId(from_base36(request.match_info["task"]))
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT
        except web.HTTPRequestEntityTooLarge:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        except (ValueError, web.RequestPayloadError):
            return HTTPStatus.BAD_REQUEST
        if not verify(self._key, kie_task_id, timestamp, signature, self._clock.now()):
            return HTTPStatus.UNAUTHORIZED
        if self._is_news(task_id, signature):
            try:
                await self._wake(task_id, kie_task_id)
            except StoreUnavailable:
                # What KIE tells may be known nowhere else: it is written down as soon as that can be done.
                self._tracker.attach_kie_id_later(task_id, kie_task_id)
        return HTTPStatus.OK

    async def _wake(self, task_id: TaskId, kie_task_id: KieTaskId) -> None:
        if not self._tracker.poll_now(task_id) and not await self._tracker.attach_kie_id(task_id, kie_task_id):
            log.info("a callback for a task that is not followed", task=task_id)

    def _is_news(self, task_id: TaskId, signature: str) -> bool:
        """Whether it is heard for the first time: called again, it need not make KIE be asked again."""
        call = (task_id, signature)
        if call in self._heard:
            return False
        self._heard[call] = None
        if len(self._heard) > _HEARD_KEPT:
            self._heard.popitem(last=False)
        return True


class _Hint(BaseModel):
    """All that is read of a callback's body: the task id, in any of the places and spellings that KIE uses."""

    kie_task_id: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        validation_alias=AliasChoices(
            AliasPath("data", "taskId"), AliasPath("data", "task_id"), AliasPath("taskId"), AliasPath("task_id")
        )
    )
