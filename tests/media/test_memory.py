"""How much memory the process takes that decodes a member's image."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.media.images import encoded, png_of_one_colour, smooth

ROOT = Path(__file__).parents[2]
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen([sys.executable, "-m", "bot.media.sanitize", *sys.argv[1:]])
_, status, usage = os.wait4(process.pid, 0)
print("", status, usage.ru_maxrss)
"""
"""Run in a small process of its own: on Linux, a process begins with the memory peak of its parent."""


def large_webp() -> bytes:
    """Twenty megapixels."""
    return encoded(smooth(684, 456).resize((5472, 3648)), "WEBP", quality=60, method=0)


def huge_png() -> bytes:
    """An image that once crashed another bot: 177 megapixels in just under 10 MB."""
    return png_of_one_colour(13_300, 13_300, 9_990_000)


@pytest.mark.parametrize(
    ("build", "result", "megabytes"),
    [
        pytest.param(large_webp, "webp", 120, id="webp of 20 megapixels"),
        pytest.param(huge_png, "too_many_pixels", 60, id="png of 177 megapixels"),
    ],
)
def test_peak_memory(tmp_path: Path, build: Callable[[], bytes], result: str, megabytes: int) -> None:
    (tmp_path / "source").write_bytes(build())
    arguments = [sys.executable, "-c", MEASURE, *(str(tmp_path / name) for name in ("source", "target")), "10"]
    output = subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert output[:2] == [result, "0"]
    assert int(output[2]) * 1024 < megabytes * 1_000_000
