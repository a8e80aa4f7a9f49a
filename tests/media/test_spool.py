"""The spool: images on disk by task."""

from pathlib import Path

import pytest

from bot.domain.errors import ResultUnavailable
from bot.domain.ids import TaskId
from bot.media.fetch import Fetcher, FetchFailed
from bot.media.fitting import fit
from bot.media.spool import Spool
from demo.kie import Html, KieStandIn, Reply
from tests.media.pictures import encoded, noise

ONE, OTHER = TaskId(12), TaskId(123)
PICTURE = encoded(noise(300, 300), "PNG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "spool"


@pytest.fixture
def spool(folder: Path, fetcher: Fetcher) -> Spool:
    return Spool(folder, fetcher)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_an_image_is_downloaded_once(spool: Spool, kie: KieStandIn, address: str, folder: Path) -> None:
    kie.script.always("result", Reply(200, PICTURE, "image/png"))
    path = await spool.ensure(ONE, address)
    assert path.read_bytes() == PICTURE
    assert await spool.ensure(ONE, address) == path
    assert len(kie.requests) == 1
    assert names(folder) == {path.name}


async def test_what_was_lost_is_downloaded_again(spool: Spool, kie: KieStandIn, address: str) -> None:
    kie.script.always("result", Reply(200, PICTURE, "image/png"))
    (await spool.ensure(ONE, address)).unlink()
    assert (await spool.ensure(ONE, address)).read_bytes() == PICTURE


async def test_what_is_gone_is_no_image(spool: Spool, kie: KieStandIn, address: str, folder: Path) -> None:
    kie.script.always("result", Reply(410, b""))
    with pytest.raises(ResultUnavailable):
        await spool.ensure(ONE, address)
    with pytest.raises(ResultUnavailable):
        await spool.ensure(ONE, "https://elsewhere.example.com/a.png")
    with pytest.raises(ResultUnavailable):
        await spool.ensure(ONE, "")
    assert names(folder) == set()


async def test_trouble_that_may_pass_is_told_apart(spool: Spool, kie: KieStandIn, address: str, folder: Path) -> None:
    kie.script.on("result", Html(503), Reply(200, PICTURE, "image/png"))
    with pytest.raises(FetchFailed):
        await spool.ensure(ONE, address)
    assert names(folder) == set()
    assert (await spool.ensure(ONE, address)).exists()


async def test_forgetting_removes_all_files_of_one_task(
    spool: Spool, kie: KieStandIn, address: str, folder: Path
) -> None:
    kie.script.always("result", Reply(200, PICTURE, "image/png"))
    kept = await spool.ensure(OTHER, address)
    original = await spool.ensure(ONE, address)
    fitted, _ = fit(original, 20_000)
    assert names(folder) == {kept.name, original.name, fitted.name}
    spool.forget(ONE)
    assert names(folder) == {kept.name}
    spool.forget(ONE)


async def test_sweeping_leaves_what_is_wanted(spool: Spool, kie: KieStandIn, address: str, folder: Path) -> None:
    kie.script.always("result", Reply(200, PICTURE, "image/png"))
    wanted = await spool.ensure(ONE, address)
    fitted, _ = fit(wanted, 20_000)
    await spool.ensure(OTHER, address)
    (folder / "77.part").write_bytes(b"half")
    (folder / "notes.txt").write_bytes(b"")
    spool.sweep({ONE})
    assert names(folder) == {wanted.name, fitted.name}
    spool.sweep(set())
    assert names(folder) == set()
