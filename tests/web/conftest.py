"""A running web server, whose callbacks reach a running tracker."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from bot.domain.generation import Task
from bot.domain.ids import KieTaskId, TaskId
from bot.domain.states import TaskState
from bot.store.store import Store
from bot.web.callback import CallbackRoute
from bot.web.server import serve
from tests.factories import make_generation
from tests.store.services import ServiceFixture, open_services
from tests.store.stored import DEADLINE, keep

KEY = "test-hmac-key"
MOMENT = datetime.fromtimestamp(1760000000, UTC)


@dataclass
class Site:
    """The server's address, what stands behind it, and what it says of its readiness."""

    desk: ServiceFixture
    store: Store
    session: aiohttp.ClientSession
    parts: dict[str, bool] = field(default_factory=lambda: {"discord": False, "workers": False})
    port: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def status_of(self, path: str, method: str = "GET") -> int:
        async with self.session.request(method, self.base + path) as response:
            return response.status

    async def follow(self, kie_task_id: KieTaskId | None) -> TaskId:
        """A task that the tracker follows: running at KIE, or held until KIE tells its id."""
        generation = await keep(self.store, make_generation())
        task_id = generation.tasks[0].id
        async with self.store.write() as tx:
            await tx.tasks.submitting(task_id, DEADLINE)
            if kie_task_id is not None:
                await tx.tasks.running(task_id, kie_task_id, MOMENT, DEADLINE)
        self.desk.tracker.watch(await self.task(task_id))
        return task_id

    async def task(self, task_id: TaskId) -> Task:
        async with self.store.read() as tx:
            return await tx.tasks.get(task_id)

    async def state(self, task_id: TaskId) -> TaskState:
        return (await self.task(task_id)).state


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site, None]:
    async with (
        Store.open(f"sqlite:///{tmp_path / 'easel.db'}") as store,
        open_services(store, tmp_path) as desk,
        aiohttp.ClientSession() as session,
    ):
        desk.clock.moment = MOMENT
        one = Site(desk, store, session)
        route = CallbackRoute(KEY, desk.tracker, desk.clock)
        tracking = asyncio.create_task(desk.tracker.run())
        async with serve("127.0.0.1", 0, ready=lambda: one.parts, callback=route) as one.port:
            yield one
        tracking.cancel()
        await asyncio.wait({tracking})
