"""Every setting takes effect: it changes what bot/options.py makes of the settings, or the bot reads it directly."""

import inspect
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from bot import options
from bot.config import Config
from bot.config.sections import BackupConfig, DatabaseConfig, LimitsConfig, RetentionConfig
from bot.domain.credits import ZERO
from bot.domain.erasure import StoredData
from bot.domain.ids import GuildId
from bot.ui.texts import privacy

ROOT = Path(__file__).parent.parent
SOURCES = "".join(
    (ROOT / "bot" / name).read_text()
    for name in ("assembly.py", "options.py", "process.py", "cli/settings.py", "cli/bot.py", "cli/health.py")
)

SETTINGS: list[tuple[str, str]] = [
    (section, name)
    for section, values in Config().model_dump().items()
    for name in values
    if not name.endswith("_file")  # read when the settings are loaded: tests/test_config.py
]


def changed(value: Any) -> Any:
    """Another valid value for a setting."""
    match value:
        case bool():
            return not value
        case SecretStr():
            return SecretStr("changed")
        case Enum():
            return next(other for other in type(value) if other is not value)
        case int() | float() | Decimal():
            return value + 1
        case str():
            return f"{value}/changed"
        case ():
            return (1,)
        case tuple():
            return ()
        case _:
            return {1: 5.0}


def with_setting(section: str, name: str, config: Config | None = None) -> Config:
    config = config or Config()
    values: BaseModel = getattr(config, section)
    return config.model_copy(update={section: values.model_copy(update={name: changed(getattr(values, name))})})


def made(config: Config) -> dict[str, Any]:
    """What the functions of bot/options.py that take only the settings return, where it can be compared."""
    functions = {
        name: function
        for name, function in inspect.getmembers(options, inspect.isfunction)
        if function.__module__ == options.__name__ and [*inspect.signature(function).parameters] == ["config"]
    }
    results = {name: function(config) for name, function in functions.items()}
    return {name: result for name, result in results.items() if result == functions[name](config)}


def test_no_credits_for_a_server_is_no_credits_and_for_all_of_them_no_limit() -> None:
    limits = options.limits(Config(limits=LimitsConfig(server_credits=0, servers={7: 0, 8: 5})))
    assert [limits.of_server(GuildId(guild)).credits for guild in (7, 8, 9)] == [0, 5, None]


def test_backups_are_warned_about_only_where_they_were_asked_for_in_vain() -> None:
    asked, shared = BackupConfig(every=12), DatabaseConfig(url="postgresql://easel@localhost/easel")
    configs = (
        Config(backup=asked),
        Config(database=shared),
        Config(database=shared, backup=BackupConfig(every=0)),
        Config(database=shared, backup=asked),
    )
    assert [options.backups_ignored(config) for config in configs] == [False, False, False, True]


@pytest.mark.parametrize(
    ("retention", "lines"),
    [
        (
            RetentionConfig(),
            (
                "Prompts, previews and links are kept for 365 days\n",
                (
                    "forms you open, for 1 day; images that I couldn't post, for 7 days; "
                    "reports you make, for 90 days; requests for more credits, for 90 days\n"
                ),
            ),
        ),
        (
            RetentionConfig(prompts=30, images=0, drafts=2, undelivered=0, reports=0, credit_requests=10),
            (
                "Prompts are kept for 30 days, previews and links until you erase them\n",
                (
                    "forms you open, for 2 days; images that I couldn't post, until you use a command; "
                    "reports you make, until you erase them; requests for more credits, for 10 days\n"
                ),
            ),
        ),
    ],
)
def test_privacy_says_how_long_what_is_kept(retention: RetentionConfig, lines: tuple[str, ...]) -> None:
    data = StoredData(requests=3, waiting=0, bonus=ZERO, erasure=None)
    said = privacy.stored(data, options.kept_for(Config(retention=retention)))
    assert [line in said for line in lines] == [True, True], said


@pytest.mark.parametrize(("section", "name"), SETTINGS)
def test_every_setting_takes_effect(section: str, name: str) -> None:
    # The server period counts only where servers have a limit, SQLite has no password, and a helper needs an address.
    base = with_setting("limits", "server_credits") if name == "server_period" else Config()
    if section == "assistant" and name != "base_url":
        base = with_setting("assistant", "base_url")
    if (section, name) == ("database", "password"):
        base = Config(database=DatabaseConfig(url="postgresql://easel@localhost/easel"))
    assert made(with_setting(section, name, base)) != made(base) or f"config.{section}.{name}" in SOURCES
