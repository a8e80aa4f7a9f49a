"""Whole processes: a gateway, a worker that leads and is killed, and one that stands by and takes over."""

from contextlib import AsyncExitStack
from pathlib import Path
from signal import SIGKILL
from typing import Any

import aiohttp
import psycopg
import pytest

from bot.store.postgres import WRITERS_LOCK
from bot.ui.texts.cards import INTERRUPTED
from demo.kie import Hang
from tests.front import BotProcess
from tests.kie.schema import created
from tests.process.deployment import Deployment, log_entries, open_deployment
from tests.process.images import RED, plain_image
from tests.stories.rendered import rendered
from tests.waiting import until

LEASE = 2


def has_logged(process: BotProcess, event: str) -> bool:
    return any(entry["event"].startswith(event) for entry in log_entries(process.output()))


async def readiness(process: BotProcess) -> tuple[int, Any]:
    port = next(entry["port"] for entry in log_entries(process.output()) if entry["event"] == "web server listening")
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as response:
        return response.status, await response.json()


def movements(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT movement, count(*) FROM ledger GROUP BY movement").fetchall())


async def wait_for_log(process: BotProcess, event: str) -> None:
    def logged() -> bool:
        assert process.returncode is None, process.output()
        return has_logged(process, event)

    await until(logged, within=40, what=f"the log entry {event!r}")


@pytest.mark.long
@pytest.mark.timeout(120)  # Four processes start one after another.
async def test_a_killed_leader_is_replaced_and_kie_is_asked_for_nothing_twice(tmp_path: Path, postgresql: str) -> None:
    async with open_deployment(tmp_path, None) as deployment:
        await kill_the_leader(deployment, tmp_path, postgresql)


async def kill_the_leader(deployment: Deployment, folder: Path, url: str) -> None:
    shared = {
        "EASEL__DATABASE__URL": url,
        "EASEL__DATABASE__FOLDER": str(folder / "files"),
        "EASEL__CLUSTER__LEASE": str(LEASE),
    }
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        leader = await start(deployment.start(**shared, EASEL__CLUSTER__ROLE="worker"))
        await wait_for_log(leader, "leading")
        successor = await start(deployment.start(**shared, EASEL__CLUSTER__ROLE="worker"))
        await wait_for_log(successor, "standing by: another process leads")
        assert await readiness(successor) == (200, {"standby": True, "workers": True})
        assert await readiness(leader) == (200, {"workers": True})
        gateway = await start(deployment.start(**shared, EASEL__CLUSTER__ROLE="gateway"))
        await wait_for_log(gateway, "shards taken")
        await until(lambda: deployment.front.gateway.identified == 1, within=30, what="the gateway to connect")
        await deployment.wait_for_image(await deployment.imagine("the first one"))
        assert (has_logged(leader, "task submitted"), has_logged(gateway, "generation accepted")) == (True, True)

        # Direct messages come to the gateway alone, which has shard 0.
        alice = deployment.alice.user
        await deployment.wait_for_image(await alice.slash("imagine", prompt="by a command in direct messages"))
        await alice.send_dm("by a message")
        await until(lambda: rendered(alice.dm_channel.history()[-1]).buttons, what="the question")
        await alice.click(alice.dm_channel.history()[-1], label="Make · 5 credits")
        await until(lambda: rendered(alice.dm_channel.history()[-1]).images, within=20, what="the image")

        # One is in doubt when the leader dies, and one is accepted while nobody leads.
        deployment.kie.script.on("createTask", Hang())
        doubtful = await deployment.imagine("in doubt")
        await until(lambda: len(created(deployment.kie)) == 4, what="createTask")
        leader.send(SIGKILL)
        assert await leader.ended() == -SIGKILL
        accepted = await deployment.imagine("accepted meanwhile")
        await deployment.wait_for_image(accepted)
        await deployment.wait_for_text(doubtful, "The connection to the image service was lost")
        direct = ["by a command in direct messages", "by a message"]
        assert deployment.prompts() == ["the first one", *direct, "in doubt", "accepted meanwhile"]
        assert not has_logged(gateway, "task submitted")
        assert (has_logged(leader, "commands synced"), has_logged(gateway, "commands synced")) == (True, False)

        await until(lambda: movements(url) == {"reserve": 5, "settle": 4, "refund": 1}, what="the ledger to be settled")

        # Each has had files of its own.
        assert {folder.name for folder in (folder / "files").iterdir()} == {f"process-{n}" for n in (1, 2, 3)}

        # One that is asked to end gives the lease back at once.
        third = await start(deployment.start(**shared, EASEL__CLUSTER__ROLE="worker"))
        await wait_for_log(third, "standing by: another process leads")
        assert await successor.terminate(within=20) == 0
        await wait_for_log(third, "leading")

        # What a gateway had only acknowledged when it died is seen to by whoever is there.
        deployment.kie.script.always("upload", Hang())
        moved = movements(url)
        pending = await deployment.imagine("as a woodcut", image=("sketch.png", plain_image(RED)))
        await until(lambda: any("upload" in call.path for call in deployment.kie.requests), what="the upload")
        gateway.send(SIGKILL)
        assert await gateway.ended() == -SIGKILL
        await deployment.wait_for_text(pending, INTERRUPTED)
        assert movements(url) == moved, "nothing was charged"
        assert await third.terminate(within=20) == 0


async def test_a_worker_that_is_ended_before_the_writers_turn_gives_the_lease_back(
    tmp_path: Path, postgresql: str
) -> None:
    settings = {"EASEL__DATABASE__URL": postgresql, "EASEL__DATABASE__FOLDER": str(tmp_path / "files")}
    with psycopg.connect(postgresql) as writer, psycopg.connect(postgresql, autocommit=True) as leases:
        writer.execute("SELECT pg_advisory_xact_lock(%s)", (WRITERS_LOCK,))
        async with (
            open_deployment(tmp_path, None) as deployment,
            deployment.start(**settings, EASEL__CLUSTER__ROLE="worker", EASEL__CLUSTER__LEASE="120") as worker,
        ):

            def held() -> bool:
                rows = leases.execute("SELECT until > clock_timestamp() FROM leases").fetchall()
                assert worker.returncode is None, worker.output()
                return rows == [(True,)]

            await until(held, within=40, what="the lease")
            assert await worker.terminate(within=10) == 0
            assert not has_logged(worker, "leading")
            assert leases.execute("SELECT until <= clock_timestamp() FROM leases").fetchall() == [(True,)]
