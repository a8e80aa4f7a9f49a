"""Posting the outcome: once, with every image that can be downloaded, and paid only then."""

import errno
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.errors import DeliveryFailed, TooLargeToPost, Undeliverable
from bot.domain.ids import GenerationId
from bot.domain.ports import Card, ImageFile
from bot.domain.states import Failure, TaskState
from bot.media.fitting import fit
from bot.media.formats import FileType
from demo.kie import Behaviour, CutMidBody, Delay, Fail, Hang, Html, KieStandIn, Reply, Succeed
from tests.generation.backend import GOODWILL, REFUNDED, RESERVED, SETTLED, Backend, Installation
from tests.generation.doubles import RecordingSender
from tests.generation.tuning import tuned
from tests.kie.schema import created
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("quick_retries")


async def assert_lost(backend: Backend, generation_id: GenerationId) -> None:
    """The generation's only image is given up, refunded as KIE was paid, and posted as failed."""
    generation = await backend.wait_for_post(generation_id)
    assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.FAILED, Failure.NO_IMAGE)]
    assert backend.ledger(generation_id) == [RESERVED, GOODWILL]
    (post,) = backend.sender.posts_of(generation_id)
    assert post.files == ()
    assert not list(backend.spool_folder.iterdir())


@pytest.mark.parametrize(
    "behaviour",
    [
        Reply(404, b""),
        Reply(403, b""),
        Reply(302, b"", headers={"Location": "https://example.com/"}),
        Reply(200, b"", "image/png"),
        Reply(200, b"<html>an expired link</html>", "image/png"),
        Reply(200, b"GIF89a" + bytes(50), "image/gif"),
        Html(500),
    ],
    ids=lambda behaviour: f"{behaviour.status}-{len(getattr(behaviour, 'body', ''))}",
)
async def test_a_result_that_stays_unusable_is_refunded(
    backend: Backend, kie: KieStandIn, behaviour: Behaviour
) -> None:
    kie.script.always("result", behaviour)
    await assert_lost(backend, await backend.request())


@pytest.mark.parametrize(
    "address",
    ["https://elsewhere.example.com/a.png", "http://192.0.2.1/a.png", "http://localhost/a.png", "https://127.0.0.1@x/"],
)
async def test_a_result_on_another_host_is_refunded(backend: Backend, kie: KieStandIn, address: str) -> None:
    kie.script.next_tasks(Succeed(urls=(address,)))
    await assert_lost(backend, await backend.request())


