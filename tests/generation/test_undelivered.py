"""Generations that could be posted nowhere: kept with their images for the member's next command, for a week."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.domain.errors import Undeliverable
from bot.domain.ids import GenerationId
from bot.domain.ports import ImageFile
from bot.domain.states import Failure, TaskState
from bot.generation.undelivered import KEPT_FOR, Undelivered
from demo.kie import Fail, KieStandIn, RecordedRequest, Reply, Succeed
from tests.generation.backend import ALICE, BOB, GOODWILL, REFUNDED, RESERVED, Backend, Installation
from tests.waiting import until

LIMIT = 10 << 20


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


def downloads(kie: KieStandIn) -> list[RecordedRequest]:
    return [call for call in kie.requests if call.path.startswith("/results/")]


async def image_sizes(backend: Backend, generation_id: GenerationId, limit: int = LIMIT) -> list[int]:
    loaded = await undelivered(backend).load(generation_id, limit)
    assert loaded is not None
    assert loaded.generation.id == generation_id
    return sizes(loaded.images)


def sizes(images: Sequence[ImageFile]) -> list[int]:
    return [Path(image.path).stat().st_size for image in images]


async def test_images_wait_for_their_member_and_are_claimed_once(backend: Backend, kie: KieStandIn) -> None:
    generation_id = await request_undeliverable(backend, count=2)
    assert undelivered(backend).claim(BOB) == []
    assert undelivered(backend).claim(ALICE) == [generation_id]
    assert undelivered(backend).claim(ALICE) == [], "of two commands at once, one delivers"
    assert len(await image_sizes(backend, generation_id)) == 2
    assert len(downloads(kie)) == 2, "the files were kept"
    assert {task.failure for task in await backend.tasks(generation_id)} == {Failure.UNDELIVERABLE}
    assert sorted(backend.ledger(generation_id)) == sorted([RESERVED, GOODWILL] * 2)

    for _ in range(2):
        undelivered(backend).add(ALICE, generation_id)
    assert undelivered(backend).claim(ALICE) == [generation_id]


@pytest.mark.parametrize("lost", [False, True], ids=["files kept", "files lost"])
async def test_the_next_process_has_them_too(installation: Installation, kie: KieStandIn, lost: bool) -> None:
    async with installation.start() as backend:
        generation_id = await request_undeliverable(backend)
    if lost:
        for path in backend.spool_folder.iterdir():
            path.unlink()
    async with installation.start() as backend:
        assert undelivered(backend).claim(ALICE) == [generation_id]
        assert len(await image_sizes(backend, generation_id)) == 1
        assert len(downloads(kie)) == (2 if lost else 1)
        assert backend.ledger(generation_id) == [RESERVED, GOODWILL]
        await undelivered(backend).mark_delivered(await backend.generation(generation_id))
        assert list(backend.spool_folder.iterdir()) == []
    async with installation.start() as backend:
        assert undelivered(backend).claim(ALICE) == []
        assert backend.sender.attempts == []


async def test_an_image_that_kie_deleted_is_left_out(backend: Backend, kie: KieStandIn) -> None:
    generation_id = await request_undeliverable(backend)
    backend.pipeline.spool.sweep([])
    kie.script.always("result", Reply(404, b""))
    assert await image_sizes(backend, generation_id) == []


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
        assert undelivered(backend).claim(ALICE) == [generation_id]
        assert await image_sizes(backend, generation_id) == []
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED]


async def test_after_a_week_the_next_process_deletes_them(installation: Installation) -> None:
    async with installation.start() as backend:
        generation_id = await request_undeliverable(backend)
    installation.clock.advance(KEPT_FOR.total_seconds() - 60)
    async with installation.start() as backend:
        assert undelivered(backend).claim(ALICE) == [generation_id]
    installation.clock.advance(61)
    async with installation.start() as backend:
        assert undelivered(backend).claim(ALICE) == []
        assert list(backend.spool_folder.iterdir()) == []


async def test_an_unknown_generation_has_nothing_to_deliver(backend: Backend) -> None:
    assert await undelivered(backend).load(GenerationId(1), LIMIT) is None
