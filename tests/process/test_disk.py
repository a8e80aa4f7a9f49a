"""A disk that is full, and a database that is locked or not to be written: nothing is lost, nothing is paid twice."""

import json
import random
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from simcord import InteractionResult

from demo.kie import Delay, Succeed
from tests.crash.books import Books, read_books
from tests.crash.trouble import FULL, FULL_AT_COMMIT, NO_ROOM_FOR_FILES, READ_ONLY
from tests.crash.world import Victim, World, open_world
from tests.front import Fault
from tests.kie.schema import created
from tests.stories.images import png
from tests.stories.rendered import Rendered, rendered
from tests.waiting import until

LOCKED = "locked"
PAID = ("reserve", "settle")
SOON = {
    "bot.store.sqlite:BUSY_MILLISECONDS": 200,
    "bot.generation.delivery:_WITHOUT_THE_STORE": 0.5,
    "bot.generation.delivery:_AFTER_DISK_TROUBLE": 0.2,
}
"""Waits that last for seconds."""


@dataclass(frozen=True)
class Ward:
    """A world whose bot meets one kind of trouble."""

    world: World
    trouble: str

    @property
    def _lasting(self) -> Path:
        return self.world.folder / "trouble"

    @contextmanager
    def suffering(self) -> Generator[None]:
        """There is trouble while the block runs."""
        if self.trouble == LOCKED:
            other = sqlite3.connect(self.world.database, isolation_level=None, timeout=5)
            other.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                other.execute("ROLLBACK")
                other.close()
            return
        self._lasting.touch()
        try:
            yield
        finally:
            self._lasting.unlink()

    @asynccontextmanager
    async def bot(self) -> AsyncGenerator[Victim]:
        """A running bot, connected; it ends orderly with the block."""
        variables = {"VICTIM_PAUSES": json.dumps(SOON), "VICTIM_TROUBLE_WHILE": str(self._lasting)}
        if self.trouble != LOCKED:
            variables["VICTIM_TROUBLE"] = self.trouble
        identified = self.world.front.gateway.identified
        async with self.world.victim(variables=variables) as victim:
            victim.let_go()
            await until(lambda: self.world.front.gateway.identified > identified, what="the bot to connect", within=20)
            yield victim
            assert await victim.process.terminate() == 0

    async def imagine(self, prompt: str, **options: object) -> InteractionResult:
        """A member's wish."""
        return await self.world.members[0].slash(self.world.channel, "imagine", prompt=prompt, **options)

    async def delivered(self, asked: InteractionResult) -> Rendered:
        """The card with its picture, once the books are closed."""

        def shown() -> Rendered | None:
            card = rendered(asked.response) if asked.response is not None else None
            return card if card is not None and card.images else None

        card = await until(shown, within=20, what="a picture on the card")
        await until(lambda: self.books.unsettled == 0, what="the credits to come to rest")
        return card

    async def told(self, asked: InteractionResult) -> str:
        """What only the requester is told."""
        return (await until(lambda: asked.followups, what="an answer"))[0].content

    @property
    def books(self) -> Books:
        """The books as they stand."""
        return read_books(self.world.database)

    def paid(self) -> list[tuple[str, ...]]:
        """How each task's money moved."""
        return [task.movements for task in self.books.tasks]

    def states(self) -> list[str]:
        """Where the tasks stand, the youngest last."""
        return [task.state for task in self.books.tasks] or [""]


@pytest.fixture
async def ward(tmp_path: Path, trouble: str) -> AsyncGenerator[Ward]:
    async with open_world(tmp_path, random.Random(1), callbacks=False, deadline=60) as world:
        yield Ward(world, trouble)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(FULL, marks=pytest.mark.long),
        FULL_AT_COMMIT,
        pytest.param(READ_ONLY, marks=pytest.mark.long),
        LOCKED,
    ],
)
async def test_a_database_that_cannot_be_written_loses_nothing(ward: Ward) -> None:
    async with ward.bot() as bot:
        with ward.suffering():
            told = await ward.told(await ward.imagine("wish00001 in vain"))
        assert "I can't save anything right now. Try again in a minute; nothing was charged." in told
        assert ward.books.generations == ()
        assert created(ward.world.kie) == []

        await trouble_while_kie_is_asked(ward, bot)
        await trouble_while_kie_paints(ward, bot)
        await trouble_when_the_picture_is_posted(ward, bot)
        await until(lambda: ward.books.unsettled == 0, what="the credits to come to rest")

    assert ward.paid() == [PAID] * 3
    assert len(created(ward.world.kie)) == 3
    assert [len(rendered(post).images) for post in ward.world.channel.history()] == [1, 1, 1]


