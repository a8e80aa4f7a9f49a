"""The pictures that the stand-in paints."""

import io

import aiohttp
import pytest
from PIL import Image

from demo.kie import (
    KieStandIn,
    Never,
    Succeed,
)
from demo.kie.paint import size_of
from tests.demo.kie.kit import Caller, open_caller, results


async def fetch_picture(caller: Caller, url: str) -> tuple[bytes, str]:
    async with aiohttp.ClientSession() as stranger, stranger.get(url) as response:
        assert response.status == 200
        return await response.read(), response.content_type


async def test_results_are_real_pictures_of_the_size_asked_for(caller: Caller) -> None:
    record = await caller.ended(await caller.create(aspect_ratio="16:9", resolution="2K"))
    content, content_type = await fetch_picture(caller, results(record)[0])
    assert content_type == "image/png"
    with Image.open(io.BytesIO(content)) as painted:
        assert painted.format == "PNG"
        assert painted.size == (2736, 1536)
    assert (await fetch_picture(caller, results(record)[0]))[0] == content


async def test_several_results_differ_and_others_do_not_exist(caller: Caller) -> None:
    caller.kie.script.next_tasks(Succeed(urls=2), Never())
    urls = results(await caller.ended(await caller.create()))
    first, second = [(await fetch_picture(caller, url))[0] for url in urls]
    assert first != second
    unfinished = await caller.create()
    for name in (urls[0].replace("-1.", "-3."), "/results/unknown.png", f"/results/{unfinished}-1.png"):
        path = name.removeprefix(caller.kie.base_url)
        async with caller.session.get(caller.kie.base_url + path) as response:
            assert response.status == 404


async def test_equal_requests_paint_equal_pictures_in_every_run() -> None:
    runs: list[bytes] = []
    for _ in range(2):
        async with open_caller(KieStandIn(durations=0)) as caller:
            record = await caller.ended(await caller.create(prompt="ein Fuchs 狐 🦊 " + "sehr " * 900))
            runs.append((await fetch_picture(caller, results(record)[0]))[0])
    assert runs[0] == runs[1]


async def test_load_runs_get_one_small_picture() -> None:
    async with open_caller(KieStandIn(durations=0, paint=False)) as caller:
        contents = [
            (await fetch_picture(caller, results(await caller.ended(await caller.create(prompt=word)))[0]))[0]
            for word in ("one", "two")
        ]
    assert contents[0] == contents[1]
    assert len(contents[0]) < 10_000


async def test_a_picture_can_be_as_heavy_as_wanted(caller: Caller) -> None:
    caller.kie.script.next_tasks(Succeed(noise_megabytes=12))
    record = await caller.ended(await caller.create())
    content, _ = await fetch_picture(caller, results(record)[0])
    assert len(content) / 1024 / 1024 == pytest.approx(12, rel=0.02)


async def test_pictures_come_in_the_format_chosen() -> None:
    async with open_caller(KieStandIn(durations=0, picture_format="JPEG")) as caller:
        url = results(await caller.ended(await caller.create()))[0]
        content, content_type = await fetch_picture(caller, url)
    assert url.endswith(".jpeg")
    assert content_type == "image/jpeg"
    assert content.startswith(b"\xff\xd8")


@pytest.mark.parametrize("ratio", ["1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3"])
@pytest.mark.parametrize(("resolution", "megapixels"), [("1K", 1), ("2K", 4)])
def test_sizes_are_multiples_of_sixteen(ratio: str, resolution: str, megapixels: int) -> None:
    width, height = size_of(ratio, resolution, None)
    wide, high = (int(side) for side in ratio.split(":"))
    assert width % 16 == height % 16 == 0
    assert width * height == pytest.approx(megapixels * 1024 * 1024, rel=0.03)
    assert width / height == pytest.approx(wide / high, rel=0.03)
