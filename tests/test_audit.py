"""What is made of pip-audit's report."""

import json
import re
from typing import Any

from tests.audit import PINNED, AuditResult, conclude, parse

SOUND: dict[str, Any] = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
VULNERABILITY = {"id": "PYSEC-2025-1", "fix_versions": ["12.1"], "aliases": [], "description": "…"}
VULNERABLE: dict[str, Any] = {
    "name": "pillow",
    "version": "12.0",
    "vulns": [VULNERABILITY, VULNERABILITY | {"id": "X-2", "fix_versions": []}],
}
UNKNOWN = {"name": "uvloop", "skip_reason": "Dependency not found and could not be audited"}


def result_of(*packages: dict[str, Any]) -> AuditResult:
    return parse(json.dumps({"dependencies": packages, "fixes": []}))


def test_a_known_vulnerability_fails() -> None:
    code, message = conclude([AuditResult(), result_of(SOUND, VULNERABLE, UNKNOWN)])
    assert code == 1
    assert "pillow 12.0: PYSEC-2025-1, fixed in 12.1" in message
    assert "pillow 12.0: X-2, fixed in no version yet" in message


def test_no_known_vulnerability_passes() -> None:
    assert conclude([result_of(SOUND, UNKNOWN)]) == (0, "audit: 1 dependencies looked up, no known vulnerability.")


def test_an_unreachable_database_is_reported() -> None:
    reports = ("", "Traceback", "[]", "{}")
    for empty in (result_of(UNKNOWN, UNKNOWN), result_of(), *map(parse, reports)):
        code, message = conclude([empty, empty])
        assert code == 0
        assert "NOT looked up" in message


def test_every_pin_has_a_hash() -> None:
    """pip-audit refuses the file otherwise, which would look like an unreachable database."""
    text = PINNED.read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9][^\n]*(?:\n    --hash=\S+(?: \\)?)+", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]\S*==", text, re.MULTILINE)) > 50
