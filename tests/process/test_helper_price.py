"""The price of the prompt helper, when the process is killed between taking it and knowing that its words were seen."""

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.domain.credits import Credits
from bot.generation.rewordings import PaidRewordings
from bot.store.audit import audit
from bot.store.engines import snapshot
from bot.store.store import Store
from demo.assistant import AssistantStandIn
from tests.database import postgresql_database
from tests.front import Fault
from tests.process.deployment import Deployment
from tests.process.test_coming_back import FORM, Member
from tests.store.services import open_services
from tests.waiting import until


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("shown", [False, True], ids=["unshown", "shown"])
async def test_what_a_killed_process_took_is_given_back_once(
    deployment: Deployment, tmp_path: Path, kind: str, shown: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'easel.db'}" if kind == "sqlite" else postgresql_database(tmp_path)
    async with AssistantStandIn() as assistant:
        settings = {
            "EASEL__DATABASE__URL": url,
            "EASEL__DATABASE__FOLDER": str(tmp_path),
            "EASEL__ASSISTANT__BASE_URL": assistant.base_url,
            "EASEL__ASSISTANT__MODEL": "small",
            "EASEL__ASSISTANT__PRICE": "3",
            "EASEL__CLUSTER__LEASE": "2",
        }
        alice = Member(deployment, url)
        async with deployment.bot(**settings) as bot:
            opened = await alice.actor.click(await alice.imagine("a red fox"), label="Edit")
            await deployment.wait_for_modal(opened)
            held = deployment.front.faults.on("PATCH", "*/messages/@original", Fault(hang=True, performed=shown))
            asked = await alice.submit(opened, prompt="in snow", options=["improve.3000"], **FORM)
            await until(lambda: held.hits, within=20, what="the suggestions to be sent")
            assert rewordings(url) == [-3000]
            bot.send(signal.SIGKILL)
            assert await bot.ended(within=20) == -signal.SIGKILL
        await refund_in_two_processes(url, tmp_path)
        assert rewordings(url) == [-3000, 3000]
        if shown:
            async with deployment.bot(**settings):
                await alice.image(await alice.actor.click(await alice.answered(asked, "**1** · "), label="1"))
    assert deployment.logged_errors() == []
    assert list(audit(url, datetime.now(UTC))) == []


def rewordings(url: str) -> list[int]:
    """What was paid for suggestions and given back, in thousandths."""
    with snapshot(url) as connection:
        amounts = connection.scalars(text("SELECT credits FROM ledger WHERE movement = 'rewording' ORDER BY id"))
        return [int(amount) for amount in amounts]


async def refund_in_two_processes(url: str, folder: Path) -> None:
    """They find it 17 minutes later, in the same moment: a process itself trusts its clock after ten of them only."""
    async with AsyncExitStack() as stack:
        running = list[asyncio.Task[None]]()
        for number in range(2):
            own = folder / f"later-{number}"
            own.mkdir()
            store = await stack.enter_async_context(Store.open(url))
            services = await stack.enter_async_context(open_services(store, own, process=number))
            services.clock.moment = datetime.now(UTC) + timedelta(minutes=17)
            paid = PaidRewordings(services.runtime, services.policy, Credits(3))
            running.append(asyncio.create_task(paid.run()))
        await until(lambda: len(rewordings(url)) > 1, within=20, what="the refund")
        for task in running:
            task.cancel()
        await asyncio.wait(running)
