"""Bringing the outcome to Discord: once, with what can be had, and paid only then."""

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
from tests.generation.doubles import RecordingSender
from tests.generation.easel import Easel, House, tuned
from tests.kie.schema import created
from tests.waiting import until

RESERVED, SETTLED = ("reserve", Decimal(-5)), ("settle", Decimal(0))
IN_VAIN = ("goodwill", Decimal(5))
"""KIE made the picture and is paid: the member is not, but the limits count it."""


async def lost(easel: Easel, wish: GenerationId, failure: Failure) -> None:
    """Assert that the wish's only image is given up, refunded and told."""
    generation = await easel.told(wish)
    assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.FAILED, failure)]
    assert easel.ledger(wish) == [RESERVED, IN_VAIN]
    (post,) = easel.discord.told(wish)
    assert post.files == ()
    assert not list((easel.database.parent / "spool").iterdir())


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    "behaviour",
    [
        Reply(404, b""),
        Reply(403, b""),
        Reply(302, b"", headers={"Location": "https://example.com/"}),
        Reply(200, b"", "image/png"),
        Reply(200, b"<html>an expired link</html>", "image/png"),
        Reply(200, b"GIF89a" + bytes(50), "image/gif"),
    ],
    ids=lambda one: f"{one.status}-{len(one.body)}",
)
async def test_a_result_that_is_gone_or_no_image_is_refunded(
    easel: Easel, kie: KieStandIn, behaviour: Behaviour
) -> None:
    kie.script.always("result", behaviour)
    await lost(easel, await easel.ask(), Failure.NO_IMAGE)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    "address",
    ["https://elsewhere.example.com/a.png", "http://192.0.2.1/a.png", "http://localhost/a.png", "https://127.0.0.1@x/"],
)
async def test_a_result_on_a_host_of_someone_else_is_refunded(easel: Easel, kie: KieStandIn, address: str) -> None:
    kie.script.next_tasks(Succeed(urls=(address,)))
    await lost(easel, await easel.ask(), Failure.NO_IMAGE)


@pytest.mark.usefixtures("quick_retries")
async def test_one_of_four_results_is_gone(easel: Easel, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(), Succeed(urls=("https://elsewhere.example.com/a.png",)), Succeed(), Succeed())
    wish = await easel.ask(count=4)
    generation = await easel.told(wish)
    states = [task.state for task in generation.tasks]
    assert sorted(states) == [TaskState.DELIVERED] * 3 + [TaskState.FAILED]
    (post,) = easel.discord.posts
    assert [states[position] for position in post.positions] == [TaskState.DELIVERED] * 3
    assert post.card.generation.charged == 15 == await easel.spent()
    assert sorted(easel.ledger()) == sorted([RESERVED] * 4 + [IN_VAIN] + [SETTLED] * 3)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    "trouble",
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
        Delay(1),
    ],
    ids=lambda one: str(one)[:30],
)
async def test_a_download_is_tried_again(house: House, kie: KieStandIn, trouble: Behaviour) -> None:
    kie.script.on("result", trouble, trouble)
    async with house.easel(tuned(download_seconds=0.3 if isinstance(trouble, Hang | Delay) else 5)) as easel:
        wish = await easel.ask()
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger() == [RESERVED, SETTLED]
        assert len([call for call in kie.requests if call.path.startswith("/results/")]) == 3


@pytest.mark.usefixtures("quick_retries")
async def test_a_download_that_never_works_is_refunded(easel: Easel, kie: KieStandIn) -> None:
    kie.script.always("result", Html(500))
    await lost(easel, await easel.ask(), Failure.NO_IMAGE)


