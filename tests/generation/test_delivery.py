"""Posting the outcome: once, with every image that can be downloaded, and paid only then."""

import errno
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.domain.delivery_errors import DeliveryFailed, TooLargeToPost, Undeliverable
from bot.domain.errors import ResultsPaused
from bot.domain.ids import GenerationId, TaskId
from bot.domain.kie_account import DeliveryGivenUp, ResultsArriving, ResultsMissing, UnknownResultHost
from bot.domain.ports import Card, ImageFile
from bot.domain.states import OPEN, Failure, TaskState
from bot.generation.results_breaker import OPENS_AT, PROBE_AFTER
from bot.media.fitting import fit
from bot.media.formats import FileType
from demo.kie import Behaviour, Code, CutMidBody, Delay, Fail, Hang, Html, KieStandIn, Reply, Succeed
from tests.generation.backend import GOODWILL, REFUNDED, RESERVED, SETTLED, Backend, Installation
from tests.generation.doubles import RecordingSender
from tests.generation.tuning import submitter_tuned, tuned
from tests.kie.schema import caused, created
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


HOURS = 3 * 3600
FORTNIGHT = 14 * 86400
ELSEWHERE = "https://elsewhere.example.com/a.png"


def downloads(backend: Backend) -> int:
    return len([call for call in backend.kie.requests if call.path.startswith("/results/")])


async def wait_for_questions(kie: KieStandIn, times: int = 3) -> None:
    """Let KIE be asked some more times for another address of a result."""
    before = sum("download-url" in call.path for call in kie.requests)
    await until(lambda: sum("download-url" in call.path for call in kie.requests) >= before + times, what="questions")


async def wait_for_downloads(backend: Backend, times: int = 7) -> None:
    """Let the results be tried some more times."""
    before = downloads(backend)
    await until(lambda: downloads(backend) >= before + times, what="more downloads")


@pytest.mark.parametrize(
    "behaviour",
    [
        Reply(404, b""),
        Reply(410, b""),
        Reply(200, b"", "image/png"),
        Reply(200, b"<html>an expired link</html>", "image/png"),
        Reply(200, b"GIF89a" + bytes(50), "image/gif"),
    ],
    ids=lambda behaviour: f"{behaviour.status}-{len(behaviour.body)}",
)
async def test_a_result_that_is_gone_for_hours_is_refunded(
    backend: Backend, kie: KieStandIn, behaviour: Behaviour
) -> None:
    kie.script.always("result", behaviour)
    generation_id = await backend.request()
    await wait_for_downloads(backend)
    assert await backend.states(generation_id) == [TaskState.READY]
    assert any(card.generation.ready and card.generation.settled for card in backend.sender.shown), "the card says so"
    backend.clock.advance(HOURS)
    await assert_lost(backend, generation_id)


@pytest.mark.parametrize(
    "behaviour",
    [Reply(403, b""), Reply(302, b"", headers={"Location": "https://example.com/"}), Html(500), CutMidBody()],
    ids=str,
)
async def test_a_result_that_cannot_be_fetched_is_tried_as_long_as_kie_keeps_it(
    backend: Backend, kie: KieStandIn, behaviour: Behaviour
) -> None:
    kie.script.always("result", behaviour)
    generation_id = await backend.request()
    await backend.wait_for_states(generation_id, TaskState.READY)
    backend.clock.advance(FORTNIGHT - HOURS)
    await wait_for_downloads(backend)
    assert await backend.states(generation_id) == [TaskState.READY]
    backend.clock.set(FORTNIGHT)
    await wait_for_downloads(backend)
    assert await backend.states(generation_id) == [TaskState.READY], "a clock that was set loses nothing"
    backend.clock.advance(2 * HOURS)
    await assert_lost(backend, generation_id)


