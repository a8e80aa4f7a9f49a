"""A leader, one that stands by, and two gateways: what each says at its start, and that one of them alerts, once."""

from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.test_takeover import wait_for_log
from tests.front import BotProcess
from tests.process.deployment import Deployment, log_entries, open_deployment
from tests.stories.rendered import rendered
from tests.waiting import until


def summary(process: BotProcess) -> dict[str, Any]:
    return next(entry for entry in log_entries(process.output()) if entry["event"] == "started")


@pytest.mark.long
@pytest.mark.timeout(120)  # Four processes start one after another.
async def test_of_several_processes_one_alerts_once(tmp_path: Path, postgresql: str) -> None:
    async with open_deployment(tmp_path, None) as deployment:
        await start_four(deployment, tmp_path, postgresql)


async def start_four(deployment: Deployment, folder: Path, url: str) -> None:
    owner = deployment.bob.user
    deployment.front.application["owner"] = {
        "id": str(owner.id),
        "username": "bob",
        "discriminator": "0",
        "avatar": None,
    }
    deployment.kie.balance = Decimal(50)
    shared = {
        "EASEL__DATABASE__URL": url,
        "EASEL__DATABASE__FOLDER": str(folder / "files"),
        "EASEL__CLUSTER__LEASE": "2",
        "EASEL__CLUSTER__GATEWAYS": "2",
        "EASEL__CLUSTER__SHARDS": "2",
        "EASEL__OPERATOR__ALERT_BELOW": "100",
        "EASEL__KIE__BALANCE_EVERY": "1",
    }
    async with AsyncExitStack() as stack:
        started: list[BotProcess] = []
        for role in ("gateway", "gateway", "worker", "worker"):
            process = await stack.enter_async_context(deployment.start(**shared, EASEL__CLUSTER__ROLE=role))
            started.append(process)
            first_line = "ready" if len(started) < 4 else "standing by: another process leads"
            await wait_for_log(process, first_line)
        first, second, leader, successor = started
        assert {summary(each)["shards"] for each in (first, second)} == {"1 of 2: 0 to 0", "1 of 2: 1 to 1"}
        assert "servers" not in summary(leader)
        (alert,) = await until(owner.dm_channel.history, what="the alert")
        assert rendered(alert).text.startswith("⚠️ KIE's balance is low: 50 credits")

        assert await leader.terminate(within=20) == 0
        await wait_for_log(successor, "ready")
        asked = len(deployment.kie.requests)
        await until(lambda: len(deployment.kie.requests) > asked + 1, what="two more looks at the balance")
        assert len(owner.dm_channel.history()) == 1
        for process in (first, second, successor):
            assert await process.terminate(within=20) == 0
