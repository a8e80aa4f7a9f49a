"""The front desk: what is accepted, what is refused, and that a refusal costs nothing."""

import asyncio
import io
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

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
    TooManyOpen,
    UploadFailed,
    UserError,
)
from bot.domain.generation import Source
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import TaskState
from bot.generation.references import SOURCE_MAX_BYTES
from demo.kie import Code, KieStandIn
from tests.generation.easel import ALICE, BOB, GUILD, Easel, House, tuned
from tests.kie.schema import caused, check_all, created
from tests.media.images import encoded

COLOURS = {"red.png": "PNG", "green.jpg": "JPEG", "blue.webp": "WEBP"}


@pytest.fixture
async def attachments() -> AsyncGenerator[str, None]:
    """Where members' pictures are: by name, in one colour each; ``slow-`` comes late, ``broken`` is no picture."""

    async def serve(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name.startswith("slow-"):
            await asyncio.sleep(0.2)
        if "gone" in name:
            raise web.HTTPNotFound
        if "broken" in name:
            return web.Response(body=b"no picture at all")
        picture = Image.new("RGB", (64, 48), name.removeprefix("slow-").partition(".")[0])
        return web.Response(body=encoded(picture, COLOURS.get(name.removeprefix("slow-"), "PNG")))

    app = web.Application()
    app.router.add_get("/{name}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def source(base: str, name: str, size: int = 500) -> Source:
    return Source(f"{base}/{name}", name, size)


async def refused(easel: Easel, kind: type[UserError], prompt: str = "a lighthouse", **wish: Any) -> UserError:
    """Assert that the wish is refused, and that nothing has happened."""
    before = easel.ledger()
    with pytest.raises(kind) as raised:
        await easel.ask(prompt, **wish)
    assert easel.ledger() == before
    assert created(easel.kie) == []
    return raised.value


@pytest.mark.parametrize("prompt", ["", "ab", "   ab   ", "\n\n\n\n", "p" * 5001])
async def test_a_prompt_of_a_wrong_length(easel: Easel, prompt: str) -> None:
    await refused(easel, PromptLength, prompt)


@pytest.mark.parametrize("prompt", ["abc", "p" * 5000, "ein Bär 🐻"])
async def test_a_prompt_of_an_allowed_length(easel: Easel, prompt: str) -> None:
    await easel.told(await easel.ask(prompt))
    assert easel.prompts() == [prompt]


async def test_settings_that_do_not_go_together(easel: Easel) -> None:
    await refused(easel, AutoNeedsReference, settings=Settings(aspect_ratio=AspectRatio.AUTO))
    await refused(easel, ControlsNeedFlex, settings=Settings(steps=20))
    await refused(easel, ControlsNeedFlex, settings=Settings(guidance=4.0))


@pytest.mark.parametrize(
    ("model", "resolution", "price"),
    [
        (Model.PRO, Resolution.ONE_K, 5),
        (Model.PRO, Resolution.TWO_K, 7),
        (Model.FLEX, Resolution.ONE_K, 14),
        (Model.FLEX, Resolution.TWO_K, 24),
    ],
)
async def test_the_price_is_kies(
    easel: Easel, kie: KieStandIn, model: Model, resolution: Resolution, price: int
) -> None:
    await easel.told(await easel.ask(settings=Settings(model, resolution=resolution), count=2))
    assert easel.ledger() == [("reserve", Decimal(-price))] * 2 + [("settle", Decimal(0))] * 2
    assert kie.billed == 2 * price


async def test_the_allowance_covers_the_whole_wish_or_nothing(house: House) -> None:
    async with house.easel(tuned(credits=12), working=False) as easel:
        error = await refused(easel, NotEnoughCredits, count=3)
        assert isinstance(error, NotEnoughCredits)
        assert (error.price, error.left) == (15, 12)
        await easel.ask(count=2)
        await refused(easel, NotEnoughCredits)
        await easel.ask(by=BOB, count=2)
        assert await easel.spent() == 10


async def test_many_wishes_at_once_never_overspend(house: House) -> None:
    async with house.easel(tuned(credits=22), working=False) as easel:
        ends = await asyncio.gather(*(easel.ask(f"wish {n}") for n in range(20)), return_exceptions=True)
        assert [type(end) for end in ends if isinstance(end, BaseException)] == [NotEnoughCredits] * 16
        assert easel.ledger() == [("reserve", Decimal(-5))] * 4


async def test_a_refund_can_be_spent_again(house: House, kie: KieStandIn) -> None:
    kie.script.on("createTask", Code(422, "flagged"))
    async with house.easel(tuned(credits=5)) as easel:
        await easel.told(await easel.ask())
        wish = await easel.ask()
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        with pytest.raises(NotEnoughCredits):
            await easel.ask()


async def test_so_many_open_wishes_and_no_more(house: House) -> None:
    async with house.easel(tuned(open_limit=2), working=False) as easel:
        first = await easel.ask()
        await easel.ask()
        error = await refused(easel, TooManyOpen)
        assert isinstance(error, TooManyOpen)
        assert error.limit == 2
        await easel.ask(by=BOB)
        await easel.generations.cancel(first, ALICE)
        await easel.ask()


async def test_the_statement(house: House) -> None:
    async with house.easel(tuned(credits=50)) as easel:
        await easel.told(await easel.ask(count=2))
        statement = await easel.generations.statement(Requester(Account(ALICE, GUILD)))
        assert (statement.standing.balance.spent, statement.standing.balance.left) == (10, 40)
        assert [(one.movement, one.credits) for one in statement.movements] == [("reserve", -10)]


async def test_references_are_uploaded_in_their_order(easel: Easel, kie: KieStandIn, attachments: str) -> None:
    names = ["slow-red.png", "green.jpg", "blue.webp"]
    ratio = Settings(aspect_ratio=AspectRatio.AUTO)
    wish = await easel.ask(sources=[source(attachments, name) for name in names], settings=ratio)
    generation = await easel.told(wish)
    assert [reference.filename for reference in generation.request.references] == names

    check_all(kie)
    (task,) = kie.tasks.values()
    assert task.request.model == "flux-2/pro-image-to-image"
    assert list(task.request.input_urls) == [reference.url for reference in generation.request.references]
    uploads = {
        call.files["file"].name: call.files["file"] for call in kie.requests if call.path == "/api/file-stream-upload"
    }
    seen: list[str] = []
    for url in task.request.input_urls:
        file = uploads[url.rpartition("/")[2]]
        with Image.open(io.BytesIO(file.content)) as picture:
            red, green, blue = ImageStat.Stat(picture.convert("RGB")).mean
        seen.append(max(("red", red), ("green", green), ("blue", blue), key=lambda band: band[1])[0])
        assert file.content_type == {"red": "image/png", "green": "image/jpeg", "blue": "image/webp"}[seen[-1]]
    assert seen == ["red", "green", "blue"]


@pytest.mark.parametrize(
    ("name", "size", "problem"),
    [
        ("broken.png", 500, ReferenceProblem.NOT_AN_IMAGE),
        ("gone.png", 500, ReferenceProblem.UNREACHABLE),
        ("red.png", SOURCE_MAX_BYTES + 1, ReferenceProblem.TOO_LARGE),
    ],
)
async def test_a_reference_that_cannot_be_used(
    easel: Easel, kie: KieStandIn, attachments: str, name: str, size: int, problem: ReferenceProblem
) -> None:
    sources = [source(attachments, "slow-red.png"), source(attachments, name, size)]
    error = await refused(easel, ReferenceRefused, sources=sources)
    assert isinstance(error, ReferenceRefused)
    assert (error.filename, error.problem) == (name, problem)


async def test_a_reference_from_another_host(easel: Easel) -> None:
    error = await refused(easel, ReferenceRefused, sources=[source("https://elsewhere.example.com", "red.png")])
    assert isinstance(error, ReferenceRefused)
    assert error.problem is ReferenceProblem.UNREACHABLE


async def test_an_upload_that_fails(easel: Easel, kie: KieStandIn, attachments: str) -> None:
    kie.script.always("upload", Code(401, "no access"))
    await refused(easel, UploadFailed, sources=[source(attachments, "red.png")])


async def test_nobody_uploads_what_cannot_be_paid(house: House, kie: KieStandIn, attachments: str) -> None:
    async with house.easel(tuned(credits=4)) as easel:
        await refused(easel, NotEnoughCredits, sources=[source(attachments, "red.png")])
    assert caused(kie) == []
