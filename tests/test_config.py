"""Settings: the example file, the environment, and the message for each mistake."""

import json
import os
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bot.config import Config, load, require_secrets
from bot.domain.credits import KIE_PRICES
from bot.domain.errors import OperatorError
from bot.domain.settings import Model, Resolution

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("EASEL__")]:
        monkeypatch.delenv(name)


def load_text(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def error_of(file: Path | None) -> str:
    """The operator's error message: one line without secrets."""
    with pytest.raises(OperatorError) as caught:
        load(file)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert SECRET not in message
    return message


def error_of_text(tmp_path: Path, text: str) -> str:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    return error_of(file)


def test_the_example_documents_every_setting_and_shows_its_default() -> None:
    # A setting whose default is not a choice of the operator's is commented out.
    text = re.sub(r"^# (?=\w+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    example: dict[str, dict[str, Any]] = tomllib.loads(text)
    sections: dict[str, type[BaseModel]] = {name: type(getattr(Config(), name)) for name in Config.model_fields}
    assert {name: set(settings) for name, settings in example.items()} == {
        name: set(section.model_fields) for name, section in sections.items()
    }
    assert load(EXAMPLE).model_dump() == Config().model_dump()
    assert Config.model_validate(example).model_dump() == Config().model_dump()
    lines = text.splitlines()
    settings = [number for number, line in enumerate(lines) if re.match(r"\w+ *=", line)]
    assert len(settings) == sum(map(len, example.values()))
    assert [lines[number] for number in settings if not re.match(r"# \S", lines[number - 1])] == []


def test_what_is_not_set_has_its_default(tmp_path: Path) -> None:
    assert load(None).model_dump() == Config().model_dump()
    config = load_text(tmp_path, "[web]\nport = 9090\n")
    assert (config.web.port, config.web.host) == (9090, Config().web.host)


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = ["one.example", "two.example:8443"]
    monkeypatch.setenv("EASEL__KIE__API_KEY", SECRET)
    monkeypatch.setenv("EASEL__QUOTA__PERIOD", "month")
    monkeypatch.setenv("EASEL__KIE__NSFW_CHECKER", "false")
    monkeypatch.setenv("EASEL__KIE__RESULT_HOSTS", json.dumps(hosts))
    config = load_text(tmp_path, '[kie]\napi_key = "from the file"\nnew_tasks = 3\n[quota]\ncredits = 7\n')
    assert config.kie.api_key.get_secret_value() == SECRET
    assert config.kie.nsfw_checker is False
    assert list(config.kie.result_hosts) == hosts
    assert config.kie.new_tasks == 3
    assert (config.quota.period, config.quota.credits) == ("month", 7)


@pytest.mark.parametrize(
    ("section", "old", "new"),
    [
        ("tracker", "calls_per_task", "polls_per_task"),
        ("tracker", "calls_per_second", "polls_per_second"),
        ("operator", "alarm_channel", "alert_channel"),
        ("operator", "alarm_below", "alert_below"),
    ],
)
def test_a_renamed_setting_keeps_its_old_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, old: str, new: str
) -> None:
    for name, value in ((old, 41), (new, 42)):
        assert getattr(getattr(load_text(tmp_path, f"[{section}]\n{name} = {value}\n"), section), new) == value
    monkeypatch.setenv(f"EASEL__{section}__{old}".upper(), "43")
    assert getattr(getattr(load_text(tmp_path, f"[{section}]\n{old} = 41\n"), section), new) == 43


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("EASEL__KIE__RESULT_HOSTS", "EASEL__KIE__RESULT_HOSTS: write lists as JSON"),
        ("EASEL__WEB__PORT", "EASEL__WEB__PORT: Input should be a valid integer"),
        ("EASEL__DISCROD__TOKEN", "EASEL__DISCROD__TOKEN: unknown setting (did you mean EASEL__DISCORD__TOKEN?)"),
        ("EASEL_LIMITS__DAILY_BUDGET", "(did you mean EASEL__LIMITS__DAILY_BUDGET?)"),
        ("EASEL__KIE__APIKEY", "EASEL__KIE__APIKEY: unknown setting (did you mean EASEL__KIE__API_KEY?)"),
    ],
)
def test_a_mistake_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, message: str) -> None:
    monkeypatch.setenv(variable, SECRET)
    assert message in error_of(None)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("kie.apikey", f'"{SECRET}"', "unknown setting"),
        ("nonsense", "{key = 1}", "nonsense: unknown setting."),
        ("token", '"x"', "unknown setting (did you mean discord.token or metrics.token?)"),
        ("discord.guilds", "5", "discord.guilds: must be a list in brackets"),
        ("database.url", '"sqlite:///a.db?mode=memory&uri=true"', "must look like sqlite:///path"),
        ("database.url", r'"sqlite:///a\u0000.db"', "must look like sqlite:///path"),
        ("_env_file", "1", "unknown setting"),
        ("discord", "1", ""),
        ("discord.token", "12345", "string"),
        ("quota.period", '"year"', "'day', 'week' or 'month'"),
        ("quota.credits", "-1", "greater than or equal to 0"),
        ("quota.credits", "nan", ""),
        ("quota.credits", "inf", ""),
        ("quota.open_generations", "0", "greater than or equal to 1"),
        ("references.keep_megabytes", "-1", "greater than or equal to 0"),
        ("references.keep_days", "0", "greater than or equal to 0.01"),
        ("references.keep_days", "100000", "less than or equal to 3650"),
        ("web.port", "65536", "65535"),
        ("tracker.polls_per_task", "1", "greater than 1"),
        ("tracker.deadline", "inf", "finite"),
        ("kie.base_url", '"https://api.kie.ai?x=1"', "must be a valid https:// URL"),
        ("kie.base_url", '""', "must be a valid https:// URL"),
        ("kie.balance_every", "0", "greater than or equal to 0.01"),
        ("prices.pro_1k", "0", "greater than 0"),
        ("prices.pro_1k", "-5", "greater than 0"),
        ("prices.flex_2k", "10001", "less than or equal to 10000"),
        ("prices.flex_1k", "0.0005", "3 decimal places"),
        ("prices.pro_2k", "nan", "finite"),
        ("prices.pro_4k", "9", "unknown setting"),
        ("operator.guild", "-1", "greater than or equal to 0"),
        ("operator.alert_channel", '"alerts"', "integer"),
        ("operator.alert_below", "inf", ""),
        ("tracker.deadline", "1e12", "less than or equal to 2592000"),
        ("kie.request_timeout", "1e-9", "greater than or equal to 0.01"),
        ("kie.request_timeout", "86400", "less than or equal to 3600"),
        ("kie.running_tasks", "100001", "less than or equal to 100000"),
        ("kie.new_tasks", "0", "greater than or equal to 1"),
        ("kie.result_hosts", '"a.example"', ""),
        ("web.host", '""', "at least 1 character"),
        ("log.level", '"loud"', "'debug', 'info', 'warning' or 'error'"),
        ("log.format", '"xml"', "'console' or 'json'"),
        ("cluster.role", '"worker"', "only a PostgreSQL database"),
        ("cluster.gateways", "2", "only a PostgreSQL database"),
        ("database.url", '"nonsense"', "must look like sqlite:///"),
        ("database.url", f'"postgresql://easel:{SECRET}@db/easel?colour=teal"', "must look like postgresql://"),
        ("database.url", '"sqlite:///:memory:"', "must look like sqlite:///"),
        ("database.url", f'"mysql://easel:{SECRET}@db/easel"', "must look like sqlite:///"),
    ],
)
def test_an_invalid_setting_is_named(tmp_path: Path, setting: str, value: str, message: str) -> None:
    error = error_of_text(tmp_path, f"{setting} = {value}")
    assert f"{setting}: " in error
    assert message in error


