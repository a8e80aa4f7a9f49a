"""Where settings come from besides the environment: the configuration file, and files that hold one secret each."""

import codecs
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from pydantic import SecretStr

from bot.domain.errors import OperatorError

SECRETS: Final = {
    "discord": ("token",),
    "kie": ("api_key", "callback_key"),
    "assistant": ("api_key",),
    "database": ("password",),
    "metrics": ("token",),
    "sentry": ("dsn",),
}
"""The secret settings by section; each may be in a file that the setting of this name with ``_file`` names."""
_INVISIBLE: Final = "\ufeff\u200b"
"""A byte order mark and a zero-width space, which copying takes along."""
_SECRET_MAX_BYTES: Final = 1 << 16


def read_toml(path: Path) -> dict[str, Any]:
    """The sections of a configuration file in UTF-8, with or without a byte order mark; raises OperatorError."""
    try:
        raw = path.read_bytes()
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or raw.count(0) > len(raw) // 3:
            raise OperatorError(f"{path} cannot be read: it is in UTF-16. Save it as UTF-8.")
        return tomllib.loads(raw.decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise OperatorError(f"{path} does not exist: `python -m bot init --config {path}` makes it.") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} cannot be read: it is not in UTF-8. Save it as UTF-8.") from error
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}.") from error
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is not valid TOML: {error}.") from error


def strip(value: Any) -> Any:
    """The value without white space around any text in it, which is never part of a setting."""
    if isinstance(value, str):
        # The invisible ones are no white space for Python, and may stand outside or inside of it.
        return value.strip().strip(_INVISIBLE).strip()
    if isinstance(value, SecretStr):
        return SecretStr(strip(value.get_secret_value()))
    if isinstance(value, dict):
        return {key: strip(inner) for key, inner in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [strip(inner) for inner in cast("Iterable[Any]", value)]
    return value


def with_secret_files(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with every secret that is in a file; raises ValueError for a file that holds none.

    The message names the setting and not the file: a secret may have been entered in place of a path.
    """
    read = dict(sections)
    for section, names in SECRETS.items():
        if not isinstance(read.get(section), dict):
            continue
        settings: dict[str, Any] = read[section]
        for name in names:
            file = settings.get(f"{name}_file")
            if not isinstance(file, str) or not file:
                continue
            if settings.get(name):
                raise ValueError(f"{section}.{name} and {section}.{name}_file are both set: keep one of them")
            settings = settings | {name: _read_secret(f"{section}.{name}_file", Path(file))}
        read[section] = settings
    return read


def _read_secret(setting: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_SECRET_MAX_BYTES + 1)
        secret = strip(raw.decode())
    except FileNotFoundError:
        raise ValueError(f"{setting}: this file does not exist") from None
    except IsADirectoryError:
        raise ValueError(f"{setting}: this is a folder, not a file") from None
    except OSError as error:
        raise ValueError(f"{setting}: this file cannot be read ({error.strerror})") from None
    except ValueError:
        raise ValueError(f"{setting}: this file is not text in UTF-8") from None
    if len(raw) > _SECRET_MAX_BYTES:
        raise ValueError(f"{setting}: this file is too large for a secret")
    if not secret:
        raise ValueError(f"{setting}: this file is empty")
    return secret
