"""``check``: prints what works and what does not, and what to do then."""

import asyncio
import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bot import log
from bot.checks.lines import CheckLine, CheckOutcome, failed, ok, skipped
from bot.cli.settings import DEFAULT, exposed_in, find, require_any
from bot.config import Config, InvalidConfiguration, load, secrets_of
from bot.config.errors import PREFIX
from bot.domain.errors import OperatorError

_MARKS: Final = {CheckOutcome.OK: "✓", CheckOutcome.FAILED: "✗", CheckOutcome.SKIPPED: "–"}


def perform(file: Path | None, *, as_json: bool) -> int:
    """Check everything; the exit code, 78 if anything failed."""
    lines = _check(file)
    fine = all(line.outcome is not CheckOutcome.FAILED for line in lines)
    if as_json:
        print(json.dumps({"ok": fine, "checks": [asdict(line) for line in lines]}, indent=1))
    else:
        # A terminal that is not in UTF-8 shows question marks.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        for text in _printed(lines):
            print(text)
    return 0 if fine else os.EX_CONFIG


def _check(file: Path | None) -> list[CheckLine]:
    name = "configuration"
    try:
        file = find(file)
        config = load(file)
        require_any(config, file)
    except InvalidConfiguration as error:
        return [*(failed(name, problem, _place(problem, file)) for problem in error.problems), _rest_not_tried()]
    except OperatorError as error:
        detail, _, fix = str(error).rstrip(".").partition(": ")
        return [failed(name, detail, fix), _rest_not_tried()]
    log.set_up(config.log.level, config.log.format, secrets_of(config))
    from bot.checks import check_everything

    return [*_about_configuration(config, file), *asyncio.run(check_everything(config))]


def _place(problem: str, file: Path | None) -> str:
    return "correct this environment variable" if problem.startswith("EASEL") else f"correct it in {file or DEFAULT}"


def _rest_not_tried() -> CheckLine:
    return skipped("everything else", "not tried: it depends on the configuration")


def _about_configuration(config: Config, file: Path | None) -> Iterable[CheckLine]:
    variables = sum(name.upper().startswith(PREFIX) for name in os.environ)
    sources = [str(file)] if file else []
    sources += [f"{variables} environment variable{'' if variables == 1 else 's'}"] if variables else []
    yield ok("configuration", f"{' and '.join(sources)}: every setting is valid")
    for exposed in exposed_in(config, file):
        yield failed("configuration", f"other users can read {exposed}, which holds a secret", f"chmod 600 {exposed}")


def _printed(lines: Sequence[CheckLine]) -> Iterable[str]:
    width = max(len(line.name) for line in lines)
    for line in lines:
        yield f"{_MARKS[line.outcome]} {line.name:<{width}}  {line.detail}" + (f" → {line.fix}" if line.fix else "")
    count = sum(line.outcome is CheckOutcome.FAILED for line in lines)
    yield f"\n{count} {'problem' if count == 1 else 'problems'} found." if count else "\nNo problems found."