async def test_a_result_on_another_host_comes_by_an_address_that_kie_tells(backend: Backend, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(urls=(ELSEWHERE,)))
    generation = await backend.request_and_wait()
    assert backend.ledger(generation.id) == [RESERVED, SETTLED]
    assert backend.alerts.sent == [UnknownResultHost("elsewhere.example.com")]


@pytest.mark.parametrize("told", [None, ELSEWHERE, "garbage", "http://192.0.2.1/a.png", "{base}/results/0-1.png"])
async def test_a_result_on_another_host_is_kept_until_it_can_be_fetched(
    backend: Backend, kie: KieStandIn, told: str | None
) -> None:
    refused = Code(422, "not generated by this service")
    kie.script.always("downloadUrl", Code(200, "", told.format(base=kie.base_url)) if told else refused)
    kie.script.next_tasks(Succeed(urls=(ELSEWHERE,)))
    generation_id = await backend.request()
    await until(lambda: backend.alerts.sent, what="the operator to be alerted")
    backend.clock.advance(HOURS)
    await until(lambda: sum("download-url" in call.path for call in kie.requests) > 9, what="more questions")
    assert await backend.states(generation_id) == [TaskState.READY]
    assert backend.ledger() == [RESERVED]
    kie.script.clear()
    await backend.wait_for_post(generation_id)
    assert backend.ledger() == [RESERVED, SETTLED]
    assert backend.alerts.sent == [UnknownResultHost("elsewhere.example.com")], "once"


@pytest.mark.parametrize("address", ["http://192.0.2.1/a.png", "http://elsewhere.example.com/a.png"])
async def test_a_result_without_a_usable_address_is_refunded(backend: Backend, kie: KieStandIn, address: str) -> None:
    kie.script.always("downloadUrl", Code(422, "not generated by this service"))
    kie.script.next_tasks(Succeed(urls=(address,)))
    generation_id = await backend.request()
    await until(lambda: sum("download-url" in call.path for call in kie.requests) > 5, what="several attempts")
    backend.clock.advance(HOURS)
    await assert_lost(backend, generation_id)


async def test_results_that_do_not_arrive_stop_submissions_until_one_does(backend: Backend, kie: KieStandIn) -> None:
    kie.script.always("result", Reply(404, b""))
    generations = [await backend.request(f"number {number}") for number in range(OPENS_AT)]
    breaker = backend.workload.results_breaker
    await until(lambda: breaker.is_open, what="the pause")
    before = len(caused(kie))
    with pytest.raises(ResultsPaused):
        await backend.request("another")
    await wait_for_downloads(backend)
    assert [call for call in caused(kie)[before:] if call.path.endswith("createTask")] == []
    assert backend.ledger() == [RESERVED] * OPENS_AT
    assert backend.alerts.sent == [ResultsMissing()]

    kie.script.clear()
    for generation_id in generations:
        await backend.wait_for_post(generation_id)
    assert [type(alert) for alert in backend.alerts.sent] == [ResultsMissing, ResultsArriving]
    await backend.request_and_wait("another")
    assert backend.ledger().count(SETTLED) == OPENS_AT + 1


async def test_results_that_never_arrive_stop_submissions_only_until_another_does(
    backend: Backend, kie: KieStandIn
) -> None:
    kie.script.always("downloadUrl", Code(422, "not generated by this service"))
    kie.script.next_tasks(*[Succeed(urls=(ELSEWHERE,))] * (OPENS_AT + 1))
    lost = [await backend.request(f"number {number}") for number in range(OPENS_AT)]
    breaker = backend.workload.results_breaker
    await until(lambda: breaker.is_open, what="the pause")

    async def probe(after: timedelta) -> GenerationId:
        backend.clock.advance((after - timedelta(seconds=5)).total_seconds())
        backend.workload.changed.set()
        await wait_for_questions(kie)
        assert breaker.is_open, "not too soon"
        backend.clock.advance(10)
        backend.workload.changed.set()
        await until(lambda: breaker.is_half_open, what="the next probe")
        return await backend.request("a probe")

    lost.append(await probe(PROBE_AFTER[0]))
    await until(lambda: breaker.is_open, what="the probe to be submitted")
    with pytest.raises(ResultsPaused):
        await backend.request("another")
    fetched = await probe(PROBE_AFTER[1])
    await backend.wait_for_post(fetched)
    await backend.request_and_wait("another")
    assert [await backend.states(generation_id) for generation_id in lost] == [[TaskState.READY]] * len(lost)
    assert [type(alert) for alert in backend.alerts.sent].count(ResultsArriving) == 1