NO_HOSTS = [
    "https://kie.ai",
    "kie.ai/",
    "*.kie.ai",
    "kie.ai.",
    "me@kie.ai",
    "m\u00fcnchen.example",
    "a b.example",
    "[::1",
]


@pytest.mark.parametrize("host", ["", " ", ".", "..", ".ai", "..kie.ai", *NO_HOSTS])
def test_what_is_no_host_and_no_domain_is_named(tmp_path: Path, host: str) -> None:
    assert "kie.result_hosts.0: must be a host" in error_of_text(tmp_path, f'kie.result_hosts = ["{host}"]')


NUMBERS = [
    f"{section}.{name}"
    for section, field in Config.model_fields.items()
    for name, value in field.get_default()
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool)
]


@pytest.mark.parametrize("setting", NUMBERS)
def test_every_number_has_limits(tmp_path: Path, setting: str) -> None:
    for value in ("-1000000000000", "10000000000000000000", "nan", "inf", "true", "false", '"many"', "[1]"):
        assert f"{setting}: " in error_of_text(tmp_path, f"{setting} = {value}")


def test_every_mistake_is_named(tmp_path: Path) -> None:
    error = error_of_text(tmp_path, "[web]\nport = 'a'\n[log]\nlevel = 'loud'")
    assert "web.port" in error
    assert "log.level" in error


