"""Searches the pinned dependencies for known vulnerabilities: python -m tests.audit

The exit code is 1 if there is one. It is 0 if no vulnerability database can be reached, which is printed.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PINNED = Path(__file__).parent.parent / "requirements" / "dev.txt"
_DATABASES = ("pypi", "osv")
_TIMEOUT = 60.0
_SOCKET_TIMEOUT = "5"


@dataclass(frozen=True, slots=True)
class AuditResult:
    """How many packages were looked up, and their vulnerabilities, one line each."""

    looked_up: int = 0
    vulnerabilities: Sequence[str] = field(default_factory=tuple[str, ...])


def parse(report: str) -> AuditResult:
    """The result of pip-audit's JSON report; empty if the report is not valid."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return AuditResult()
    known = [package for package in packages if "skip_reason" not in package]
    vulnerabilities = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for package in known
        for vulnerability in package["vulns"]
    ]
    return AuditResult(len(known), vulnerabilities)


def search(database: str) -> AuditResult:
    """Run pip-audit with one vulnerability database."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", database, "--requirement", str(PINNED)]
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(
            [*command, *options, "--timeout", _SOCKET_TIMEOUT],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return AuditResult()
    return parse(done.stdout)


def conclude(results: Sequence[AuditResult]) -> tuple[int, str]:
    """The exit code, and what to print."""
    vulnerabilities = sorted({line for result in results for line in result.vulnerabilities})
    if vulnerabilities:
        return 1, "\n".join(["audit: known vulnerabilities in the dependencies:", *vulnerabilities])
    looked_up = max((result.looked_up for result in results), default=0)
    if not looked_up:
        return 0, "audit: no vulnerability database can be reached; the dependencies were NOT looked up."
    return 0, f"audit: {looked_up} dependencies looked up, no known vulnerability."


def main() -> int:
    """Search one database after the other until one answers."""
    results: list[AuditResult] = []
    for database in _DATABASES:
        results.append(search(database))
        if results[-1].looked_up:
            break
    code, message = conclude(results)
    sys.stdout.write(message + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
