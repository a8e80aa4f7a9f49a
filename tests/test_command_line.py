"""The command line as a person meets it: a process of its own, its exit code, and what it prints."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Easel: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"

EX_CONFIG = 78
SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture
def easel(tmp_path: Path) -> Easel:
    """Run `python -m bot` in an empty folder, with no settings but those given."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("EASEL__")}
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=tmp_path,
            env=environment | {f"EASEL__{name}": value for name, value in settings.items()},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that an operator reads when the configuration must be mended."""
    assert done.returncode == EX_CONFIG, done.stderr
    assert done.stdout == ""
    assert SECRET not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("easel: ")]
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith(line + "\n")
    return line


def test_without_a_token(easel: Easel) -> None:
    done = easel("run")
    assert complaint(done) == (
        "easel: discord.token is missing: put it into config.toml or into EASEL__DISCORD__TOKEN."
    )
    assert len(done.stderr.splitlines()) == 1


def test_without_a_key(easel: Easel) -> None:
    assert "kie.api_key is missing" in complaint(easel("run", DISCORD__TOKEN=SECRET))


def test_with_a_damaged_file(easel: Easel, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[discord]\ntoken = "{SECRET}\n', encoding="utf-8")
    assert "config.toml is not valid TOML" in complaint(easel("run"))


def test_with_a_file_that_is_not_there(easel: Easel) -> None:
    assert "elsewhere.toml does not exist" in complaint(easel("--config", "elsewhere.toml", "run"))


def test_with_a_database_that_is_none(easel: Easel, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("dear diary")
    done = easel("db", "migrate", DATABASE__URL="sqlite:///notes.db")
    assert "notes.db cannot be used: file is not a database" in complaint(done)


def test_with_a_folder_that_cannot_be_made(easel: Easel, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    done = easel("db", "migrate", DATABASE__URL="sqlite:///data/easel.db")
    assert "cannot be written" in complaint(done)


def test_with_a_port_that_is_taken(easel: Easel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = easel("run", DISCORD__TOKEN=SECRET, KIE__API_KEY=SECRET, WEB__PORT=port)
    line = complaint(done)
    assert "web.port" in line
    assert port in line


def test_with_callbacks_that_nobody_signs(easel: Easel) -> None:
    done = easel(
        "run", DISCORD__TOKEN=SECRET, KIE__API_KEY=SECRET, KIE__CALLBACK_URL="https://example.com", WEB__PORT="0"
    )
    assert "kie.callback_key is missing" in complaint(done)


def test_the_database_is_made_and_checked_without_a_token(easel: Easel, tmp_path: Path) -> None:
    assert "does not exist: nothing to check" in complaint(easel("db", "check"))

    made = easel("db", "migrate")
    assert (made.returncode, made.stdout) == (0, "data/easel.db has the newest schema.\n")

    checked = easel("db", "check")
    assert (checked.returncode, checked.stdout) == (0, "data/easel.db is sound.\n")

    (tmp_path / "data" / "easel.db").write_bytes(b"this is not a database" * 400)
    damaged = easel("db", "check")
    assert damaged.returncode == 1
    assert damaged.stdout.endswith("data/easel.db is damaged.\n")
    assert "Traceback" not in damaged.stderr


def test_a_backup_is_made_without_a_token(easel: Easel, tmp_path: Path) -> None:
    assert "nothing to back up" in complaint(easel("db", "backup"))
    easel("db", "migrate")

    made = easel("db", "backup", "one.db")
    assert (made.returncode, made.stdout) == (0, "one.db holds data/easel.db as it was, whole and sound.\n")
    assert "one.db already exists" in complaint(easel("db", "backup", "one.db"))
    assert easel("db", "backup").returncode == 0
    (usual,) = (tmp_path / "data" / "backups").iterdir()
    assert re.fullmatch(r"easel-\d{8}T\d{6}Z\.db", usual.name)
    (tmp_path / "shelf").mkdir()
    assert easel("db", "backup", "shelf").returncode == 0
    assert len(list((tmp_path / "shelf").iterdir())) == 1


def test_a_backup_is_restored_over_a_damaged_database(easel: Easel, tmp_path: Path) -> None:
    assert "nothing to restore" in complaint(easel("db", "restore", "nowhere.db"))
    easel("db", "migrate")
    assert easel("db", "backup", "one.db").returncode == 0
    (tmp_path / "data" / "easel.db").write_bytes(b"this is not a database" * 400)
    damaged = easel("db", "backup", "two.db")
    assert (damaged.returncode, damaged.stdout) == (1, "data/easel.db is damaged: file is not a database.\n")
    assert easel("db", "restore", "data/easel.db").returncode == 1
    assert not (tmp_path / "two.db").exists()

    restored = easel("db", "restore", "one.db")
    assert restored.returncode == 0
    assert restored.stdout.startswith(
        "data/easel.db is restored from one.db. What stood there is kept as data/easel.db."
    )
    assert easel("db", "check").returncode == 0


@pytest.mark.parametrize("arguments", [[], ["draw"], ["db"], ["db", "drop"], ["db", "restore"], ["db", "check", "x"]])
def test_what_it_does_not_know(easel: Easel, arguments: list[str]) -> None:
    done = easel(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: easel")
