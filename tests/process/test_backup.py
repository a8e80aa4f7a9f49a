"""A backup of a bot that is at work, and how the bot continues after it was restored."""

import asyncio
import signal

import pytest
from simcord import InteractionResult

from bot.domain.errors import GenerationGone
from bot.store import sqlite
from bot.ui.texts.refusals import refusal
from demo.kie import Succeed
from tests.process.deployment import PAID, Deployment
from tests.waiting import until

REQUESTS_DURING_BACKUP = 8


async def db(deployment: Deployment, *arguments: str) -> tuple[int, str]:
    """Run a ``db`` command beside the bot; its exit code, and the last line that it printed."""
    command = ("bot", "--config", str(deployment.folder / "empty.toml"), "db", *arguments)
    async with deployment.front.launch(*command, environment=deployment.settings) as process:
        return await process.ended(within=30), process.output().splitlines()[-1]


@pytest.mark.long
async def test_a_backup_made_at_work_is_a_whole_bot(deployment: Deployment) -> None:
    database, copy = deployment.folder / "easel.db", deployment.folder / "kept" / "copy.db"
    async with deployment.bot(EASEL__QUOTA__CREDITS="500") as bot:
        before = await deployment.imagine("before the backup")
        await deployment.wait_for_image(before)
        deployment.kie.script.next_tasks(Succeed(duration=4.0))
        running = await deployment.imagine("running during the backup")
        await deployment.wait_until_running(running)

        backup = asyncio.create_task(db(deployment, "backup", str(copy)))
        during: list[InteractionResult] = []
        while not backup.done() and len(during) < REQUESTS_DURING_BACKUP:
            during.append(await deployment.imagine("during the backup"))
        assert await backup == (0, f"{database} was backed up to {copy}; the copy was checked.")

        after = await deployment.imagine("after the backup")
        for interaction in (running, *during, after):
            await deployment.wait_for_image(interaction)
        await deployment.wait_until_settled(generations=3 + len(during))
        in_use = (78, f"easel: database.url: {database} is in use by another Easel; stop that one first.")
        assert await db(deployment, "restore", str(copy)) == await db(deployment, "migrate") == in_use
        bot.send(signal.SIGKILL)
        await bot.ended()
    posts, prompts = len(deployment.posts()), deployment.prompts()

    code, printed = await db(deployment, "restore", str(copy))
    assert code == 0
    assert printed.startswith(
        f"{database} was restored from {copy}. The previous database was kept as {database}.before-"
    )
    assert sqlite.integrity_problems(database) == []
    async with deployment.bot(EASEL__QUOTA__CREDITS="500"):
        # What was running then is looked up again, paid once, and posted where it stands already.
        known = len(deployment.query("SELECT id FROM generations"))
        await until(lambda: len(deployment.ledger()) >= 2 * known, what="the ledger to be settled", within=20)
        assert sorted(deployment.ledger()) == sorted(PAID * known)
        assert 2 <= known <= 2 + len(during)
        # What came after the backup is unknown now: its image stays, and its buttons say so.
        pressed = await deployment.alice.click(deployment.card(after), label="Again")
        await deployment.wait_for_text(pressed, refusal(GenerationGone()))
        await deployment.wait_for_image(await deployment.alice.click(deployment.card(before), label="Again"))
        await deployment.wait_for_image(await deployment.imagine("after the restore"))
        await deployment.wait_until_settled(generations=known + 2)
    assert [*prompts, "before the backup", "after the restore"] == deployment.prompts()
    assert len(deployment.posts()) == posts + 2
    assert sqlite.integrity_problems(database) == []
    assert deployment.logged_errors() == []
