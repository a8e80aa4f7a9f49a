"""The images that the stand-in serves, and the references that it takes."""

import io

import aiohttp
import pytest
from PIL import Image

from demo.kie import KieStandIn, Never, Succeed
from demo.kie.images import ImageSpec, draw_image, size_of
from demo.kie.wire import is_loopback
from tests.demo.kie.conftest import PRO, PRO_EDIT, UPLOAD, CallbackListener, KieCaller, image, open_caller, results


async def test_a_result_is_a_png_of_the_requested_size(caller: KieCaller) -> None:
    (url,) = results(await caller.finish(aspect_ratio="16:9", resolution="2K"))
    status, content_type, content = await caller.download(url)
    assert (status, content_type) == (200, "image/png")
    with Image.open(io.BytesIO(content)) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (2736, 1536))


async def test_several_results_differ_and_others_do_not_exist(caller: KieCaller) -> None:
    caller.kie.script.next_tasks(Succeed(urls=2), Never())
    first, second = results(await caller.finish())
    assert (await caller.download(first))[2] != (await caller.download(second))[2]
    unfinished = await caller.create()
    for name in (first.rpartition("/")[2].replace("-1.", "-3."), "unknown.png", f"{unfinished}-1.png"):
        assert (await caller.download(f"{caller.kie.base_url}/results/{name}"))[0] == 404


@pytest.mark.parametrize("prompt", ["   ", "x", "ein Fuchs 狐 🦊 " + "sehr " * 900, "x" * 5000, "lone \ud800"])
@pytest.mark.parametrize("references", [(), (image((30, 20)),) * 8, (image()[:60],)])
def test_equal_specs_give_equal_images(prompt: str, references: tuple[bytes, ...]) -> None:
    spec = ImageSpec(prompt, PRO, "9:16", "1K", references, shrink=4)
    assert draw_image(spec) == draw_image(spec)


def test_everything_in_a_spec_shows() -> None:
    specs = [
        ImageSpec("a fox", PRO, "1:1", "1K", shrink=4),
        ImageSpec("a hen", PRO, "1:1", "1K", shrink=4),
        ImageSpec("a fox", PRO_EDIT, "1:1", "1K", shrink=4),
        ImageSpec("a fox", PRO, "3:2", "1K", shrink=4),
        ImageSpec("a fox", PRO, "1:1", "2K", shrink=8),
        ImageSpec("a fox", PRO, "1:1", "1K", (image(),), shrink=4),
        ImageSpec("a fox", PRO, "1:1", "1K", variant=1, shrink=4),
    ]
    assert len({draw_image(spec) for spec in specs}) == len(specs)


async def test_load_runs_get_one_small_image() -> None:
    async with open_caller(KieStandIn(durations=0, draw=False)) as caller:
        urls = [results(await caller.finish(prompt=prompt))[0] for prompt in ("one", "two")]
        first, second = [(await caller.download(url))[2] for url in urls]
    assert first == second
    assert len(first) < 10_000


async def test_an_image_can_be_as_large_as_a_test_needs(caller: KieCaller) -> None:
    caller.kie.script.next_tasks(Succeed(noise_megabytes=12))
    (url,) = results(await caller.finish())
    assert len((await caller.download(url))[2]) / 1024 / 1024 == pytest.approx(12, rel=0.02)


@pytest.mark.parametrize("ratio", ["1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3"])
@pytest.mark.parametrize(("resolution", "megapixels"), [("1K", 1), ("2K", 4)])
def test_sizes_are_multiples_of_sixteen(ratio: str, resolution: str, megapixels: int) -> None:
    width, height = size_of(ratio, resolution, None)
    wide, high = (int(side) for side in ratio.split(":"))
    assert width % 16 == height % 16 == 0
    assert width * height == pytest.approx(megapixels * 1024 * 1024, rel=0.03)
    assert width / height == pytest.approx(wide / high, rel=0.03)


async def test_an_upload_is_kept_and_served_without_a_key(caller: KieCaller) -> None:
    content = image()
    answer = await caller.upload(content, uploadPath="easel/in", fileName="a fox #1.png")
    assert (answer["success"], answer["code"]) == (True, 200)
    url = answer["data"].pop("downloadUrl")
    assert answer["data"].pop("uploadedAt")
    assert answer["data"] == {
        "fileName": "a fox #1.png",
        "filePath": "easel/in/a fox #1.png",
        "fileSize": len(content),
        "mimeType": "image/png",
    }
    assert await caller.download(url) == (200, "image/png", content)
    assert (await caller.download(f"{caller.kie.base_url}/uploads/none.png"))[0] == 404


async def test_an_upload_needs_a_path_and_a_file(caller: KieCaller) -> None:
    without_file = (await caller.send("POST", UPLOAD, data=aiohttp.FormData({"uploadPath": "x"})))[1]
    for answer in (await caller.upload(image()), without_file):
        assert (answer["success"], answer["code"]) == (False, 400)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
async def test_references_are_loaded_and_give_auto_its_shape(
    caller: KieCaller, listener: CallbackListener, file_format: str
) -> None:
    urls = [await caller.reference(image((32, 48), file_format), f"{number}.x") for number in range(2)]
    urls.append(f"{listener.url}/fox.png")
    record = await caller.finish(PRO_EDIT, input_urls=urls, aspect_ratio="auto")
    assert record["state"] == "success"
    with Image.open(io.BytesIO((await caller.download(results(record)[0]))[2])) as drawn:
        assert drawn.width / drawn.height == pytest.approx(32 / 48, rel=0.03)


async def test_an_unusable_reference_fails_the_task(caller: KieCaller, listener: CallbackListener) -> None:
    unusable = [
        f"{caller.kie.base_url}/uploads/never-sent.png",
        f"{listener.url}/none.png",
        "http://192.0.2.1/fox.png",
        "https://example.com/fox.png",
        "not an address",
        await caller.reference(b"plain words", "words.png"),
        await caller.reference(image() + bytes(10 * 1024 * 1024), "large.png"),
        await caller.reference(image(file_format="BMP"), "old.bmp"),
    ]
    usable = await caller.reference(image(), "good.png")
    for url in unusable:
        record = await caller.finish(PRO_EDIT, input_urls=[usable, url])
        assert record["state"] == "fail", url
        assert record["failMsg"].startswith("Image fetch failed.")
    assert caller.kie.billed == 0


def test_only_this_machine_is_contacted() -> None:
    here = ("127.0.0.1:80", "127.8.8.8", "localhost", "[::1]:8")
    elsewhere = ("10.0.0.1", "0.0.0.0", "localhost.example.com", "127.0.0.1@example.com", "[bad")
    assert all(is_loopback(f"http://{host}/x") for host in here)
    assert not any(is_loopback(f"http://{host}/x") for host in elsewhere)
    assert not is_loopback("file:///etc/hostname")