async def test_a_result_over_the_size_limit_is_refunded(
    backend: Backend, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.media.spool.RESULT_MAX_BYTES", 1 << 19)
    kie.script.next_tasks(Succeed(noise_megabytes=1))
    await assert_lost(backend, await backend.request())


async def test_one_of_four_results_is_lost(backend: Backend, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(), Succeed(urls=("https://elsewhere.example.com/a.png",)), Succeed(), Succeed())
    generation = await backend.request_and_wait(count=4)
    states = [task.state for task in generation.tasks]
    assert sorted(states) == [TaskState.DELIVERED] * 3 + [TaskState.FAILED]
    (post,) = backend.sender.posts
    assert [states[position] for position in post.positions] == [TaskState.DELIVERED] * 3
    assert post.card.generation.charged == 15 == await backend.spent()
    assert sorted(backend.ledger()) == sorted([RESERVED] * 4 + [GOODWILL] + [SETTLED] * 3)


@pytest.mark.parametrize(
    "fault",
    [
        Html(500),
        Html(503),
        CutMidBody(),
        Reply(429, b""),
        Reply(404, b""),
        Reply(403, b"<Error>", "application/xml"),
        Reply(200, b"", "image/png"),
        Reply(200, b"<html>not yet</html>", "image/png"),
        Hang(),
        Delay(2),
    ],
    ids=lambda fault: str(fault)[:30],
)
async def test_a_failed_download_is_retried(installation: Installation, kie: KieStandIn, fault: Behaviour) -> None:
    kie.script.on("result", fault, fault)
    seconds = 0.5 if isinstance(fault, Hang | Delay) else 5
    async with installation.start(tuned(download_seconds=seconds)) as backend:
        generation = await backend.request_and_wait()
        assert generation.tasks[0].state is TaskState.DELIVERED
        assert backend.ledger() == [RESERVED, SETTLED]
        assert len([call for call in kie.requests if call.path.startswith("/results/")]) >= 3


async def test_a_full_disk_does_not_make_an_image_invalid(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, expected_errors: list[BaseException]
) -> None:
    expected_errors.append(OSError(errno.ENOSPC, "No space left on device"))
    errors = list(expected_errors)

    def fit_or_fail(path: Path, limit: int) -> tuple[Path, FileType]:
        if errors:
            raise errors.pop()
        return fit(path, limit)

    monkeypatch.setattr("bot.generation.delivery.fit", fit_or_fail)
    await backend.request_and_wait()
    assert backend.ledger() == [RESERVED, SETTLED]


@pytest.mark.parametrize(
    ("outcome", "end"), [(Succeed(), SETTLED), (Fail("500", "Internal Error"), REFUNDED)], ids=["image", "failure"]
)
async def test_a_failed_post_is_retried(
    backend: Backend, kie: KieStandIn, outcome: Succeed | Fail, end: tuple[str, Decimal]
) -> None:
    backend.sender.next_deliver.extend([DeliveryFailed("HTTP 500"), DeliveryFailed("HTTP 503")])
    kie.script.next_tasks(outcome)
    await backend.request_and_wait()
    assert len(backend.sender.attempts) == 3
    assert backend.ledger() == [RESERVED, end]


async def test_nothing_is_settled_before_the_post(backend: Backend) -> None:
    backend.sender.always = DeliveryFailed("HTTP 503")
    generation_id = await backend.request()
    await until(lambda: len(backend.sender.attempts) >= 5, what="five attempts")
    assert backend.ledger() == [RESERVED]
    assert (await backend.generation(generation_id)).delivery == "none"
    backend.sender.always = None
    await backend.wait_for_post(generation_id)
    assert backend.ledger() == [RESERVED, SETTLED]


@pytest.mark.parametrize("reason", [Undeliverable("channel gone"), DeliveryFailed("HTTP 503")], ids=str)
async def test_what_cannot_be_posted_anywhere_is_refunded(
    backend: Backend, reason: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.generation.delivery._DELIVERY_ATTEMPTS", 6)
    backend.sender.always = reason
    generation_id = await backend.request(count=2)
    await backend.wait_for_states(generation_id, TaskState.FAILED, TaskState.FAILED)
    generation = await backend.generation(generation_id)
    assert {task.failure for task in generation.tasks} == {Failure.UNDELIVERABLE}
    assert generation.delivery == "done"
    assert backend.ledger() == [RESERVED] * 2 + [GOODWILL] * 2
    attempts = 1 if isinstance(reason, Undeliverable) else 6
    await until(lambda: len(backend.sender.attempts) == attempts + 1, what="an attempt without the images")
    assert [len(sizes) for _, sizes in backend.sender.attempts] == [2] * attempts + [0]
    assert backend.sender.posts == []


async def test_where_images_are_refused_the_outcome_is_posted_without_them(backend: Backend) -> None:
    backend.sender.next_deliver.append(Undeliverable("no files here"))
    await backend.request_and_wait()
    (post,) = backend.sender.posts
    assert post.files == ()
    assert [task.failure for task in post.card.generation.tasks] == [Failure.UNDELIVERABLE]
    assert backend.ledger() == [RESERVED, GOODWILL]


async def test_files_shrink_until_discord_accepts_them(backend: Backend, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(noise_megabytes=1))
    accepted = 700_000

    def refuse_large(_card: Card, images: Sequence[ImageFile]) -> Exception | None:
        too_large = any(Path(image.path).stat().st_size > accepted for image in images)
        return TooLargeToPost() if too_large else None

    backend.sender.always = refuse_large
    await backend.request_and_wait()
    (post,) = backend.sender.posts
    assert 0 < len(post.files[0]) <= accepted
    assert not post.names[0].endswith(".png")
    assert backend.ledger() == [RESERVED, SETTLED]
    sizes = [size for _, (size,) in backend.sender.attempts]
    assert sizes == sorted(sizes, reverse=True)


async def test_files_fit_the_channels_upload_limit(backend: Backend, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(noise_megabytes=2), Succeed(noise_megabytes=1))
    await backend.request_and_wait(count=2, upload_limit=1_500_000)
    (post,) = backend.sender.posts
    assert len(backend.sender.attempts) == 1
    assert all(0 < len(file) <= 1_500_000 for file in post.files)
    assert sorted(name.rpartition(".")[2] for name in post.names) == ["png", "webp"]


@pytest.mark.parametrize("step", ["show", "deliver"])
async def test_an_unexpected_error_does_not_lose_the_outcome(
    backend: Backend, kie: KieStandIn, expected_errors: list[BaseException], step: str
) -> None:
    kie.script.next_tasks(Succeed(duration=0.2))
    error = RuntimeError("nobody expected this")
    expected_errors.append(error)
    (backend.sender.next_show if step == "show" else backend.sender.next_deliver).append(error)
    await backend.request_and_wait()
    assert backend.ledger() == [RESERVED, SETTLED]


async def test_nothing_is_posted_before_discord_can_be_reached(installation: Installation, kie: KieStandIn) -> None:
    sender = RecordingSender()
    async with installation.start(discord_up=False, sender=sender) as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.READY)
        assert (sender.shown, sender.attempts) == ([], [])
        assert backend.ledger() == [RESERVED]
        backend.pipeline.delivery.start(sender, backend.alerts)
        await backend.wait_for_post(generation_id)
        assert len(created(kie)) == 1
