"""Holds the pinned dependencies against the public lists of known holes: python -m tests.audit

Ends with 1 when one is known, and says so when no list can be reached, which is no failure.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PINNED = Path(__file__).parent.parent / "requirements" / "dev.txt"
_LISTS = ("pypi", "osv")
_PATIENCE = 60.0
_SOCKET_PATIENCE = "5"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many packages were looked up, and what is known of them, one line each."""

    looked_up: int = 0
    holes: Sequence[str] = field(default_factory=tuple[str, ...])


def judged(report: str) -> Verdict:
    """What a report in JSON says; one that is no JSON tells of nothing looked up."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Verdict()
    known = [one for one in packages if "skip_reason" not in one]
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in known
        for hole in one["vulns"]
    ]
    return Verdict(len(known), holes)


def ask(source: str) -> Verdict:
    """Have the scanner look everything up in one of the lists."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", source, "--requirement", str(PINNED)]
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(
            [*command, *options, "--timeout", _SOCKET_PATIENCE],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict()
    return judged(done.stdout)


def conclude(verdicts: Sequence[Verdict]) -> tuple[int, str]:
    """The exit code, and what to print."""
    holes = sorted({hole for verdict in verdicts for hole in verdict.holes})
    if holes:
        return 1, "\n".join(["audit: known holes in the dependencies:", *holes])
    looked_up = max((verdict.looked_up for verdict in verdicts), default=0)
    if not looked_up:
        return 0, "audit: no list of known holes can be reached from here; the dependencies were NOT looked up."
    return 0, f"audit: {looked_up} dependencies looked up, no known hole."


def main() -> int:
    """Ask one list after another until one answers."""
    verdicts: list[Verdict] = []
    for source in _LISTS:
        verdicts.append(ask(source))
        if verdicts[-1].looked_up:
            break
    code, words = conclude(verdicts)
    sys.stdout.write(words + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
