"""The spool: images on disk by task."""

from pathlib import Path

import pytest

from bot.domain.ids import TaskId
from bot.media.fetch import Fetcher, FetchFailed, FetchGone, FetchRefused, HostNotAllowed
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


async def test_an_image_that_cannot_be_had_leaves_no_file(
    spool: Spool, kie: KieStandIn, url: str, folder: Path
) -> None:
    kie.script.always("result", Reply(410, b""))
    for address, error in (
        (url, FetchGone),
        ("https://elsewhere.example.com/a.png", HostNotAllowed),
        ("", FetchRefused),
    ):
        with pytest.raises(error):
            await spool.ensure(TASK, address)
    assert names(folder) == set()


async def test_what_is_no_file_of_ours_stops_nothing(spool: Spool, kie: KieStandIn, url: str, folder: Path) -> None:
    """A network storage puts folders there, a file system check too, and a restore leaves links that lead nowhere."""
    kie.script.always("result", IMAGE)
    for name in ("@eaDir", "lost+found", "12.parts", "12-fit.webp", "\u0663.image"):
        (folder / name).mkdir()
        (folder / name / "inside").write_bytes(b"")
    for name in ("12.image", "77.image", "78.image"):
        (folder / name).symlink_to(folder / "nowhere")
    (folder / "78.image").unlink()
    (folder / "78.image").symlink_to(folder / "lost+found")
    assert spool.tasks() == {TASK, TaskId(77), TaskId(78)}
    for task in spool.tasks() - {TASK}:
        spool.forget(task)
    assert names(folder) == {"@eaDir", "lost+found", "12.parts", "12-fit.webp", "\u0663.image", "12.image"}
    assert (await spool.ensure(TASK, url)).read_bytes() == IMAGE.body
    spool.forget(TASK)
    assert not (folder / "12.image").exists()
    assert (folder / "lost+found" / "inside").exists()


async def test_a_folder_that_cannot_be_read_or_changed_stops_nothing(
    spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "77.image").write_bytes(b"")

    def refuse(_self: Path, *_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        for method in ("unlink", "iterdir"):
            patch.setattr(Path, method, refuse)
            spool.forget(TaskId(77))
        assert spool.tasks() == set()
    assert names(folder) == {"77.image"}


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