@pytest.mark.parametrize("setting", ["discord.api_url", "kie.base_url", "kie.upload_url", "kie.callback_url"])
@pytest.mark.parametrize(
    "url",
    [
        *("example.com", "ftp://example.com", "https://", "http://[", "http://example.com", "http://10.0.0.1:80"),
        *("http://localhost.example.com", "http://127.0.0.1.example.com", "http://0.0.0.0", "http://[::2]"),
    ],
)
def test_urls_must_be_https(tmp_path: Path, setting: str, url: str) -> None:
    assert f"{setting}: must be a valid https:// URL" in error_of_text(tmp_path, f'{setting} = "{url}"')


@pytest.mark.parametrize("url", ["https://example.com/api", "ws://example.com", "wss://", "example.com"])
def test_the_gateway_must_be_wss(tmp_path: Path, url: str) -> None:
    error = error_of_text(tmp_path, f'discord.gateway_url = "{url}"')
    assert "discord.gateway_url: must be a valid wss:// URL" in error


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "127.8.9.10", "[::1]:8000"])
def test_unencrypted_urls_are_only_for_this_machine(tmp_path: Path, host: str) -> None:
    config = load_text(tmp_path, f'kie.base_url = "http://{host}"\ndiscord.gateway_url = "ws://{host}"')
    assert config.kie.base_url == f"http://{host}"
    assert config.discord.gateway_url == f"ws://{host}"
    assert "only allowed for this machine" in error_of_text(tmp_path, 'kie.base_url = "http://10.0.0.1"')


@pytest.mark.parametrize(
    ("host", "is_near"),
    [
        *((host, True) for host in ("ollama:11434", "localhost", "10.0.0.1", "192.168.1.2:8000", "[fd00::1]:80")),
        *((host, False) for host in ("example.com", "ollama.example.com:11434", "8.8.8.8", "[2606:4700::1]")),
    ],
)
def test_the_text_model_may_be_near_without_encryption(tmp_path: Path, host: str, is_near: bool) -> None:
    text = f'assistant = {{ base_url = "http://{host}/v1", model = "small" }}'
    if is_near:
        assert load_text(tmp_path, text).assistant.base_url == f"http://{host}/v1"
    else:
        problem = "http:// is only allowed for this machine, private addresses and names without a dot"
        assert problem in error_of_text(tmp_path, text)