async def test_what_waits_while_results_do_not_arrive_is_not_submitted(installation: Installation) -> None:
    async with installation.start(submitter_tuned(give_up_after=0.5)) as backend:
        for number in range(OPENS_AT):
            backend.workload.results_breaker.record_failure(TaskId(number), backend.clock.steady())
        async with backend.store.write() as tx:
            assert await tx.tasks.in_states(OPEN) == []
        backend.workload.results_breaker.since, since = None, backend.workload.results_breaker.since
        generation_id = await backend.request()
        backend.workload.results_breaker.since = since
        generation = await backend.wait_for_post(generation_id)
        assert [task.failure for task in generation.tasks] == [Failure.UNAVAILABLE]
        assert created(backend.kie) == []


async def test_a_result_over_the_size_limit_is_refunded(
    backend: Backend, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.media.spool.RESULT_MAX_BYTES", 1 << 19)
    kie.script.next_tasks(Succeed(noise_megabytes=1))
    await assert_lost(backend, await backend.request())


async def one_of_four(backend: Backend, kie: KieStandIn) -> GenerationId:
    """A generation of which three images were posted, since the fourth could not be fetched for some minutes."""
    kie.script.always("downloadUrl", Code(422, "not generated by this service"))
    kie.script.next_tasks(Succeed(), Succeed(urls=(ELSEWHERE,)), Succeed(), Succeed())
    generation_id = await backend.request(count=4)
    await until(lambda: sum("download-url" in call.path for call in kie.requests) > 2, what="several attempts")
    assert backend.sender.posts == []
    backend.clock.advance(300)
    await until(lambda: backend.sender.posts, what="three images")
    (post,) = backend.sender.posts
    assert len(post.files) == 3
    return generation_id


async def test_one_of_four_results_comes_later(backend: Backend, kie: KieStandIn) -> None:
    generation_id = await one_of_four(backend, kie)
    await until(lambda: backend.ledger().count(SETTLED) == 3, what="three to be settled")
    kie.script.clear()
    await backend.wait_for_post(generation_id, posts=2)
    assert [len(post.files) for post in backend.sender.posts] == [3, 1]
    assert backend.ledger() == [RESERVED] * 4 + [SETTLED] * 4


async def test_one_of_four_results_is_lost(backend: Backend, kie: KieStandIn) -> None:
    generation_id = await one_of_four(backend, kie)
    backend.clock.advance(FORTNIGHT + HOURS)

    async def lost() -> bool:
        return sorted(await backend.states(generation_id)) == [TaskState.DELIVERED] * 3 + [TaskState.FAILED]

    await until(lost, what="the fourth to be given up")
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

    monkeypatch.setattr("bot.generation.results.fit", fit_or_fail)
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


async def test_what_cannot_be_posted_anywhere_stays_reserved(backend: Backend) -> None:
    backend.sender.always = Undeliverable("channel gone")
    generation_id = await backend.request(count=2)
    await until(lambda: len(backend.sender.attempts) == 2, what="an attempt without the images")
    generation = await backend.generation(generation_id)
    assert ([task.state for task in generation.tasks], generation.delivery) == ([TaskState.READY] * 2, "done")
    assert [len(sizes) for _, sizes in backend.sender.attempts] == [2, 0]
    assert backend.ledger() == [RESERVED] * 2
    assert backend.sender.posts == []


@pytest.mark.parametrize("reason", [RuntimeError("nobody expected this"), DeliveryFailed("HTTP 503")], ids=str)
async def test_an_error_that_persists_for_a_day_ends_in_a_refund_and_an_alert(
    installation: Installation, expected_errors: list[BaseException], reason: Exception
) -> None:
    def fail(_card: Card, _images: Sequence[ImageFile]) -> Exception:
        if isinstance(reason, RuntimeError):
            expected_errors.append(reason)
        return reason

    sender = RecordingSender()
    sender.always = fail
    async with installation.start(sender=sender) as backend:
        generation_id = await backend.request()
        await until(lambda: len(sender.attempts) > 1, what="several attempts")
        installation.clock.set(2 * 86400)
        installation.clock.advance(20 * 3600)
        await until(lambda: len(sender.attempts) > 3, what="more attempts")
        assert backend.ledger() == [RESERVED], "a clock that was set refunds nothing"
    async with installation.start(sender=sender) as backend:
        before = len(sender.attempts)
        await until(lambda: len(sender.attempts) > before + 2, what="several attempts of the next process")
        assert backend.ledger() == [RESERVED]
        installation.clock.advance(2 * 3600)
        await backend.wait_for_states(generation_id, TaskState.FAILED)
        assert backend.ledger() == [RESERVED, GOODWILL]
        await until(lambda: backend.alerts.sent == [DeliveryGivenUp(generation_id)], what="the operator's alert")
        await until(lambda: not len(backend.runtime.background), what="the end of it")
        attempts = len(sender.attempts)
        backend.pipeline.delivery.refresh(generation_id)
        await until(lambda: not len(backend.runtime.background), what="nothing more")
        assert len(sender.attempts) == attempts


async def test_where_images_are_refused_the_outcome_is_posted_without_them(backend: Backend) -> None:
    backend.sender.next_deliver.append(Undeliverable("no files here"))
    await backend.request()
    await until(lambda: backend.sender.posts, what="the post")
    (post,) = backend.sender.posts
    assert post.files == ()
    assert [task.state for task in post.card.generation.tasks] == [TaskState.READY]
    assert backend.ledger() == [RESERVED]


@pytest.mark.parametrize("error", ["locked", "unexpected"])
async def test_what_was_posted_and_not_recorded_is_not_posted_again(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    expected_errors: list[BaseException],
    error: str,
) -> None:
    monkeypatch.setattr("bot.store.sqlite.BUSY_MILLISECONDS", 20)
    monkeypatch.setattr("bot.generation.delivery._DATABASE_RETRY_SECONDS", 0.02)
    sender = RecordingSender()
    async with installation.start(sender=sender) as backend:
        locker = sqlite3.connect(backend.folder / "easel.db", isolation_level=None)
        refused: list[RuntimeError] = []

        async def refuse(*_arguments: object) -> None:
            refused.append(RuntimeError("the disk image is malformed"))
            expected_errors.append(refused[-1])
            raise refused[-1]

        with monkeypatch.context() as patch:

            def lock(_card: Card, _images: Sequence[ImageFile]) -> None:
                if error == "locked":
                    locker.execute("BEGIN IMMEDIATE")
                else:
                    patch.setattr("bot.store.generations.GenerationRepository.mark_delivered", refuse)

            sender.next_deliver.append(lock)
            generation_id = await backend.request()
            await until(lambda: sender.posts, what="the post")
            if error == "locked":
                with capture_logs() as logs:
                    await until(lambda: len(logs) > 3, what="several attempts to record it")
            else:
                await until(lambda: len(refused) > 3, what="several attempts to record it")
            installation.clock.advance(2 * 86400)
            if error == "locked":
                locker.execute("ROLLBACK")
        await backend.wait_for_post(generation_id)
        assert len(sender.attempts) == 1
        assert backend.ledger() == [RESERVED, SETTLED]
        locker.close()


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
