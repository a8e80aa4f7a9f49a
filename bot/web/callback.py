"""KIE's callbacks: a hint to look at a task now. The body is not signed and is believed in nothing."""

from typing import Annotated, ClassVar

import structlog
from aiohttp import web
from pydantic import AliasChoices, AliasPath, BaseModel, Field

from bot.domain.ids import KieTaskId, TaskId, from_short
from bot.domain.ports import Clock
from bot.generation.tracker import Tracker
from bot.kie.signature import verify

log = structlog.stdlib.get_logger(__name__)


class CallbackRoute:
    """``POST /kie/callback/<our task id>``, signed with the operator's callback key."""

    PATH: ClassVar = "/kie/callback/{task:[0-9a-z]{1,13}}"

    def __init__(self, key: str, tracker: Tracker, clock: Clock) -> None:
        self._key = key
        self._tracker = tracker
        self._clock = clock

    async def handle(self, request: web.Request) -> web.Response:
        """Verify, wake the tracker, answer at once. An id that was lost in a crash is found again here."""
        try:
            kie_task_id = KieTaskId(_Hint.model_validate_json(await request.read()).kie_task_id)
            task_id = TaskId(from_short(request.match_info["task"]))
        except ValueError:
            return web.Response(status=400)
        timestamp = request.headers.get("X-Webhook-Timestamp", "")
        signature = request.headers.get("X-Webhook-Signature", "")
        # A header may hold bytes that are no text, which nothing could compare.
        if not signature.isascii() or not verify(self._key, kie_task_id, timestamp, signature, self._clock.now()):
            log.warning("a callback with a wrong signature")
            return web.Response(status=401)
        if not self._tracker.hint(task_id) and not await self._tracker.found(task_id, kie_task_id):
            log.info("a callback for a task that is not followed", task=task_id)
        return web.json_response({"status": "received"})


class _Hint(BaseModel):
    """All that is read of a callback's body: the task id, in any of the places and spellings that KIE uses."""

    kie_task_id: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        validation_alias=AliasChoices(
            AliasPath("data", "taskId"), AliasPath("data", "task_id"), AliasPath("taskId"), AliasPath("task_id")
        )
    )