@pytest.mark.usefixtures("quick_retries")
async def test_a_result_without_end_is_refunded(easel: Easel, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.media.spool.RESULT_MAX_BYTES", 1 << 19)
    kie.script.next_tasks(Succeed(noise_megabytes=1))
    await lost(easel, await easel.ask(), Failure.NO_IMAGE)


async def test_a_full_disk_is_not_taken_for_a_bad_picture(
    easel: Easel, monkeypatch: pytest.MonkeyPatch, failed_jobs: list[BaseException]
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    failed_jobs.append(full)
    pending = [full]

    def fitted(path: Path, limit: int) -> tuple[Path, FileType]:
        if pending:
            raise pending.pop()
        return fit(path, limit)

    monkeypatch.setattr("bot.generation.delivery._AFTER_AN_ERROR", 0.05)
    monkeypatch.setattr("bot.generation.delivery.fit", fitted)
    await easel.told(await easel.ask())
    assert easel.ledger() == [RESERVED, SETTLED]


@pytest.mark.usefixtures("quick_retries")
async def test_a_failed_delivery_is_repeated_and_paid_once(easel: Easel) -> None:
    easel.discord.next_deliver.extend([DeliveryFailed("HTTP 500"), DeliveryFailed("HTTP 503")])
    wish = await easel.ask()
    await easel.told(wish)
    assert len(easel.discord.attempts) == 3
    assert easel.ledger() == [RESERVED, SETTLED]
    assert await easel.states(wish) == [TaskState.DELIVERED]


@pytest.mark.usefixtures("quick_retries")
async def test_a_failure_is_told_with_the_same_patience(easel: Easel, kie: KieStandIn) -> None:
    easel.discord.next_deliver.extend([DeliveryFailed("HTTP 500"), DeliveryFailed("HTTP 503")])
    kie.script.next_tasks(Fail("500", "Internal Error"))
    await easel.told(await easel.ask())
    assert easel.ledger() == [RESERVED, ("refund", Decimal(5))]


@pytest.mark.usefixtures("quick_retries")
async def test_nothing_is_paid_before_the_post(easel: Easel) -> None:
    easel.discord.always = DeliveryFailed("HTTP 503")
    wish = await easel.ask()
    await until(lambda: len(easel.discord.attempts) >= 5, what="five attempts")
    assert easel.ledger() == [RESERVED]
    assert (await easel.generation(wish)).delivery == "none"
    easel.discord.always = None
    await easel.told(wish)
    assert easel.ledger() == [RESERVED, SETTLED]


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("reason", [Undeliverable("channel gone"), DeliveryFailed("HTTP 503")], ids=str)
async def test_what_can_be_posted_nowhere_is_refunded(
    easel: Easel, reason: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.generation.delivery._DELIVERY_TRIES", 6)
    easel.discord.always = reason
    wish = await easel.ask(count=2)
    await easel.reach(wish, TaskState.FAILED, TaskState.FAILED)
    generation = await easel.generation(wish)
    assert {task.failure for task in generation.tasks} == {Failure.UNDELIVERABLE}
    assert generation.delivery == "done"
    assert easel.ledger() == [RESERVED] * 2 + [IN_VAIN] * 2
    tries = 1 if isinstance(reason, Undeliverable) else 6
    await until(lambda: len(easel.discord.attempts) == tries + 1, what="the words to be tried without the pictures")
    assert [len(sizes) for _, sizes in easel.discord.attempts] == [2] * tries + [0]
    assert easel.discord.posts == []


async def test_where_pictures_are_refused_words_may_be_taken(easel: Easel) -> None:
    easel.discord.next_deliver.append(Undeliverable("no files here"))
    wish = await easel.ask()
    await easel.told(wish)
    (post,) = easel.discord.posts
    assert post.files == ()
    assert [task.failure for task in post.card.generation.tasks] == [Failure.UNDELIVERABLE]
    assert easel.ledger() == [RESERVED, IN_VAIN]


async def test_a_place_that_takes_less_than_it_said_gets_smaller_files(easel: Easel, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(noise_megabytes=1))
    taken = 700_000

    def refuse_large(_card: Card, images: Sequence[ImageFile]) -> Exception | None:
        too_large = any(Path(image.path).stat().st_size > taken for image in images)
        return TooLargeToPost() if too_large else None

    easel.discord.always = refuse_large
    wish = await easel.ask()
    await easel.told(wish)
    (post,) = easel.discord.posts
    assert 0 < len(post.files[0]) <= taken
    assert not post.names[0].endswith(".png")
    assert easel.ledger() == [RESERVED, SETTLED]
    sizes = [size for _, (size,) in easel.discord.attempts]
    assert sizes == sorted(sizes, reverse=True)


async def test_the_upload_limit_of_the_place_is_kept(easel: Easel, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(noise_megabytes=2), Succeed(noise_megabytes=1))
    wish = await easel.ask(count=2, upload_limit=1_500_000)
    await easel.told(wish)
    (post,) = easel.discord.posts
    assert len(easel.discord.attempts) == 1
    assert all(0 < len(file) <= 1_500_000 for file in post.files)
    assert sorted(name.rpartition(".")[2] for name in post.names) == ["png", "webp"]


async def test_an_unexpected_error_while_posting_does_not_lose_the_outcome(
    easel: Easel, monkeypatch: pytest.MonkeyPatch, failed_jobs: list[BaseException]
) -> None:
    monkeypatch.setattr("bot.generation.delivery._AFTER_AN_ERROR", 0.05)
    error = RuntimeError("nobody expected this")
    failed_jobs.append(error)
    easel.discord.next_deliver.append(error)
    wish = await easel.ask()
    await easel.told(wish)
    assert await easel.states(wish) == [TaskState.DELIVERED]
    assert easel.ledger() == [RESERVED, SETTLED]


async def test_an_unexpected_error_while_showing_does_not_lose_the_outcome(
    easel: Easel, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch, failed_jobs: list[BaseException]
) -> None:
    monkeypatch.setattr("bot.generation.delivery._AFTER_AN_ERROR", 0.05)
    kie.script.next_tasks(Succeed(duration=0.2))
    error = RuntimeError("nobody expected this")
    failed_jobs.append(error)
    easel.discord.next_show.append(error)
    wish = await easel.ask()
    await easel.told(wish)
    assert easel.ledger() == [RESERVED, SETTLED]


async def test_nothing_is_told_before_discord_can_be_reached(house: House, kie: KieStandIn) -> None:
    discord = RecordingSender()
    async with house.easel(discord_up=False, discord=discord) as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.READY)
        assert (discord.shown, discord.attempts) == ([], [])
        assert easel.ledger() == [RESERVED]
        easel.delivery.start(easel.discord)
        await easel.told(wish)
        assert len(created(kie)) == 1
