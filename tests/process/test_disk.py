"""A disk that is full, and a database that is locked or read-only: nothing is lost, and nothing is paid twice."""

import json
import random
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from simcord import InteractionResult, MemberActor

from demo.kie import Delay, Succeed
from tests.crash.disk_faults import FULL, FULL_AT_COMMIT, NO_ROOM_FOR_FILES, READ_ONLY
from tests.crash.snapshot import Snapshot, read_snapshot
from tests.crash.testbed import CrashTestbed, KillableProcess, open_testbed
from tests.front import Fault
from tests.kie.schema import created
from tests.stories.images import png
from tests.stories.rendered import rendered
from tests.waiting import until

LOCKED = "locked"
PAID = ("reserve", "settle")
WAITS = {
    "bot.store.sqlite:BUSY_MILLISECONDS": 200,
    "bot.generation.delivery:_DATABASE_RETRY_SECONDS": 0.5,
    "bot.generation.results:_DISK_RETRY_SECONDS": 0.2,
}
REFUSAL = "Try again in a minute"
UNAVAILABLE = "database unavailable"


@dataclass(frozen=True)
class FaultyDisk:
    """A testbed whose bot meets one kind of fault."""

    testbed: CrashTestbed
    fault: str

    @property
    def _member(self) -> MemberActor:
        return self.testbed.members[0]

    @property
    def _lasting(self) -> Path:
        return self.testbed.folder / "fault"

    @contextmanager
    def failing(self) -> Generator[None]:
        """The fault lasts while the block runs."""
        if self.fault == LOCKED:
            locker = sqlite3.connect(self.testbed.database, isolation_level=None, timeout=5)
            locker.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                locker.execute("ROLLBACK")
                locker.close()
            return
        self._lasting.touch()
        try:
            yield
        finally:
            self._lasting.unlink()

    @asynccontextmanager
    async def bot(self) -> AsyncGenerator[KillableProcess]:
        """A connected process, ended by SIGTERM with the block."""
        variables = {"WAITS": json.dumps(WAITS), "DISK_FAULT_WHILE": str(self._lasting)}
        if self.fault != LOCKED:
            variables["DISK_FAULT"] = self.fault
        gateway = self.testbed.front.gateway
        identified = gateway.identified
        async with self.testbed.process(variables=variables) as process:
            process.go()
            await until(
                lambda: gateway.identified > identified or process.process.returncode is not None,
                what="the bot to connect",
                within=60,
            )
            assert process.process.returncode is None, process.process.output()
            yield process
            assert await process.process.terminate(within=20) == 0

    async def imagine(self, number: int, **options: object) -> InteractionResult:
        """A member's request."""
        prompt = f"request{number:05} a hill"
        return await self._member.slash(self.testbed.channel_of(self._member), "imagine", prompt=prompt, **options)

    async def wait_for_image(self, interaction: InteractionResult) -> None:
        await until(
            lambda: interaction.response is not None and rendered(interaction.response).images,
            within=60,
            what="an image on the card",
        )
        await self.wait_until_finished()

    async def wait_until_finished(self) -> None:
        await until(lambda: self.snapshot.unfinished == 0, within=30, what="the ledger to be settled")

    async def refusal(self, interaction: InteractionResult) -> str:
        """What only the requester reads."""
        return (await until(lambda: interaction.followups, within=30, what="an answer"))[0].content

    @property
    def snapshot(self) -> Snapshot:
        return read_snapshot(self.testbed.url)

    def assert_each_paid_and_posted_once(self) -> None:
        assert [task.entries for task in self.snapshot.tasks] == [PAID] * 3
        assert [len(rendered(post).images) for post in self.testbed.channel_of(self._member).history()] == [1, 1, 1]


@pytest.fixture
async def disk(tmp_path: Path, fault: str) -> AsyncGenerator[FaultyDisk]:
    async with open_testbed(tmp_path, random.Random(1), callbacks=False, deadline=60) as testbed:
        yield FaultyDisk(testbed, fault)


async def wait_for_fault(process: KillableProcess, before: int = 0) -> None:
    """Wait until the process has met the fault more often than before."""
    await until(lambda: faults_met(process) > before, within=30, what="the fault to be met")


def faults_met(process: KillableProcess) -> int:
    return process.process.output().count(UNAVAILABLE)


