"""Accepting requests: what is accepted, what is refused, and that a refusal changes nothing."""

import asyncio
import io
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from aiohttp import web
from PIL import Image, ImageStat

from bot.domain.credits import Account, Requester
from bot.domain.errors import (
    AutoNeedsReference,
    ControlsNeedFlex,
    NotEnoughCredits,
    PromptLength,
    ReferenceProblem,
    ReferenceRefused,
    TooManyImages,
    TooManyOpen,
    UploadFailed,
    UserError,
)
from bot.domain.generation import Source
from bot.domain.settings import REFERENCES_MAX, AspectRatio, Model, Resolution, Settings
from bot.domain.states import TaskState
from bot.generation.references import SOURCE_MAX_BYTES
from demo.kie import Code, Hang, KieStandIn
from tests.generation.backend import ALICE, BOB, GUILD, RESERVED, Backend, Installation
from tests.generation.tuning import tuned
from tests.kie.schema import caused, created
from tests.media.images import encoded
from tests.waiting import until

FORMATS = {"red.png": "PNG", "green.jpg": "JPEG", "blue.webp": "WEBP"}
Refusal = TypeVar("Refusal", bound=UserError)


@pytest.fixture
async def attachments() -> AsyncGenerator[str, None]:
    """A server of members' images, each of the colour in its name; ``slow-`` is second, ``broken`` is not an image."""
    another_requested = asyncio.Event()

    async def serve(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name.startswith("slow-"):
            await another_requested.wait()
        else:
            another_requested.set()
        if "gone" in name:
            raise web.HTTPNotFound
        if "broken" in name:
            return web.Response(body=b"not an image")
        name = name.removeprefix("slow-")
        return web.Response(body=encoded(Image.new("RGB", (64, 48), name.partition(".")[0]), FORMATS.get(name, "PNG")))

    app = web.Application()
    app.router.add_get("/{name}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def source(base: str, name: str, size: int = 500) -> Source:
    return Source(f"{base}/{name}", name, size)


async def refused(backend: Backend, kind: type[Refusal], **request: Any) -> Refusal:
    """The error with which a request is refused; asserts that nothing else happened."""
    before = backend.ledger()
    with pytest.raises(kind) as raised:
        await backend.request(**request)
    assert backend.ledger() == before
    assert created(backend.kie) == []
    return raised.value


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        *((PromptLength, {"prompt": prompt}) for prompt in ("", "ab", "   ab   ", "\n\n\n\n", "p" * 5001)),
        (AutoNeedsReference, {"settings": Settings(aspect_ratio=AspectRatio.AUTO)}),
        (ControlsNeedFlex, {"settings": Settings(steps=20)}),
        (ControlsNeedFlex, {"settings": Settings(guidance=4.0)}),
        (TooManyImages, {"sources": [source("http://127.0.0.1", "red.png")] * (REFERENCES_MAX + 1)}),
    ],
)
async def test_an_invalid_request_is_refused(backend: Backend, kind: type[UserError], request_: dict[str, Any]) -> None:
    await refused(backend, kind, **request_)


@pytest.mark.parametrize("prompt", ["abc", "p" * 5000, "ein Bär 🐻"])
async def test_a_prompt_of_an_allowed_length(backend: Backend, prompt: str) -> None:
    await backend.request_and_wait(prompt)
    assert backend.prompts() == [prompt]


@pytest.mark.parametrize(
    ("model", "resolution", "price"),
    [
        (Model.PRO, Resolution.ONE_K, 5),
        (Model.PRO, Resolution.TWO_K, 7),
        (Model.FLEX, Resolution.ONE_K, 14),
        (Model.FLEX, Resolution.TWO_K, 24),
    ],
)
async def test_members_pay_what_kie_charges(
    backend: Backend, kie: KieStandIn, model: Model, resolution: Resolution, price: int
) -> None:
    await backend.request_and_wait(settings=Settings(model, resolution=resolution), count=2)
    assert backend.ledger() == [("reserve", Decimal(-price))] * 2 + [("settle", Decimal(0))] * 2
    assert kie.billed == 2 * price


async def test_the_allowance_covers_all_images_or_none(installation: Installation) -> None:
    async with installation.start(tuned(credits=12), working=False) as backend:
        error = await refused(backend, NotEnoughCredits, count=3)
        assert (error.price, error.left) == (15, 12)
        await backend.request(count=2)
        await refused(backend, NotEnoughCredits)
        await backend.request(by=BOB, count=2)
        assert await backend.spent() == 10


async def test_many_requests_at_once_never_overspend(installation: Installation) -> None:
    async with installation.start(tuned(credits=22), working=False) as backend:
        results = await asyncio.gather(*(backend.request(f"number {n}") for n in range(20)), return_exceptions=True)
        assert [type(error) for error in results if isinstance(error, BaseException)] == [NotEnoughCredits] * 16
        assert backend.ledger() == [RESERVED] * 4


