"""What goes on in the background of a task: loading its references, and the callback once it has ended."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import math
from dataclasses import dataclass

from aiohttp import ClientError, ClientSession, ClientTimeout

from demo.kie.references import UploadStore
from demo.kie.tasks import KieTask, TimeSource
from demo.kie.wire import is_loopback

_CALLBACK_TIMEOUT = ClientTimeout(total=5)


def sign(key: str, task_id: str, timestamp: str) -> str:
    """KIE's callback signature: it covers the task id and the time, not the body."""
    digest = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@dataclass(eq=False, repr=False)
class CallbackSender:
    """Loads references and sends callbacks, and owns the asyncio tasks that do it. Contacts loopback addresses only."""

    session: ClientSession
    uploads: UploadStore
    base_url: str
    callback_key: str | None
    wall_clock: TimeSource
    keep_references: bool

    def __post_init__(self) -> None:
        self._jobs: set[asyncio.Task[None]] = set()

    def start(self, task: KieTask) -> None:
        """Do in the background what the task needs, if it needs anything."""
        if task.references is None or task.request.callback_url is not None:
            job = asyncio.create_task(self._run(task))
            self._jobs.add(job)
            job.add_done_callback(self._forget)

    async def close(self) -> None:
        """Cancel what is still running. Raises the first unexpected error of a background task."""
        for job in self._jobs:
            job.cancel()
        for result in await asyncio.gather(*self._jobs, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    def _forget(self, job: asyncio.Task[None]) -> None:
        if job.cancelled() or job.exception() is None:
            self._jobs.discard(job)

    async def _run(self, task: KieTask) -> None:
        if task.references is None:
            addresses = task.request.input_urls
            loaded = [await self.uploads.load(address, self.base_url, self.session) for address in addresses]
            references = [content for content in loaded if content is not None]
            complete = len(references) == len(addresses)
            task.set_references(tuple(references if self.keep_references else ()) if complete else None)
        if task.request.callback_url is None or math.isinf(task.duration):
            return
        left = task.duration - task.elapsed
        while left > 0:
            await asyncio.sleep(left)
            left = task.duration - task.elapsed
        await self._call_back(task, task.request.callback_url)

    async def _call_back(self, task: KieTask, address: str) -> None:
        """Send the callback once; its fate is ignored, since KIE documents no retries."""
        if not is_loopback(address):
            return
        data = task.record(self.base_url)
        code, msg = (501, "Generation failed") if data["state"] == "fail" else (200, "success")
        headers: dict[str, str] = {}
        if self.callback_key is not None:
            timestamp = str(int(self.wall_clock()))
            signature = sign(self.callback_key, task.id, timestamp)
            headers = {"X-Webhook-Timestamp": timestamp, "X-Webhook-Signature": signature}
        body = {"code": code, "msg": msg, "data": data}
        with contextlib.suppress(ClientError, TimeoutError, ValueError):
            async with self.session.post(
                address, json=body, headers=headers, allow_redirects=False, timeout=_CALLBACK_TIMEOUT
            ):
                pass
