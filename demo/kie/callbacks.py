"""What a task sets going by itself: fetching its references, and calling back once it has ended."""

import asyncio
import math
from collections.abc import Callable

from aiohttp import ClientSession

from demo.kie.outbound import fetch, is_reference, post, sign
from demo.kie.tasks import Clock, Task
from demo.kie.uploads import Uploads
from demo.kie.wire import Json


class Followers:
    """Runs beside the tasks and is the owner of everything in the background."""

    def __init__(
        self,
        session: ClientSession,
        uploads: Uploads,
        *,
        base_url: str,
        report: Callable[[Task], dict[str, Json]],
        callback_key: str | None,
        wall_clock: Clock,
        fetch_seconds: float,
        keep_references: bool,
    ) -> None:
        self.delivered = 0
        self.failed = 0
        self._session = session
        self._uploads = uploads
        self._base_url = base_url
        self._report = report
        self._callback_key = callback_key
        self._wall_clock = wall_clock
        self._fetch_seconds = fetch_seconds
        self._keep_references = keep_references
        self._running: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []

    def follow(self, task: Task) -> None:
        """Do in the background what the task needs, if it needs anything."""
        if task.references is None or task.order.callback_url is not None:
            follower = asyncio.create_task(self._follow(task))
            self._running.add(follower)
            follower.add_done_callback(self._ended)

    async def call_back(self, task: Task) -> None:
        """Send the callback now. What goes wrong is counted, as KIE would not care either."""
        if task.order.callback_url is None:
            return
        data = self._report(task)
        failed = data["state"] == "fail"
        body: Json = {
            "code": 501 if failed else 200,
            "msg": "Generation failed" if failed else "success",
            "data": data,
        }
        headers: dict[str, str] = {}
        if self._callback_key is not None:
            stamp = str(int(self._wall_clock()))
            headers["X-Webhook-Timestamp"] = stamp
            headers["X-Webhook-Signature"] = sign(self._callback_key, task.id, stamp)
        if await post(self._session, task.order.callback_url, body, headers, self._fetch_seconds):
            self.delivered += 1
        else:
            self.failed += 1

    async def close(self) -> None:
        """Cancel what is still running; raises what went wrong unexpectedly, for that is a fault of ours."""
        running = list(self._running)
        for follower in running:
            follower.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._errors:
            raise self._errors[0]

    def _ended(self, follower: asyncio.Task[None]) -> None:
        self._running.discard(follower)
        if not follower.cancelled() and (error := follower.exception()):
            self._errors.append(error)

    async def _follow(self, task: Task) -> None:
        if task.references is None:
            task.bring(await self._references(task.order.input_urls))
        if task.order.callback_url is None or math.isinf(task.duration):
            return
        left = task.duration - task.elapsed
        while left > 0:
            await asyncio.sleep(left)
            left = task.duration - task.elapsed
        await self.call_back(task)

    async def _references(self, addresses: tuple[str, ...]) -> tuple[bytes, ...] | None:
        found = [await self._reference(address) for address in addresses]
        good = [content for content in found if content is not None and is_reference(content)]
        if len(good) < len(addresses):
            return None
        return tuple(good) if self._keep_references else ()

    async def _reference(self, address: str) -> bytes | None:
        own = self._uploads.at(address, self._base_url)
        return own.content if own else await fetch(self._session, address, self._fetch_seconds)
