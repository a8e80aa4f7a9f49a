"""What is wrong with the configuration, in a sentence that repeats no value and no odd name: they may be secrets."""

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

PREFIX: Final = "EASEL__"
_NAME: Final = re.compile(r"\w{1,30}", re.ASCII)
"""KIE's keys have 32 characters, and Discord's tokens more."""
_TYPES: Final = {
    "tuple_type": 'must be a list in brackets, such as ["one", "two"]',
    "dict_type": "must be a table of settings",
    "model_type": "must be a table of settings",
}


def variable_of(setting: str) -> str:
    """The environment variable of ``section.key``."""
    return f"{PREFIX}{setting.upper().replace('.', '__')}"


def unknown_sources(sections: Iterable[str], variables: Iterable[str], known: Collection[str]) -> list[str]:
    """Problems with sections and variables that pydantic-settings would ignore, or take for its own options."""
    problems = [_unknown([section], known) for section in sections if section not in known]
    mistyped = {variable_of(name).replace("__", "_"): variable_of(name) for name in known if "." in name}
    for variable in map(str.upper, variables):
        parts = variable.removeprefix(PREFIX).split("__")
        if not variable.startswith(PREFIX):
            if meant := mistyped.get(variable.replace("__", "_")):
                problems.append(f"{variable}: unknown setting (did you mean {meant}?)")
        elif parts[0].lower() not in known:
            problems.append(_unknown(parts, known, variable=True))
    return problems


def describe(error: ValidationError | SettingsError, known: Collection[str]) -> list[str]:
    """Every invalid setting with its problem; ``known`` are the sections, and the settings as ``section.key``."""
    if isinstance(error, SettingsError):
        example = 'write lists as JSON, for example ["one", "two"] or {"123": 50}'
        return [f"an EASEL__ environment variable cannot be parsed: {example}"]
    problems: list[str] = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        parts = [str(part) for part in problem["loc"] if part != "[key]"]
        message = _TYPES.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        if problem["type"] == "extra_forbidden":
            problems.append(_unknown(parts, known))
        else:
            problems.append(f"{'.'.join(_shown(parts))}: {message}" if parts else message)
    return problems


def _unknown(parts: Sequence[str], known: Collection[str], *, variable: bool = False) -> str:
    names = {name.rpartition(".")[2]: name for name in known} | {name: name for name in known}
    close = difflib.get_close_matches(".".join(parts).lower(), names, n=1, cutoff=0.75)
    shown = PREFIX + "__".join(_shown(parts)) if variable else ".".join(_shown(parts))
    return f"{shown}: unknown setting" + (f" (did you mean {names[close[0]]}?)" if close else "")


def _shown(parts: Iterable[str]) -> list[str]:
    return [part if _NAME.fullmatch(part) else "…" for part in parts]
