"""What is wrong with the configuration, in a sentence that repeats no value and no odd name: they may be secrets."""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

PREFIX: Final = "EASEL__"
_NAME: Final = re.compile(r"\w{1,30}", re.ASCII)
"""KIE's keys have 32 characters, and Discord's tokens more."""
_NO_TABLE: Final = "must be a table of settings"
_TYPES: Final = {
    "tuple_type": 'must be a list in brackets, such as ["one", "two"]',
    "dict_type": _NO_TABLE,
    "model_type": _NO_TABLE,
}


def variable_of(setting: str) -> str:
    """The environment variable of ``section.key``."""
    return f"{PREFIX}{setting.upper().replace('.', '__')}"


def unknown_sources(sections: Mapping[str, Any], variables: Iterable[str], known: Collection[str]) -> list[str]:
    """Problems with sections and variables that pydantic-settings would ignore, or take for its own options."""
    problems = [_unknown([section], known) for section in sections if section not in known]
    # One that is no table would be replaced by the section's environment variables.
    no_tables = [name for name, section in sections.items() if name in known and not isinstance(section, dict)]
    problems += [f"{name}: {_NO_TABLE}" for name in no_tables]
    mistyped = {variable_of(name).replace("__", "_"): variable_of(name) for name in known if "." in name}
    for variable in map(str.upper, variables):
        parts = variable.removeprefix(PREFIX).split("__")
        if not variable.startswith(PREFIX):
            if meant := mistyped.get(variable.replace("__", "_")):
                problems.append(f"{variable}: unknown setting (did you mean {meant}?)")
        elif parts[0].lower() not in known:
            problems.append(_unknown(parts, known, variable=True))
    return problems


def describe(
    error: ValidationError | SettingsError, known: Collection[str], lists: Iterable[str], environment: Mapping[str, str]
) -> list[str]:
    """Every invalid setting with its problem, by the name of its environment variable if it comes from there.

    ``known`` are the sections, and the settings as ``section.key``; of the latter, ``lists`` are lists and tables.
    """
    variables = {name.upper(): value for name, value in environment.items()}
    if isinstance(error, SettingsError):
        broken = [name for name in map(variable_of, lists) if name in variables and not _is_json(variables[name])]
        example = 'write lists as JSON, for example ["one", "two"] or {"123": 50}'
        return [f"{name}: {example}" for name in broken or ["an EASEL__ environment variable"]]
    problems: list[str] = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        parts = [str(part) for part in problem["loc"] if part != "[key]"]
        message = _TYPES.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        from_variable = len(parts) > 1 and variable_of(".".join(parts[:2])) in variables
        if problem["type"] == "extra_forbidden":
            problems.append(_unknown(parts, known, variable=from_variable))
        else:
            problems.append(f"{_named(parts, variable=from_variable)}: {message}" if parts else message)
    return problems


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _unknown(parts: Sequence[str], known: Collection[str], *, variable: bool = False) -> str:
    names = {name.rpartition(".")[2] for name in known} | {*known}
    close = difflib.get_close_matches(".".join(parts).lower(), sorted(names), n=1, cutoff=0.75)
    meant = sorted(name for name in known if close and close[0] in (name, name.rpartition(".")[2]))
    shown = " or ".join(variable_of(name) if variable and "." in name else name for name in meant)
    return f"{_named(parts, variable=variable)}: unknown setting" + (f" (did you mean {shown}?)" if meant else "")


def _named(parts: Sequence[str], *, variable: bool) -> str:
    shown = [part if _NAME.fullmatch(part) else "…" for part in parts]
    return PREFIX + "__".join(shown).upper() if variable else ".".join(shown)
