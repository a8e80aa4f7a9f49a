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
from bot.generation.tracker import Tracker
from bot.store.store import Store
from bot.web.callback import CallbackRoute
from bot.web.server import serve
from tests.factories import make_generation
from tests.store.services import BusyApi, SetClock, open_services
from tests.store.stored import DEADLINE, keep
from tests.waiting import until

KEY = "test-hmac-key"
MOMENT = datetime.fromtimestamp(1760000000, UTC)


@dataclass
class Site:
    """The web server and what is behind it; ``ready`` is its answer to /readyz."""

    tracker: Tracker
    clock: SetClock
    api: BusyApi
    store: Store
    session: aiohttp.ClientSession
    ready: dict[str, bool] = field(default_factory=lambda: {"discord": False, "workers": False})
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def status_of(self, path: str, method: str = "GET") -> int:
        async with self.session.request(method, self.url + path) as response:
            return response.status

    async def track(self, kie_task_id: KieTaskId | None) -> TaskId:
        """A tracked task: running at KIE, or with None held until its KIE task id is known."""
        generation = await keep(self.store, make_generation())
        task_id = generation.tasks[0].id
        async with self.store.write() as tx:
            await tx.tasks.submitting(task_id, DEADLINE)
            if kie_task_id is not None:
                await tx.tasks.running(task_id, kie_task_id, MOMENT, DEADLINE)
        self.tracker.watch(await self.task(task_id))
        return task_id

    async def task(self, task_id: TaskId) -> Task:
        async with self.store.read() as tx:
            return await tx.tasks.get(task_id)

    async def state(self, task_id: TaskId) -> TaskState:
        return (await self.task(task_id)).state

    async def polled(self, kie_task_id: KieTaskId) -> None:
        """Wait until KIE is polled for this task."""
        await until(lambda: kie_task_id in self.api.asked, what=f"a poll for {kie_task_id}")

    async def polls(self) -> list[KieTaskId]:
        """Every poll so far, after another task gave the tracker the time to make any that were due."""
        witness = KieTaskId(f"witness {len(self.api.asked)}")
        assert self.tracker.poll_now(await self.track(witness))
        await self.polled(witness)
        return [kie_task_id for kie_task_id in self.api.asked if not kie_task_id.startswith("witness")]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site, None]:
    async with (
        Store.open(f"sqlite:///{tmp_path / 'easel.db'}") as store,
        open_services(store, tmp_path) as services,
        aiohttp.ClientSession() as session,
    ):
        services.clock.moment = MOMENT
        site = Site(services.tracker, services.clock, services.api, store, session)
        route = CallbackRoute(KEY, services.tracker, services.clock)
        tracking = asyncio.create_task(services.tracker.run())
        async with serve("127.0.0.1", 0, ready=lambda: site.ready, callback=route) as site.port:
            yield site
        tracking.cancel()
        await asyncio.wait({tracking})