async def trouble_while_kie_is_asked(ward: Ward, bot: Victim) -> None:
    """What KIE answered is written down when that can be done."""
    ward.world.kie.script.on("createTask", Delay(0.5))
    asked = await ward.imagine("wish00002 a hill")
    await until(lambda: created(ward.world.kie), what="KIE to be asked")
    with ward.suffering():
        await until(lambda: "the database is not to be had" in bot.process.output(), what="the trouble to be met")
    await ward.delivered(asked)


async def trouble_while_kie_paints(ward: Ward, bot: Victim) -> None:
    """KIE is asked again, and the picture comes later."""
    ward.world.kie.script.next_tasks(Succeed(duration=1.0))
    failures = failed_jobs(bot)
    asked = await ward.imagine("wish00003 a hill")
    await until(lambda: ward.states()[-1] == "running", what="KIE to paint")
    with ward.suffering():
        await until(lambda: failed_jobs(bot) > failures, what="the trouble to be met")
    await ward.delivered(asked)


async def trouble_when_the_picture_is_posted(ward: Ward, bot: Victim) -> None:
    """The post is made and cannot be noted: it is not made again."""
    posting = ward.world.front.faults.on("POST", "/channels/*/messages", Fault(delay=0.5))
    ward.world.kie.script.next_tasks(Succeed(duration=1.0))
    failures = failed_jobs(bot)
    await ward.imagine("wish00004 a hill")
    await until(lambda: ward.states()[-1] == "running", what="KIE to paint")
    # The token is dead: the outcome is a message of its own, which could come twice.
    await ward.world.front.env.advance_time(16 * 60)
    await until(lambda: posting.hits, what="the post")
    with ward.suffering():
        await until(lambda: failed_jobs(bot) > failures, what="the trouble to be met")


@pytest.mark.parametrize("trouble", [NO_ROOM_FOR_FILES])
async def test_a_disk_without_room_for_files_loses_nothing(ward: Ward) -> None:
    async with ward.bot():
        with ward.suffering():
            told = await ward.told(await ward.imagine("wish00001 at night", image=("sketch.png", png())))
        assert "I can't save anything right now. Try again in a minute; nothing was charged." in told
        assert ward.books.generations == ()
        await ward.delivered(await ward.imagine("wish00002 at night", image=("sketch.png", png())))

        # A small file finds that there is no room when it is closed, a large one while it is written.
        for number, megabytes in enumerate((0, 1), start=3):
            ward.world.kie.script.next_tasks(Succeed(noise_megabytes=megabytes))
            tries = downloads(ward.world)
            with ward.suffering():
                asked = await ward.imagine(f"wish{number:05} a hill")
                await until(lambda tries=tries: downloads(ward.world) >= tries + 2, what="two tries", within=20)
            await ward.delivered(asked)

    assert ward.paid() == [PAID] * 3
    assert [len(rendered(post).images) for post in ward.world.channel.history()] == [1, 1, 1]
    assert list((ward.world.folder / "spool").iterdir()) == []


@pytest.mark.parametrize("trouble", [LOCKED])
async def test_a_short_lock_is_waited_for(ward: Ward) -> None:
    async with ward.bot():
        asked = [await ward.imagine(f"wish{number:05} a hill") for number in range(3)]
        with ward.suffering():
            await until(lambda: all(one.acknowledged for one in asked), what="the acknowledgements")
        for one in asked:
            await ward.delivered(one)
    assert ward.paid() == [PAID] * 3


def failed_jobs(bot: Victim) -> int:
    """How much has been broken off for want of the database."""
    return sum("the database is not to be had" in line for line in bot.process.output().splitlines())


def downloads(world: World) -> int:
    """How often KIE was asked for a picture's file."""
    return sum("/results/" in call.path for call in world.kie.requests)
