"""Code that has taken over a process that decodes or draws finds nothing there to take."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import ReferenceProblem
from bot.media.child_process import run_module
from bot.media.confinement import PARTS
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.sanitize import Sanitized
from tests.media.images import encoded, noise

ROOT = Path(__file__).parents[2]
KEY = "kie-key-of-the-test"
HIDE = "import ctypes; from bot.media.confinement import hide_memory; hide_memory(); print(ctypes.CDLL(None).prctl(3))"


class Break:
    """An intruder, what it is after, and the module whose name it takes in order to be imported."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._code = folder / "code"
        self._code.mkdir()
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(self._code), str(ROOT)]))
        monkeypatch.setenv("EASEL__KIE__API_KEY", KEY)
        self.source, self.target, others = (folder / "work" / name for name in ("0", "0.sanitized", "1"))
        self.source.parent.mkdir()
        self.source.write_bytes(encoded(noise(40, 30), "PNG"))
        self.database = folder / "data" / "easel.db"
        self.database.parent.mkdir()
        self.database.write_bytes(b"credits")
        others.write_bytes(b"another image of the request")
        self._listening = [socket.create_server(("127.0.0.1", 0)), *(socket.socket(socket.AF_UNIX) for _ in range(2))]
        paths = str(folder / "data" / "socket"), f"easel-test-{os.getpid()}", str(folder / "data" / "datagrams")
        self._listening[1].bind(paths[0])
        self._listening[2].bind(f"\0{paths[1]}")
        for server in self._listening[1:]:
            server.listen()
        self._listening.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self._listening[3].bind(paths[2])
        self._facts = {
            "secrets": [str(self.database), str(others)],
            "project": [str(ROOT / "pyproject.toml"), str(ROOT / "docs" / "architecture.md")],
            "bot": os.getpid(),
            "port": self._listening[0].getsockname()[1],
            "unix": paths[0],
            "abstract": paths[1],
            "datagrams": paths[2],
        }

    def plant(self, module: str, report: str = "", only: tuple[str, ...] = ()) -> Path:
        """Have the intruder imported as this module."""
        (self._code / "facts.json").write_text(json.dumps({**self._facts, "report": report, "only": only}))
        return Path(shutil.copy(Path(__file__).with_name("intruder.py"), self._code / f"{module}.py"))

    def close(self) -> None:
        for server in self._listening:
            server.close()


@pytest.fixture
def intruder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Break, None, None]:
    planted = Break(tmp_path, monkeypatch)
    yield planted
    planted.close()


def assert_nothing_to_take(report: dict[str, Any], database: Path, processor_seconds: int) -> None:
    assert report["done"] == []
    assert set(report["environment"]) <= {
        "LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER",
        "MPLCONFIGDIR",
        "OPENBLAS_NUM_THREADS",
    }
    assert report["no_new_privs"] == 1
    assert report["limits"]["CORE"] == [0, 0]
    assert report["limits"]["CPU"] == [processor_seconds, processor_seconds + 1]
    assert report["limits"]["FSIZE"][1] <= 128_000_000
    assert report["limits"]["AS"][1] <= 1 << 30
    assert report["limits"]["NOFILE"][1] <= 64
    assert database.read_bytes() == b"credits"


def test_unconfined_the_intruder_takes_what_it_wants(intruder: Break) -> None:
    """Else the other tests would prove nothing."""
    secret, bot = intruder.database, os.getpid()
    only = (
        *(f"{attempt} {secret}" for attempt in ("read", "overwrite", "open up", "touch", "list beside", "link beside")),
        *(f"{attempt} {bot}" for attempt in ("read environ of", "list the descriptors of", "signal", "slow", "limit")),
        *("connect to a server", "send a datagram", "connect to a local socket", "connect to a nameless socket"),
        *("send by a pair of sockets", f"have {bot} signalled", "keep memory that no limit counts", "watch a folder"),
        *(
            "outlive its parent",
            "start a session of its own",
            "resolve a name",
            "fork",
            "run a program",
            "share memory",
            "read the users",
        ),
    )
    code = intruder.plant("free", only=tuple(name for name in only if not name.startswith("slow")))
    report = json.loads(subprocess.run([sys.executable, code], check=True, capture_output=True).stdout)
    assert sorted(report["done"]) == sorted(name for name in only if not name.startswith("slow"))
    assert report["environment"]["EASEL__KIE__API_KEY"] == KEY


async def test_a_decoder_that_was_taken_over(intruder: Break) -> None:
    intruder.plant("pyvips", report=str(intruder.target))
    async with DecodeSandbox() as sandbox:
        with capture_logs() as logs:
            await sandbox.sanitize(intruder.source, intruder.target)
    assert [entry["event"] for entry in logs] == ["image decoder crashed"]
    report = json.loads(intruder.target.read_text())
    assert_nothing_to_take(report, intruder.database, processor_seconds=1)
    assert len(report["descriptors"]) == 1, "more than the pipe for its result"


async def test_a_chart_process_that_was_taken_over(intruder: Break, tmp_path: Path) -> None:
    intruder.plant("matplotlib")
    chart = json.dumps({"title": "", "labels": [], "series": [], "legend": False, "empty": ""}).encode()
    (tmp_path / "own").mkdir()
    result = await run_module("bot.media.spending_chart", str(tmp_path / "own"), seconds=30, stdin=chart)
    report = json.loads(result.stdout)
    assert_nothing_to_take(report, intruder.database, processor_seconds=15)
    assert report["descriptors"] == [0, 1]


async def test_where_the_system_offers_no_confinement_it_is_said_once(intruder: Break) -> None:
    (Path(intruder.plant("unused")).with_name("sitecustomize.py")).write_text(
        "import platform, bot.media.confinement as confinement\n"
        "platform.machine = lambda: 'riscv64'\n"
        "confinement._CREATE_RULESET = 1_000_000\n"
    )
    async with DecodeSandbox() as sandbox:
        with capture_logs() as logs:
            for _ in range(2):
                assert isinstance(await sandbox.sanitize(intruder.source, intruder.target), Sanitized)
    assert [entry["missing"] for entry in logs] == [sorted(PARTS[1:])]


def test_other_processes_of_the_same_user_cannot_read_the_bots_memory() -> None:
    output = subprocess.run([sys.executable, "-c", HIDE], check=True, capture_output=True, cwd=ROOT).stdout
    assert output == b"0\n"


async def test_a_decoder_that_claims_a_huge_file_to_be_its_result(intruder: Break) -> None:
    intruder.plant("pyvips").write_text(
        "import contextlib, os\n"
        f"os.truncate(os.open({str(intruder.target)!r}, os.O_RDWR), 20_000_000)\n"
        "for descriptor in range(3, 64):\n"
        "    with contextlib.suppress(OSError):\n"
        "        os.write(descriptor, b'png')\n"
        "os._exit(0)\n"
    )
    async with DecodeSandbox() as sandbox:
        assert await sandbox.sanitize(intruder.source, intruder.target) is ReferenceProblem.DAMAGED
    assert intruder.target.stat().st_size == 20_000_000
