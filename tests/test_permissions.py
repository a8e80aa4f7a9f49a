"""Nobody but the user who runs Easel can read what it keeps."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.permissions import exposed_secrets, tighten
from bot.store.sqlite import process_lock

OWN = (
    *("easel.db", "easel.db-wal", "easel.db-shm", "easel.db.lock", "easel.db.before-20250101T000000Z-wal"),
    *("openings.journal", "openings.journal.part", "easel-20250101T000000Z.db", ".easel.db.abc.part"),
    *("spool/1.image", "references/ab.png", "references/deep/er.png", "tmp/x/y", "backups/easel-2025.db"),
)


def make(folder: Path, *names: str) -> None:
    """Files that everybody can read, in folders that everybody can enter."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
        file.chmod(0o644)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


def open_to_others(*folders: Path) -> set[str]:
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return {path.name for path in paths if path.stat().st_mode & 0o077}


@pytest.mark.parametrize("extra", [(), ("lost+found/x", ".gitkeep")])
def test_an_existing_folder_is_closed_to_others(tmp_path: Path, extra: tuple[str, ...]) -> None:
    data = tmp_path / "data"
    make(data, *OWN, *extra)
    (data / "easel.db").write_bytes(b"")
    with capture_logs() as logs, process_lock(f"sqlite:///{data}/easel.db"):
        assert open_to_others(data) <= {Path(name).name for name in extra} | {"lost+found"}
    assert [entry["event"] for entry in logs] == ["other users can no longer read the data folder"]
    with capture_logs() as logs:
        tighten(data / "easel.db")
    assert logs == []


@pytest.mark.parametrize("foreign", ["notes.txt", "website/index.html", "spool.html", "easel.html", "tmp.d/x"])
def test_a_folder_with_other_files_keeps_its_own_permissions_and_theirs(tmp_path: Path, foreign: str) -> None:
    make(tmp_path / "shared", *OWN, foreign)
    tighten(tmp_path / "shared" / "easel.db")
    assert open_to_others(tmp_path / "shared") == {"shared", *Path(foreign).parts}


def test_a_folder_for_temporary_files_of_all_users_stays_one(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    make(tmp_path / "tmp", "easel.db")
    (tmp_path / "tmp").chmod(0o1777)
    tighten(tmp_path / "tmp" / "easel.db")
    assert open_to_others(tmp_path / "tmp") == {"tmp"}


def test_links_are_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    make(elsewhere, "file", "easel.db")
    make(data, "spool/1.image")
    for name in ("easel.db-wal", "references", "spool/2.image"):
        (data / name).symlink_to(elsewhere if name == "references" else elsewhere / "file")
    # The database itself may be a link: its target is Easel's.
    (data / "easel.db").symlink_to(elsewhere / "easel.db")
    with process_lock(f"sqlite:///{data}/easel.db"):
        assert not data.stat().st_mode & 0o077
    assert open_to_others(elsewhere) == {"elsewhere", "file"}


def test_a_linked_folder_is_closed(tmp_path: Path) -> None:
    make(tmp_path / "disk", *OWN)
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    tighten(tmp_path / "data" / "easel.db")
    assert open_to_others(tmp_path / "disk") == set()


@pytest.mark.parametrize(
    ("mode", "text", "warned"),
    [
        (0o644, "key = 's3cret'", True),
        (0o640, "key = 's3cret'", True),
        (0o600, "key = 's3cret'", False),
        (0o644, "", False),
    ],
)
def test_a_configuration_file_that_others_can_read(tmp_path: Path, mode: int, text: str, warned: bool) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(mode)
    assert exposed_secrets(None, (), ("", str(file))) == [str(file)] * (mode != 0o600)
    assert exposed_secrets(file, ["", "s3cret"], ()) == [str(file)] * warned