def test_a_section_that_is_no_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where environment variables of that section would take its place."""
    monkeypatch.setenv("EASEL__DISCORD__TOKEN", SECRET)
    assert "discord: must be a table of settings" in error_of_text(tmp_path, "discord = 3")


def test_a_trailing_slash_is_dropped_and_some_urls_may_be_empty(tmp_path: Path) -> None:
    text = 'kie.base_url = "https://example.com/kie/"\nkie.callback_url = ""\ndiscord.gateway_url = ""'
    config = load_text(tmp_path, text)
    assert config.kie.base_url == "https://example.com/kie"
    assert (config.kie.callback_url, config.discord.gateway_url) == ("", "")


def test_prices_are_kies_unless_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASEL__PRICES__FLEX_2K", "30.125")
    names = {
        (Model.PRO, Resolution.ONE_K): "pro_1k",
        (Model.PRO, Resolution.TWO_K): "pro_2k",
        (Model.FLEX, Resolution.ONE_K): "flex_1k",
        (Model.FLEX, Resolution.TWO_K): "flex_2k",
    }
    assert {key: getattr(Config().prices, name) for key, name in names.items()} == KIE_PRICES
    prices = load_text(tmp_path, "[prices]\npro_1k = 5.5\npro_2k = 8").prices
    assert [getattr(prices, name) for name in names.values()] == [Decimal("5.5"), 8, 14, Decimal("30.125")]


@pytest.mark.parametrize(
    "text", ["[kie", "kie = ", f"[kie]\napi_key = {SECRET}", f'[kie]\napi_key = "{SECRET}', "a\0b"]
)
def test_damaged_toml(tmp_path: Path, text: str) -> None:
    assert "config.toml is not valid TOML" in error_of_text(tmp_path, text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert "does not exist: `python -m bot init --config" in error_of(file)
    assert "cannot be read" in error_of(tmp_path)
    file.write_bytes("Größe".encode("latin-1"))
    assert "is not in UTF-8. Save it as UTF-8" in error_of(file)


def test_secrets_print_as_asterisks(tmp_path: Path) -> None:
    settings = ("discord.token", "kie.api_key", "kie.callback_key")
    config = load_text(tmp_path, "\n".join(f'{setting} = "{SECRET}"' for setting in settings))
    for text in (repr(config), str(config), f"{config.kie}", repr(config.model_dump()), config.model_dump_json()):
        assert SECRET not in text
        assert "***" in text


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("", "discord.token"),
        ("kie.api_key = 'b'", "discord.token"),
        ("discord.token = ' '", "discord.token"),
        ("discord.token = 'a'", "kie.api_key"),
        ("discord.token = 'a'\nkie.api_key = 'b'", None),
    ],
)
def test_the_token_and_the_key_are_required(tmp_path: Path, text: str, setting: str | None) -> None:
    config = load_text(tmp_path, text)
    if setting is None:
        require_secrets(config)
        return
    variable = "EASEL__" + setting.upper().replace(".", "__")
    with pytest.raises(OperatorError, match=f"{re.escape(setting)} is missing: .*{variable}"):
        require_secrets(config)


@pytest.mark.parametrize("secret", ["two words", "schl\u00fcssel"])
@pytest.mark.parametrize("setting", ["discord.token", "kie.api_key"])
def test_what_no_header_can_carry_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, setting: str, secret: str
) -> None:
    config = load(None)
    section, name = setting.split(".")
    secrets = {"discord": {"token": "a"}, "kie": {"api_key": "b"}, section: {name: secret}}
    with pytest.raises(OperatorError, match=f"{re.escape(setting)} contains") as raised:
        require_secrets(Config.model_validate(config.model_dump(exclude_unset=True) | secrets))
    assert secret not in str(raised.value)


@pytest.mark.parametrize("place", ["", "discord.", "limits.servers."])
def test_a_secret_in_the_place_of_a_name_is_not_repeated(tmp_path: Path, place: str) -> None:
    for secret in ("MTIz.Gx7-kI.b3Q_dG9rZW4", "0123456789abcdef" * 2):
        error = error_of_text(tmp_path, f'{place}"{secret}" = 1')
        assert f"{place}…: " in error
        assert secret[:4] not in error.replace(str(tmp_path), "")