async def wait_until_running(disk: FaultyDisk) -> None:
    await until(
        lambda: [task.state for task in disk.snapshot.tasks][-1:] == ["running"], within=30, what="KIE to be at work"
    )


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(FULL, marks=pytest.mark.long),
        pytest.param(FULL_AT_COMMIT, marks=pytest.mark.long),
        pytest.param(READ_ONLY, marks=pytest.mark.long),
        LOCKED,
    ],
)
async def test_a_database_that_cannot_be_written_loses_nothing(disk: FaultyDisk) -> None:
    kie = disk.testbed.kie
    async with disk.bot() as process:
        with disk.failing():
            assert REFUSAL in await disk.refusal(await disk.imagine(1))
        assert disk.snapshot.generations == ()
        assert created(kie) == []

        await fail_while_kie_is_asked(disk, process)
        await fail_while_kie_is_at_work(disk, process)
        await fail_while_the_image_is_posted(disk, process)
        await disk.wait_until_finished()

    disk.assert_each_paid_and_posted_once()
    assert len(created(kie)) == 3


async def fail_while_kie_is_asked(disk: FaultyDisk, process: KillableProcess) -> None:
    """KIE's answer is stored once that is possible."""
    kie = disk.testbed.kie
    kie.script.on("createTask", Delay(0.5))
    before = faults_met(process)
    interaction = await disk.imagine(2)
    await until(lambda: created(kie), within=30, what="KIE to be asked")
    with disk.failing():
        await wait_for_fault(process, before)
    await disk.wait_for_image(interaction)


async def fail_while_kie_is_at_work(disk: FaultyDisk, process: KillableProcess) -> None:
    """KIE is polled again, and the image comes later."""
    disk.testbed.kie.script.next_tasks(Succeed(duration=4.0))
    before = faults_met(process)
    interaction = await disk.imagine(3)
    await wait_until_running(disk)
    with disk.failing():
        await wait_for_fault(process, before)
    await disk.wait_for_image(interaction)


async def fail_while_the_image_is_posted(disk: FaultyDisk, process: KillableProcess) -> None:
    """The post is made and cannot be stored: it is not made again."""
    front = disk.testbed.front
    posting = front.faults.on("POST", "/channels/*/messages", Fault(delay=0.5))
    disk.testbed.kie.script.next_tasks(Succeed(duration=4.0))
    before = faults_met(process)
    await disk.imagine(4)
    await wait_until_running(disk)
    # The token expires: the outcome becomes a message of its own, which could be posted twice.
    await front.env.advance_time(16 * 60)
    await until(lambda: posting.hits, within=30, what="the post")
    with disk.failing():
        await wait_for_fault(process, before)


@pytest.mark.long
@pytest.mark.parametrize("fault", [NO_ROOM_FOR_FILES])
async def test_a_disk_without_room_for_files_loses_nothing(disk: FaultyDisk) -> None:
    kie, sketch = disk.testbed.kie, ("sketch.png", png())

    def downloads() -> int:
        return sum("/results/" in call.path for call in kie.requests)

    async with disk.bot():
        with disk.failing():
            assert REFUSAL in await disk.refusal(await disk.imagine(1, image=sketch))
        assert disk.snapshot.generations == ()
        await disk.wait_for_image(await disk.imagine(2, image=sketch))

        # A small file meets the full disk when it is closed, a large one while it is written.
        for number, megabytes in enumerate((0, 1), start=3):
            kie.script.next_tasks(Succeed(noise_megabytes=megabytes))
            before = downloads()
            with disk.failing():
                interaction = await disk.imagine(number)
                await until(lambda before=before: downloads() >= before + 2, what="two attempts", within=30)
            await disk.wait_for_image(interaction)

    disk.assert_each_paid_and_posted_once()
    assert list((disk.testbed.folder / "spool").iterdir()) == []


@pytest.mark.parametrize("fault", [LOCKED])
async def test_a_short_lock_is_waited_for(disk: FaultyDisk) -> None:
    async with disk.bot():
        interactions = [await disk.imagine(number) for number in range(3)]
        with disk.failing():
            await until(
                lambda: all(interaction.acknowledged for interaction in interactions), what="the acknowledgements"
            )
        for interaction in interactions:
            await disk.wait_for_image(interaction)
    disk.assert_each_paid_and_posted_once()
