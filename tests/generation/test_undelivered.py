"""Generations that could be posted nowhere: kept with their images for the member's next command, for a week."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.domain.delivery_errors import ResultPending, Undeliverable
from bot.domain.ids import ChannelId, GenerationId, MessageId
from bot.domain.ports import ImageFile, Posted
from bot.domain.states import Failure, TaskState
from bot.generation.undelivered import KEPT_FOR, Undelivered
from demo.kie import Behaviour, Fail, Html, KieStandIn, RecordedRequest, Reply, Succeed
from tests.database import sqlite_only
from tests.generation.backend import ALICE, BOB, GOODWILL, REFUNDED, RESERVED, SETTLED, Backend, Installation
from tests.waiting import until

LIMIT = 10 << 20
POSTED = Posted(ChannelId(5), MessageId(6))


async def request_undeliverable(backend: Backend, count: int = 1) -> GenerationId:
    """A generation of Alice's that can be posted nowhere."""
    backend.sender.always = Undeliverable("nowhere")
    generation_id = await backend.request(count=count)
    await until(
        lambda: backend.sender.attempts and not len(backend.runtime.background), what="the generation to be given up"
    )
    backend.sender.always = None
    return generation_id


def undelivered(backend: Backend) -> Undelivered:
    return backend.pipeline.undelivered


def lose_files(backend: Backend) -> None:
    for path in backend.spool_folder.iterdir():
        path.unlink()


def downloads(kie: KieStandIn) -> list[RecordedRequest]:
    return [call for call in kie.requests if call.path.startswith("/results/")]


async def hand_over(backend: Backend, generation_id: GenerationId) -> None:
    handed = await undelivered(backend).load(generation_id, LIMIT)
    assert handed is not None
    undelivered(backend).mark_delivered(handed, POSTED)
    await until(lambda: not len(backend.runtime.background), what="the hand-over to be stored")


async def image_sizes(backend: Backend, generation_id: GenerationId, limit: int = LIMIT) -> list[int]:
    loaded = await undelivered(backend).load(generation_id, limit)
    assert loaded is not None
    assert loaded.generation.id == generation_id
    return sizes(loaded.images)


def sizes(images: Sequence[ImageFile]) -> list[int]:
    return [Path(image.path).stat().st_size for image in images]


async def test_images_wait_for_their_member_and_are_claimed_once(backend: Backend, kie: KieStandIn) -> None:
    generation_id = await request_undeliverable(backend, count=2)
    assert await undelivered(backend).claim(BOB) == []
    assert await undelivered(backend).claim(ALICE) == [generation_id]
    assert await undelivered(backend).claim(ALICE) == [], "of two commands at once, one delivers"
    assert len(await image_sizes(backend, generation_id)) == 2
    assert len(downloads(kie)) == 2, "the files were kept"
    assert await backend.states(generation_id) == [TaskState.READY] * 2
    assert backend.ledger(generation_id) == [RESERVED] * 2
    async with backend.store.read() as tx:
        assert await tx.generations.open_count(ALICE) == 0, "it keeps nobody from further requests"

    for _ in range(2):
        undelivered(backend).unclaim(generation_id)
    assert await undelivered(backend).claim(ALICE) == [generation_id]


@pytest.mark.parametrize("lost", [False, True], ids=["files kept", "files lost"])
async def test_the_next_process_has_them_too(installation: Installation, kie: KieStandIn, lost: bool) -> None:
    async with installation.start() as backend:
        generation_id = await request_undeliverable(backend)
    if lost:
        lose_files(backend)
    async with installation.start() as backend:
        assert await undelivered(backend).claim(ALICE) == [generation_id]
        assert len(await image_sizes(backend, generation_id)) == 1
        assert len(downloads(kie)) == (2 if lost else 1)
        assert backend.ledger(generation_id) == [RESERVED]
        backend.pipeline.delivery.refresh(generation_id)
        await until(lambda: not len(backend.runtime.background), what="nothing to be done")
        async with backend.store.read() as tx:
            assert await tx.generations.with_late_images() == []
        assert backend.sender.attempts == [], "it waits for a command"
        await hand_over(backend, generation_id)
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]
        assert await backend.states(generation_id) == [TaskState.DELIVERED]
        assert list(backend.spool_folder.iterdir()) == []
    async with installation.start() as backend:
        assert await undelivered(backend).claim(ALICE) == []
        assert backend.sender.attempts == []


async def test_an_image_that_kie_deleted_is_left_out_and_free(backend: Backend, kie: KieStandIn) -> None:
    generation_id = await request_undeliverable(backend)
    lose_files(backend)
    kie.script.always("result", Reply(404, b""))
    assert await image_sizes(backend, generation_id) == []
    await hand_over(backend, generation_id)
    assert backend.ledger(generation_id) == [RESERVED, GOODWILL]


