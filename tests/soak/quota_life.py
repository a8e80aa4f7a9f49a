"""Ten thousand random commands, with all balances looked at after every single one. Run by ``make soak-quota``."""

import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.store.quota_machine import run_machine

_STEPS = 10_000


@pytest.mark.timeout(3600)
def test_ten_thousand_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun, counts = time.monotonic(), Counter[str]()
    while counts["steps"] < _STEPS:
        counts += run_machine(tmp_path, examples=20, steps=80)
        with capsys.disabled():
            sys.stdout.write(
                f"\n{counts['steps']} steps in {time.monotonic() - begun:.0f} s: {dict(counts.most_common())}"
            )
