"""The Compose file's commands as processes of this machine: two gateways and two workers, restarted one by one."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from os import environ
from pathlib import Path
from time import monotonic
from typing import Any, final

import psycopg
import pytest
from simcord import InteractionResult

from bot.config import Config
from bot.config.sections import WebConfig
from tests.cluster.test_processes import readiness
from tests.database import server
from tests.deploy.files import CLUSTER, ROOT, compose, easel_services, environment, image
from tests.front import BotProcess
from tests.ports import free_port
from tests.process.deployment import KIE_KEY, Deployment, log_entries, open_deployment
from tests.stories.rendered import rendered
from tests.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

DATABASE = "compose"
STANDS_BY, LEADS, SERVES = (
    {"standby": True, "workers": True},
    {"workers": True},
    {"discord": True, "workers": True},
)


@pytest.fixture
def database() -> str:
    """As the PostgreSQL image makes it: a database that belongs to the user of the URL."""
    with psycopg.connect(server().get_uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS easel")
        connection.execute("CREATE ROLE easel LOGIN")
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER easel")
        return f"postgresql://easel@/{DATABASE}?host={connection.info.host}"


@final
class Cluster:
    """The services of the file that run Easel, each as a process."""

    def __init__(self, deployment: Deployment, database: str) -> None:
        self._deployment = deployment
        folder = deployment.folder
        secrets = {
            "discord_token": deployment.front.token,
            "kie_api_key": KIE_KEY,
            "database_password": "not-asked-for",
        }
        assert {*secrets} == {*compose(CLUSTER)["secrets"]}
        for name, secret in secrets.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(secret)
        # What an operator would write into config.toml, and what a container has of its own.
        shared = {
            name: value
            for name, value in deployment.settings.items()
            if name not in {"EASEL__DISCORD__TOKEN", "EASEL__KIE__API_KEY"}
        }
        shared |= {"EASEL__QUOTA__CREDITS": "100000", "EASEL__QUOTA__OPEN_GENERATIONS": "100"}
        self.environments = {
            name: shared
            | environment(service, folder)
            | {"EASEL__DATABASE__URL": database, "EASEL__DATABASE__FOLDER": str(folder / "files")}
            | {"EASEL__WEB__PORT": str(free_port())}
            for name, service in easel_services(CLUSTER).items()
        }
        self._running: dict[str, tuple[BotProcess, AbstractAsyncContextManager[BotProcess]]] = {}

    async def start(self, service: str) -> None:
        """What `docker compose up --wait` does."""
        config = self._deployment.folder / "config.toml"
        config.touch()
        _python, _module, module, *arguments = image().command
        opening = self._deployment.front.launch(
            module, "--config", str(config), *arguments, environment=self.environments[service]
        )
        self._running[service] = await opening.__aenter__(), opening
        await until(lambda: self._ready(service), within=120, what=f"{service} to be ready")
        await self._check_health(service)

    async def stop(self, service: str) -> str:
        """What `docker compose stop` does; the output."""
        process, opening = self._running.pop(service)
        grace = easel_services(CLUSTER)[service]["stop_grace_period"]
        assert await process.terminate(within=float(grace.removesuffix("s"))) == 0
        output = process.output()
        await opening.__aexit__(None, None, None)
        return output

    async def close(self) -> None:
        for service in [*self._running]:
            await self.stop(service)

    def output(self, service: str) -> str:
        return self._running[service][0].output()

    async def one(self, kind: str, state: Any) -> str:
        """The one service of a kind that is in this state."""

        async def found() -> list[str]:
            return [
                name for name in self._running if name.startswith(kind) and (await self._readiness(name))[1] == state
            ]

        (name,) = await until(found, within=60, what=f"the {kind} with {state}")
        return name

    async def _ready(self, service: str) -> bool:
        process = self._running[service][0]
        assert process.returncode is None, process.output()
        return (await self._readiness(service))[0] == 200

    async def _readiness(self, service: str) -> tuple[int, Any]:
        return await readiness(Config(web=WebConfig(port=int(self.environments[service]["EASEL__WEB__PORT"]))))

    async def _check_health(self, service: str) -> None:
        _cmd, _python, *command = easel_services(CLUSTER)[service]["healthcheck"]["test"]
        check = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            cwd=ROOT,
            env={**environ, **self.environments[service]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert await check.wait() == 0


@dataclass
class Members:
    """Ask for an image again and again; ``gaps`` has for how long, in seconds, no gateway was connected."""

    deployment: Deployment
    asked: list[InteractionResult] = field(default_factory=list[InteractionResult])
    gaps: list[float] = field(default_factory=list[float])

    @asynccontextmanager
    async def asking(self, every: float) -> AsyncGenerator[None]:
        tasks = [asyncio.create_task(self._ask(every)), asyncio.create_task(self._watch())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _ask(self, every: float) -> None:
        while True:
            self.asked.append(await self.deployment.imagine(f"picture {len(self.asked)}"))
            await asyncio.sleep(every)

    async def _watch(self) -> None:
        front = self.deployment.front
        while True:
            await until(lambda: not front.connected, within=600, what="a gap")
            since = monotonic()
            await until(lambda: front.connected, within=60, what="a gateway")
            self.gaps.append(monotonic() - since)


def logged_at(output: str, event: str) -> datetime:
    return next(datetime.fromisoformat(entry["timestamp"]) for entry in log_entries(output) if entry["event"] == event)


def has_image(result: InteractionResult) -> bool:
    return result.response is not None and bool(rendered(result.response.message).images)


async def test_two_gateways_and_two_workers_are_restarted_one_by_one(tmp_path: Path, database: str) -> None:
    async with open_deployment(tmp_path, None) as deployment:
        cluster, members = Cluster(deployment, database), Members(deployment)
        try:
            await asyncio.gather(*map(cluster.start, cluster.environments))
            serving, spare = await cluster.one("gateway", SERVES), await cluster.one("gateway", STANDS_BY)
            leader, deputy = await cluster.one("worker", LEADS), await cluster.one("worker", STANDS_BY)
            async with members.asking(every=0.6):
                await until(lambda: any(map(has_image, members.asked)), within=30, what="the first image")
                # Those that stand by first: then each of the other two is relieved by one that is new.
                await restart(cluster, deputy)
                without_leader = await relieve(cluster, leader, deputy, "leading")
                await restart(cluster, spare)
                assert members.gaps == []
                without_gateway = await relieve(cluster, serving, spare, "shards taken")
                await cluster.one("gateway", SERVES)
                served = len(members.asked)
                await until(lambda: len(members.asked) > served + 3, what="more requests")
            assert await cluster.one("worker", LEADS) == deputy
            assert await cluster.one("gateway", SERVES) == spare
            unanswered = await outcome(members, database)
        finally:
            await cluster.close()
        sys.stdout.write(
            f"from SIGTERM to the next leader {without_leader:.1f} s, to the next gateway {without_gateway:.1f} s, "
            f"without a gateway {[round(gap, 1) for gap in members.gaps]} s, "
            f"{len(members.asked)} requests, {unanswered} without an answer\n"
        )
        assert len(members.gaps) == 1


async def restart(cluster: Cluster, service: str) -> str:
    output = await cluster.stop(service)
    await cluster.start(service)
    return output


async def relieve(cluster: Cluster, service: str, successor: str, event: str) -> float:
    """Restart the one that acts; seconds from the signal until the other one acted."""
    asked = logged_at(await restart(cluster, service), "stopping")
    return (logged_at(cluster.output(successor), event) - asked).total_seconds()


async def outcome(members: Members, database: str) -> int:
    """Every request that was answered ends in an image that is paid for once; how many were not answered."""
    answered = [request for request in members.asked if request.response is not None]
    await until(lambda: all(map(has_image, answered)), within=60, what="every image")
    prompts = members.deployment.prompts()
    assert len(prompts) == len({*prompts}) == len(answered)

    def balanced() -> bool:
        with psycopg.connect(database) as connection:
            rows = connection.execute("SELECT movement, count(*) FROM ledger GROUP BY movement").fetchall()
        return dict(rows) == {"reserve": len(answered), "settle": len(answered)}

    await until(balanced, what="the ledger to be settled")
    return len(members.asked) - len(answered)
