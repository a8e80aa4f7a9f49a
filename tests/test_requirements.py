"""What is installed, and how: pinned, with hashes, and nothing fetched beside it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "requirements").iterdir())


def pinned(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", file.read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_package_is_pinned_with_hashes(file: Path) -> None:
    packages = re.split(r"^(?=\w)", file.read_text(), flags=re.MULTILINE)[1:]
    assert packages
    for package in packages:
        assert re.match(r"[\w.-]+==[\w.]+(?: ; .*?)? \\\n +--hash=sha256:[0-9a-f]{64}", package), package
    assert "://" not in file.read_text()
    assert pinned(file).items() <= pinned(ROOT / "requirements" / "dev.txt").items()


def test_nothing_is_installed_without_a_hash() -> None:
    """Only pyvips is built from source; what builds it comes from build.txt, not from wherever pip finds it."""
    make = shutil.which("make")
    assert make is not None
    made = "".join(
        subprocess.run(
            [make, "--dry-run", target, "VENV=not-there"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for target in ("run", "check")
    )
    dockerfile = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    commands = re.findall(r"pip install ([^&\n]*)", made + dockerfile)
    assert len(commands) == 7
    for command in commands:
        options = command.split()
        if "--editable" in options:
            assert {"--no-deps", "--no-build-isolation"} <= {*options}
        else:
            assert {"--require-hashes", "--only-binary", ":all:"} <= {*options}
            assert (
                ("--no-build-isolation" in options) == ("--no-binary" in options) == (options[-1][-9:] != "build.txt")
            )
