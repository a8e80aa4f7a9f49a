"""What a killed process has logged: its last line may be cut off."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any


def log_entries(output: str) -> Iterator[dict[str, Any]]:
    """The entries in order; tracebacks and other lines are skipped."""
    for line in output.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "event" in entry:
            yield entry


def seconds(entry: dict[str, Any]) -> float:
    """When it was logged, by the same clock as ``time.time()``."""
    return datetime.fromisoformat(entry["timestamp"]).timestamp()
