"""The command line as a process of its own: its exit code and its output."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest

from bot import VERSION
from tests.test_permissions import open_to_others

Easel: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"

EX_CONFIG = 78
SECRET = "hunter2-hunter2-hunter2"
SECRETS = {"DISCORD__TOKEN": SECRET, "KIE__API_KEY": SECRET}


@pytest.fixture
def easel(tmp_path: Path) -> Easel:
    """Runs `python -m bot` in an empty folder, with no settings but those given."""

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


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that tells the operator what is wrong, without secrets."""
    assert done.returncode == EX_CONFIG, done.stderr
    assert done.stdout == ""
    assert SECRET not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("easel: ")]
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith(line + "\n")
    return line


def test_a_missing_token_or_key(easel: Easel) -> None:
    done = easel("run")
    assert error_of(done) == (
        "easel: there is no config.toml in this folder: `python -m bot init` asks for the token and the key and writes "
        "it."
    )
    assert len(done.stderr.splitlines()) == 1
    assert error_of(easel("run", KIE__API_KEY=SECRET)) == (
        "easel: discord.token is missing: set it in config.toml or in EASEL__DISCORD__TOKEN, or name a file that "
        "holds it in EASEL__DISCORD__TOKEN_FILE."
    )


def test_an_invalid_or_missing_file(easel: Easel, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[discord]\ntoken = "{SECRET}\n', encoding="utf-8")
    assert "config.toml is not valid TOML" in error_of(easel("run"))
    for arguments in (("--config", "elsewhere.toml", "run"), ("run", "--config", "elsewhere.toml")):
        assert "elsewhere.toml does not exist" in error_of(easel(*arguments))


def test_help_and_version(easel: Easel) -> None:
    done = easel()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m bot")
    assert "examples:" in done.stdout
    assert easel("--version").stdout == f"easel {VERSION}\n"


def test_a_check_names_each_mistake_in_the_configuration(easel: Easel, tmp_path: Path) -> None:
    done = easel("check")
    assert done.returncode == EX_CONFIG
    assert done.stdout.startswith(
        "✗ configuration    there is no config.toml in this folder → `python -m bot init` asks"
    )
    (tmp_path / "config.toml").write_text("[kie]\napikey = 1\n[web]\nport = 99999\n")
    done = easel("check", "--json", KIE__NEWTASKS="1")
    assert done.returncode == EX_CONFIG
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    assert {(line["name"], line["outcome"], line["fix"]) for line in answer["checks"][:3]} == {
        ("configuration", "failed", "correct it in config.toml"),
        ("configuration", "failed", "correct this environment variable"),
    }
    details = "\n".join(line["detail"] for line in answer["checks"])
    assert "kie.apikey: unknown setting (did you mean kie.api_key?)" in details
    assert "EASEL__KIE__NEWTASKS: unknown setting (did you mean EASEL__KIE__NEW_TASKS?)" in details
    assert "web.port: " in details
    assert answer["checks"][3]["outcome"] == "skipped"


def test_a_database_that_cannot_be_used(easel: Easel, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("dear diary")
    done = easel("db", "migrate", DATABASE__URL="sqlite:///notes.db")
    assert "notes.db cannot be used: file is not a database" in error_of(done)
    (tmp_path / "data").write_text("a file where the folder should be")
    assert "cannot be written" in error_of(easel("db", "migrate", DATABASE__URL="sqlite:///data/easel.db"))


def test_a_database_that_cannot_be_read_is_not_called_damaged(easel: Easel, tmp_path: Path) -> None:
    (tmp_path / "data" / "easel.db").mkdir(parents=True)
    (tmp_path / "loop").symlink_to("loop")
    for command in ("check", "backup"):
        assert "disk I/O error" in error_of(easel("db", command))
        assert "loop" in error_of(easel("db", command, DATABASE__URL="sqlite:///loop/easel.db"))


def answer_once(server: socket.socket, path: str, status: str) -> None:
    connection, _ = server.accept()
    with connection:
        assert connection.recv(4096).startswith(f"GET {path} HTTP/1.1\r\n".encode())
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.mark.parametrize(("listens", "host"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("::1", "::")])
def test_the_health_check_follows_the_settings(easel: Easel, listens: str, host: str) -> None:
    family = socket.AF_INET6 if ":" in listens else socket.AF_INET
    with socket.create_server((listens, 0), family=family) as server, ThreadPoolExecutor(1) as pool:
        port = str(server.getsockname()[1])

        for options, path, status, code in (
            ((), "/healthz", "200 OK", 0),
            (("--ready",), "/readyz", "200 OK", 0),
            (("--ready",), "/readyz", "503 Service Unavailable", 1),
        ):
            answered = pool.submit(answer_once, server, path, status)
            assert easel("health", *options, WEB__HOST=host, WEB__PORT=port).returncode == code
            answered.result()
    assert easel("health", WEB__HOST=host, WEB__PORT=port).returncode == 1
    assert "web.port is 0" in error_of(easel("health", WEB__PORT="0"))


def test_a_crash_shows_no_secret() -> None:
    program = (
        "import os, sys, bot.cli.bot\nfrom bot.cli.main import main\n"
        "def crash(command, config): raise RuntimeError(os.environ['EASEL__KIE__API_KEY'])\n"
        "bot.cli.bot.perform = crash\n"
        "sys.exit(main(['run']))"
    )
    environment = os.environ | {f"EASEL__{name}": value for name, value in SECRETS.items()}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "RuntimeError: [secret]" in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_a_host_that_is_no_name(easel: Easel) -> None:
    assert "web.host" in error_of(easel("run", **SECRETS, WEB__HOST="a..b"))
    assert easel("health", WEB__HOST="a..b").returncode == 1


def test_a_port_that_is_in_use(easel: Easel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        error = error_of(easel("run", **SECRETS, WEB__PORT=port))
    assert "web.port" in error
    assert port in error


def test_callbacks_without_a_key(easel: Easel) -> None:
    done = easel("run", **SECRETS, KIE__CALLBACK_URL="https://example.com", WEB__PORT="0")
    assert "kie.callback_key is missing" in error_of(done)


def test_the_database_is_created_and_checked_without_a_token(easel: Easel, tmp_path: Path) -> None:
    assert "does not exist: nothing to check" in error_of(easel("db", "check"))

    migrated = easel("db", "migrate")
    assert (migrated.returncode, migrated.stdout) == (0, "data/easel.db has the newest schema.\n")
    (tmp_path / "data").chmod(0o755)
    (tmp_path / "data" / "easel.db").chmod(0o644)
    checked = easel("db", "check")
    assert (checked.returncode, checked.stdout) == (0, "data/easel.db is intact.\n")
    assert open_to_others(tmp_path) == set()

    with closing(sqlite3.connect(tmp_path / "data" / "easel.db")) as connection, connection:
        connection.execute("INSERT INTO ledger_totals VALUES ('all', 0, 0, 0, 1954802, -5000)")
    audited = easel("db", "check")
    assert audited.returncode == 1
    assert audited.stdout.endswith("data/easel.db is intact, but the audit of its ledger found 1 problem.\n")
    repaired = easel("db", "check", "--repair")
    assert (repaired.returncode, repaired.stdout.splitlines()[-1]) == (0, "data/easel.db is intact.")

    (tmp_path / "data" / "easel.db").write_bytes(b"this is not a database" * 400)
    damaged = easel("db", "check")
    assert damaged.returncode == 1
    assert damaged.stdout.endswith("data/easel.db is damaged.\n")
    assert "Traceback" not in damaged.stderr


@pytest.mark.long
def test_a_backup_is_made_and_restored_over_a_damaged_database(easel: Easel, tmp_path: Path) -> None:
    assert "nothing to back up" in error_of(easel("db", "backup"))
    assert "nothing to restore" in error_of(easel("db", "restore", "nowhere.db"))
    easel("db", "migrate")

    assert re.fullmatch(r"data/easel\.db shrank from .* MB to .* MB; .* by itself\.\n", easel("db", "compact").stdout)
    made = easel("db", "backup", "one.db")
    assert (made.returncode, made.stdout) == (0, "data/easel.db was backed up to one.db; the copy was checked.\n")
    assert re.search(r"one\.db .*exists", error_of(easel("db", "backup", "one.db")))
    assert easel("db", "backup").returncode == 0
    (backup,) = (tmp_path / "data" / "backups").iterdir()
    assert re.fullmatch(r"easel-\d{8}T\d{6}Z\.db", backup.name)
    (tmp_path / "folder").mkdir()
    assert easel("db", "backup", "folder").returncode == 0
    assert len(list((tmp_path / "folder").iterdir())) == 1

    (tmp_path / "data" / "easel.db").write_bytes(b"this is not a database" * 400)
    damaged = easel("db", "backup", "two.db")
    assert (damaged.returncode, damaged.stdout) == (1, "data/easel.db is damaged: file is not a database.\n")
    assert not (tmp_path / "two.db").exists()
    assert easel("db", "restore", "data/easel.db").returncode == 1

    restored = easel("db", "restore", "one.db")
    assert restored.returncode == 0
    expected = "data/easel.db was restored from one.db. The previous database was kept as data/easel.db."
    assert restored.stdout.startswith(expected)
    assert easel("db", "check").returncode == 0
    # What the test itself made aside, nobody else can read any of it.
    assert open_to_others(tmp_path) - {"folder"} == set()


def test_work_on_the_database_that_is_ended_is_not_taken_for_done(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://easel@127.0.0.1:{silent.getsockname()[1]}/easel"
        command = [sys.executable, "-m", "bot", "db", "migrate"]
        with subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"EASEL__DATABASE__URL": url}) as process:
            connection, _ = silent.accept()
            with connection:
                process.terminate()
                assert process.wait(timeout=30) == 1


@pytest.mark.parametrize(
    "arguments", [["draw"], ["db"], ["db", "drop"], ["db", "restore"], ["db", "check", "x"], ["db", "copy"]]
)
def test_unknown_arguments(easel: Easel, arguments: list[str]) -> None:
    done = easel(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m bot")