@pytest.mark.parametrize("fault", [Html(503), Reply(403, b"")], ids=str)
async def test_an_image_that_cannot_be_fetched_now_waits_for_another_command(
    backend: Backend, kie: KieStandIn, fault: Behaviour
) -> None:
    generation_id = await request_undeliverable(backend)
    lose_files(backend)
    kie.script.always("result", fault)
    with pytest.raises(ResultPending):
        await undelivered(backend).load(generation_id, LIMIT)
    kie.script.clear()
    assert len(await image_sizes(backend, generation_id)) == 1


@sqlite_only
async def test_what_was_handed_over_is_paid_for_once_the_database_takes_writes(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.sqlite.BUSY_MILLISECONDS", 20)
    monkeypatch.setattr("bot.runtime._RETRY_PAUSES", (0.02,))
    async with installation.start() as backend:
        generation_id = await request_undeliverable(backend)
        assert await undelivered(backend).claim(ALICE) == [generation_id]
        handed = await undelivered(backend).load(generation_id, LIMIT)
        assert handed is not None
        assert handed.price == 5
        locker = sqlite3.connect(backend.folder / "easel.db", isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        with capture_logs() as logs:
            undelivered(backend).mark_delivered(handed, POSTED)
            await until(lambda: len(logs) > 3, what="several attempts")
        locker.execute("ROLLBACK")
        locker.close()
        await until(lambda: not len(backend.runtime.background), what="the payment")
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]
        assert await undelivered(backend).claim(ALICE) == []
        assert await undelivered(backend).load(generation_id, LIMIT) is None


async def test_images_are_made_to_fit_where_they_are_delivered(backend: Backend, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(noise_megabytes=1))
    generation_id = await request_undeliverable(backend)
    (size,) = await image_sizes(backend, generation_id, limit=700_000)
    assert 0 < size <= 700_000


async def test_a_failure_that_could_not_be_posted_waits_too(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Fail("422", "flagged as sensitive"))
    async with installation.start() as backend:
        generation_id = await request_undeliverable(backend)
        assert await backend.states(generation_id) == [TaskState.FAILED]
    async with installation.start() as backend:
        assert await undelivered(backend).claim(ALICE) == [generation_id]
        assert await image_sizes(backend, generation_id) == []
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED]


@pytest.mark.parametrize("restarted", [True, False], ids=["by the next process", "while running"])
async def test_after_a_week_it_is_refunded_and_deleted(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    monkeypatch.setattr("bot.generation.undelivered._PRUNE_EVERY", 0.02)
    async with installation.start() as backend:
        generation_id = await request_undeliverable(backend)
        installation.clock.advance(KEPT_FOR.total_seconds() - 60)
    async with installation.start() as backend, asyncio.TaskGroup() as group:
        pruning = group.create_task(undelivered(backend).run())
        assert await undelivered(backend).claim(ALICE) == [generation_id]
        undelivered(backend).unclaim(generation_id)
        for seconds in (3600, -3600):
            installation.clock.set(seconds)
            await undelivered(backend).prune()
        assert backend.ledger(generation_id) == [RESERVED], "a clock that was set deletes nothing"
        if not restarted:
            installation.clock.advance(1200)
            await backend.wait_for_states(generation_id, TaskState.FAILED)
        pruning.cancel()
        if not restarted:
            await assert_dropped(backend, generation_id)
    if restarted:
        installation.clock.advance(1200)
        async with installation.start() as backend:
            await assert_dropped(backend, generation_id)


async def assert_dropped(backend: Backend, generation_id: GenerationId) -> None:
    await until(lambda: not len(backend.runtime.background), what="the end of it")
    assert backend.ledger(generation_id) == [RESERVED, GOODWILL]
    assert await undelivered(backend).claim(ALICE) == []
    assert list(backend.spool_folder.iterdir()) == []
    assert await undelivered(backend).load(generation_id, LIMIT) is None


async def test_what_an_earlier_version_refunded_is_handed_over_free(installation: Installation) -> None:
    async with installation.start() as backend:
        generation_id = await request_undeliverable(backend)
        (task,) = await backend.tasks(generation_id)
        async with backend.store.write() as tx:
            await tx.tasks.fail(task.id, Failure.UNDELIVERABLE, backend.clock.now())
    async with installation.start() as backend:
        handed = await undelivered(backend).load(generation_id, LIMIT)
        assert handed is not None
        assert (len(handed.images), handed.price) == (1, 0)
        await hand_over(backend, generation_id)
        assert backend.ledger(generation_id) == [RESERVED, GOODWILL]


async def test_an_unknown_generation_has_nothing_to_deliver(backend: Backend) -> None:
    assert await undelivered(backend).load(GenerationId(1), LIMIT) is None
