"""What a check says."""

from dataclasses import dataclass
from enum import StrEnum


class CheckOutcome(StrEnum):
    """Whether something works."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    """It is not in use, or could not be tried because something before it failed."""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that was checked: what was found and, if that is a failure, what to do."""

    name: str
    outcome: CheckOutcome
    detail: str
    fix: str = ""


def ok(name: str, detail: str) -> CheckLine:
    """It works."""
    return CheckLine(name, CheckOutcome.OK, detail)


def failed(name: str, detail: str, fix: str) -> CheckLine:
    """It does not."""
    return CheckLine(name, CheckOutcome.FAILED, detail, fix)


def skipped(name: str, detail: str) -> CheckLine:
    """It was not tried, or is not in use."""
    return CheckLine(name, CheckOutcome.SKIPPED, detail)