async def test_a_refund_can_be_spent_again(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("createTask", Code(422, "flagged"))
    async with installation.start(tuned(credits=5)) as backend:
        await backend.request_and_wait()
        generation = await backend.request_and_wait()
        assert generation.tasks[0].state is TaskState.DELIVERED
        with pytest.raises(NotEnoughCredits):
            await backend.request()


async def test_the_limit_of_open_generations(installation: Installation) -> None:
    async with installation.start(tuned(open_limit=2), working=False) as backend:
        first = await backend.request()
        await backend.request()
        assert (await refused(backend, TooManyOpen)).limit == 2
        await backend.request(by=BOB)
        await backend.generations.cancel(first, ALICE)
        await backend.request()


async def test_requests_that_are_being_accepted_count_too(
    installation: Installation, kie: KieStandIn, attachments: str
) -> None:
    kie.script.on("upload", Hang())
    async with installation.start(tuned(open_limit=1), working=False) as backend:
        first = asyncio.create_task(backend.request(sources=[source(attachments, "red.png")]))
        await until(lambda: caused(kie), what="the upload")
        async with asyncio.timeout(5):
            assert (await refused(backend, TooManyOpen, sources=[source(attachments, "green.jpg")])).limit == 1
        first.cancel()
        await asyncio.wait({first})
        await backend.request()


async def test_the_statement_shows_quota_and_recent_entries(installation: Installation) -> None:
    async with installation.start(tuned(credits=50)) as backend:
        await backend.request_and_wait(count=2)
        statement = await backend.generations.statement(Requester(Account(ALICE, GUILD)))
        assert (statement.quota.balance.spent, statement.quota.balance.left) == (10, 40)
        assert [(entry.movement, entry.credits) for entry in statement.entries] == [("reserve", -10)]


async def test_references_are_uploaded_in_their_order(backend: Backend, kie: KieStandIn, attachments: str) -> None:
    names = ["slow-red.png", "green.jpg", "blue.webp"]
    ratio = Settings(aspect_ratio=AspectRatio.AUTO)
    generation = await backend.request_and_wait(sources=[source(attachments, name) for name in names], settings=ratio)
    assert [reference.filename for reference in generation.request.references] == names

    (task,) = kie.tasks.values()
    assert task.request.model == "flux-2/pro-image-to-image"
    assert list(task.request.input_urls) == [reference.url for reference in generation.request.references]
    uploads = [call.files["file"] for call in kie.requests if call.path == "/api/file-stream-upload"]
    by_name = {file.name: file for file in uploads}
    files = [by_name[url.rpartition("/")[2]] for url in task.request.input_urls]
    assert [main_colour(file.content) for file in files] == ["red", "green", "blue"]
    assert [file.content_type for file in files] == ["image/png", "image/jpeg", "image/webp"]


def main_colour(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        means: Sequence[float] = ImageStat.Stat(image.convert("RGB")).mean
    return max(zip(means, ("red", "green", "blue"), strict=True))[1]


@pytest.mark.parametrize(
    ("name", "size", "problem"),
    [
        ("broken.png", 500, ReferenceProblem.NOT_AN_IMAGE),
        ("gone.png", 500, ReferenceProblem.UNREACHABLE),
        ("red.png", SOURCE_MAX_BYTES + 1, ReferenceProblem.TOO_LARGE),
    ],
)
async def test_an_unusable_reference_is_named(
    backend: Backend, attachments: str, name: str, size: int, problem: ReferenceProblem
) -> None:
    sources = [source(attachments, "slow-red.png"), source(attachments, name, size)]
    error = await refused(backend, ReferenceRefused, sources=sources)
    assert (error.filename, error.problem) == (name, problem)


async def test_a_reference_on_another_host_is_refused(backend: Backend) -> None:
    error = await refused(backend, ReferenceRefused, sources=[source("https://elsewhere.example.com", "red.png")])
    assert error.problem is ReferenceProblem.UNREACHABLE


async def test_a_failed_upload_refuses_the_request(backend: Backend, kie: KieStandIn, attachments: str) -> None:
    kie.script.always("upload", Code(401, "no access"))
    await refused(backend, UploadFailed, sources=[source(attachments, "red.png")])


async def test_nothing_is_uploaded_that_cannot_be_paid(
    installation: Installation, kie: KieStandIn, attachments: str
) -> None:
    async with installation.start(tuned(credits=4)) as backend:
        await refused(backend, NotEnoughCredits, sources=[source(attachments, "red.png")])
    assert caused(kie) == []
