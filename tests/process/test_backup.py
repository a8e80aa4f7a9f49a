"""A backup of a bot that is at work, and its life after that was restored."""

import asyncio
import signal

from simcord import InteractionResult

from bot.store import sqlite
from demo.kie import Succeed
from tests.process.studio import PAID, Studio
from tests.waiting import until

MEMBERS_AT_ONCE = 8


async def db(studio: Studio, *arguments: str) -> tuple[int, str]:
    """Run the command line beside the bot; its exit code, and what it printed last."""
    config = str(studio.folder / "empty.toml")
    settings = studio.environment()
    async with studio.front.launch("bot", "--config", config, "db", *arguments, environment=settings) as process:
        code = await process.ended(within=30)
        return code, process.output().splitlines()[-1]


async def test_a_backup_made_at_work_is_a_whole_bot(studio: Studio) -> None:
    database, copy = studio.folder / "easel.db", studio.folder / "kept" / "copy.db"
    async with studio.bot(EASEL__QUOTA__CREDITS="500") as bot:
        before = await studio.imagine("before the backup")
        await studio.delivered(before)
        studio.kie.script.next_tasks(Succeed(duration=4.0))
        meanwhile = await studio.imagine("painted meanwhile")
        await studio.painting(meanwhile)

        copying = asyncio.create_task(db(studio, "backup", str(copy)))
        load: list[InteractionResult] = []
        while not copying.done() and len(load) < MEMBERS_AT_ONCE:
            load.append(await studio.imagine("under load"))
        assert await copying == (0, f"{copy} holds {database} as it was, whole and sound.")

        after = await studio.imagine("after the backup")
        for one in (meanwhile, *load, after):
            await studio.delivered(one, within=20)
        await studio.settled(generations=3 + len(load))
        refused = await db(studio, "restore", str(copy))
        assert refused == (78, f"easel: database.url: {database} is in use by another Easel; end that one first.")
        bot.send(signal.SIGKILL)
        await bot.ended()
    posts, orders = len(studio.posts()), studio.orders()

    code, said = await db(studio, "restore", str(copy))
    assert code == 0
    assert said.startswith(f"{database} is restored from {copy}. What stood there is kept as {database}.before-")
    assert sqlite.integrity_problems(database) == []
    async with studio.bot(EASEL__QUOTA__CREDITS="500"):
        # What was under way then is looked at anew, paid once, and shown where it is shown already.
        known = len(studio.query("SELECT id FROM generations"))
        await until(lambda: len(studio.ledger()) >= 2 * known, what="the credits to come to rest", within=20)
        assert sorted(studio.ledger()) == sorted(PAID * known)
        assert 2 <= known <= 2 + len(load)
        # What came after the backup is not known any more; its picture stays, and its buttons say so.
        await studio.told(await studio.alice.click(studio.shown(after), label="Again"), "These buttons have expired.")
        again = await studio.alice.click(studio.shown(before), label="Again")
        await studio.delivered(again)
        await studio.delivered(await studio.imagine("a new life"))
        await studio.settled(generations=known + 2)
    assert [*orders, "before the backup", "a new life"] == studio.orders()
    assert len(studio.posts()) == posts + 2
    assert sqlite.integrity_problems(database) == []
    assert studio.alarms() == []
