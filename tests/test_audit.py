"""What is made of the scanner's report."""

import json
import re
from typing import Any

from tests.audit import PINNED, Verdict, conclude, judged

SOUND: dict[str, Any] = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
HOLE = {"id": "PYSEC-2025-1", "fix_versions": ["12.1"], "aliases": [], "description": "…"}
HOLED: dict[str, Any] = {"name": "pillow", "version": "12.0", "vulns": [HOLE, HOLE | {"id": "X-2", "fix_versions": []}]}
UNKNOWN = {"name": "uvloop", "skip_reason": "Dependency not found and could not be audited"}


def report(*packages: dict[str, Any]) -> Verdict:
    return judged(json.dumps({"dependencies": packages, "fixes": []}))


def test_a_known_hole_fails() -> None:
    code, words = conclude([report(SOUND, HOLED, UNKNOWN)])
    assert code == 1
    assert "pillow 12.0: PYSEC-2025-1, mended in 12.1" in words
    assert "pillow 12.0: X-2, mended in no version yet" in words


def test_no_known_hole_passes() -> None:
    assert conclude([report(SOUND, UNKNOWN)]) == (0, "audit: 1 dependencies looked up, no known hole.")


def test_a_list_that_cannot_be_reached_is_said() -> None:
    for silent in (report(UNKNOWN, UNKNOWN), report(), judged(""), judged("Traceback"), judged("[]"), judged("{}")):
        code, words = conclude([silent, silent])
        assert code == 0
        assert "NOT looked up" in words


def test_a_hole_in_either_list_fails() -> None:
    assert conclude([Verdict(), report(HOLED)])[0] == 1


def test_every_pin_has_a_hash() -> None:
    """The scanner refuses the file otherwise, which would look as if no list could be reached."""
    pins = re.findall(r"^[a-z0-9][^\n]*(?:\n    --hash=\S+(?: \\)?)+", PINNED.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]\S*==", PINNED.read_text(encoding="utf-8"), re.MULTILINE)) > 50
