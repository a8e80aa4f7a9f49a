"""The spool: images on disk by task."""

from pathlib import Path

import pytest

from bot.domain.errors import ResultUnavailable
from bot.domain.ids import TaskId
from bot.media.fetch import Fetcher, FetchFailed
from bot.media.fitting import fit
from bot.media.spool import Spool
from demo.kie import Html, KieStandIn, Reply
from tests.media.images import encoded, noise

TASK, OTHER_TASK = TaskId(12), TaskId(123)
IMAGE = Reply(200, encoded(noise(300, 300), "PNG"), "image/png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "spool"


@pytest.fixture
def spool(folder: Path, fetcher: Fetcher) -> Spool:
    return Spool(folder, fetcher)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_an_image_is_downloaded_once(spool: Spool, kie: KieStandIn, url: str, folder: Path) -> None:
    kie.script.always("result", IMAGE)
    path = await spool.ensure(TASK, url)
    assert path.read_bytes() == IMAGE.body
    assert await spool.ensure(TASK, url) == path
    assert len(kie.requests) == 1
    assert names(folder) == {path.name}


async def test_what_was_lost_is_downloaded_again(spool: Spool, kie: KieStandIn, url: str) -> None:
    kie.script.always("result", IMAGE)
    (await spool.ensure(TASK, url)).unlink()
    assert (await spool.ensure(TASK, url)).read_bytes() == IMAGE.body


async def test_an_image_that_is_gone_is_unavailable(spool: Spool, kie: KieStandIn, url: str, folder: Path) -> None:
    kie.script.always("result", Reply(410, b""))
    for gone in (url, "https://elsewhere.example.com/a.png", ""):
        with pytest.raises(ResultUnavailable):
            await spool.ensure(TASK, gone)
    assert names(folder) == set()


async def test_a_temporary_error_is_told_apart(spool: Spool, kie: KieStandIn, url: str, folder: Path) -> None:
    kie.script.on("result", Html(503), IMAGE)
    with pytest.raises(FetchFailed):
        await spool.ensure(TASK, url)
    assert names(folder) == set()
    assert (await spool.ensure(TASK, url)).exists()


async def test_forgetting_removes_all_files_of_one_task(spool: Spool, kie: KieStandIn, url: str, folder: Path) -> None:
    kie.script.always("result", IMAGE)
    other = await spool.ensure(OTHER_TASK, url)
    original = await spool.ensure(TASK, url)
    fitted, _ = fit(original, 20_000)
    assert names(folder) == {other.name, original.name, fitted.name}
    spool.forget(TASK)
    assert names(folder) == {other.name}
    spool.forget(TASK)


async def test_sweeping_leaves_the_files_of_wanted_tasks(spool: Spool, kie: KieStandIn, url: str, folder: Path) -> None:
    kie.script.always("result", IMAGE)
    wanted = await spool.ensure(TASK, url)
    fitted, _ = fit(wanted, 20_000)
    await spool.ensure(OTHER_TASK, url)
    (folder / "77.part").write_bytes(b"half")
    (folder / "notes.txt").write_bytes(b"")
    spool.sweep({TASK})
    assert names(folder) == {wanted.name, fitted.name}
