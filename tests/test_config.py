"""Settings: the example file, the environment, and what is said of mistakes."""

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


def loaded(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def complaint(tmp_path: Path, text: str) -> str:
    """What the operator reads: one line, which tells nothing secret."""
    with pytest.raises(OperatorError) as caught:
        loaded(tmp_path, text)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert SECRET not in sentence
    return sentence


def keys_of_the_model() -> dict[str, set[str]]:
    sections: dict[str, set[str]] = {}
    for name, field in Config.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        sections[name] = set(field.annotation.model_fields)
    return sections


def test_the_example_holds_the_defaults() -> None:
    assert load(EXAMPLE).model_dump() == Config().model_dump()


def test_the_example_names_every_setting_and_no_other() -> None:
    written: dict[str, dict[str, Any]] = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert {section: set(keys) for section, keys in written.items()} == keys_of_the_model()


def test_every_setting_in_the_example_has_a_comment_above_it() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    settings = [number for number, line in enumerate(lines) if re.match(r"\w+ *=", line)]
    assert len(settings) == sum(map(len, keys_of_the_model().values()))
    assert [lines[number] for number in settings if not re.match(r"# \S", lines[number - 1])] == []


def test_without_a_file_the_defaults_count() -> None:
    assert load(None).model_dump() == Config().model_dump()


def test_what_is_not_written_keeps_its_default(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[web]\nport = 9090\n")
    assert config.web.port == 9090
    assert config.web.host == Config().web.host


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASEL__KIE__API_KEY", SECRET)
    monkeypatch.setenv("EASEL__QUOTA__PERIOD", "month")
    monkeypatch.setenv("EASEL__KIE__NSFW_CHECKER", "false")
    config = loaded(tmp_path, '[kie]\napi_key = "from the file"\nnew_tasks = 3\n[quota]\ncredits = 7\n')
    assert config.kie.api_key.get_secret_value() == SECRET
    assert config.kie.nsfw_checker is False
    assert config.kie.new_tasks == 3
    assert (config.quota.period, config.quota.credits) == ("month", 7)


def test_lists_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = ["one.example", "two.example:8443"]
    monkeypatch.setenv("EASEL__KIE__RESULT_HOSTS", json.dumps(hosts))
    assert list(load(None).kie.result_hosts) == hosts


def test_a_list_in_the_environment_that_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASEL__KIE__RESULT_HOSTS", SECRET)
    with pytest.raises(OperatorError, match=r"lists are written as JSON") as caught:
        load(None)
    assert SECRET not in str(caught.value)


def test_an_unknown_section_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASEL__DISCROD__TOKEN", SECRET)
    with pytest.raises(OperatorError, match="EASEL__DISCROD__TOKEN: is not a setting") as caught:
        load(None)
    assert SECRET not in str(caught.value)


def test_an_unknown_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASEL__KIE__APIKEY", SECRET)
    with pytest.raises(OperatorError, match="not a setting") as caught:
        load(None)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (f'[kie]\napikey = "{SECRET}"', "kie.apikey", "is not a setting that Easel knows"),
        ("[nonsense]\nkey = 1", "nonsense", "is not a setting that Easel knows"),
        ("token = 'x'", "token", "is not a setting that Easel knows"),
        ("_env_file = 1", "_env_file", "is not a setting that Easel knows"),
        ("discord = 1", "discord", ""),
        ("[discord]\ntoken = 12345", "discord.token", "string"),
        ("[quota]\nperiod = 'year'", "quota.period", "'day', 'week' or 'month'"),
        ("[quota]\ncredits = -1", "quota.credits", "greater than or equal to 0"),
        ("[quota]\ncredits = nan", "quota.credits", ""),
        ("[quota]\ncredits = inf", "quota.credits", ""),
        ("[quota]\nopen_generations = 0", "quota.open_generations", "greater than or equal to 1"),
        ("[references]\nkeep_megabytes = -1", "references.keep_megabytes", "greater than or equal to 0"),
        ("[references]\nkeep_days = 0", "references.keep_days", "greater than 0"),
        ("[references]\nkeep_days = 100000", "references.keep_days", "less than or equal to 3650"),
        ("[web]\nport = 65536", "web.port", "65535"),
        ("[tracker]\ncalls_per_task = 1", "tracker.calls_per_task", "greater than 1"),
        ("[tracker]\ndeadline = inf", "tracker.deadline", "finite"),
        ("[kie]\nbase_url = 'https://api.kie.ai?x=1'", "kie.base_url", "must be a https:// address"),
        ("[kie]\nbalance_every = 0", "kie.balance_every", "greater than 0"),
        ("[prices]\npro_1k = 0", "prices.pro_1k", "greater than 0"),
        ("[prices]\npro_1k = -5", "prices.pro_1k", "greater than 0"),
        ("[prices]\nflex_2k = 10001", "prices.flex_2k", "less than or equal to 10000"),
        ("[prices]\nflex_1k = 0.0005", "prices.flex_1k", "3 decimal places"),
        ("[prices]\npro_2k = nan", "prices.pro_2k", "finite"),
        ("[prices]\npro_4k = 9", "prices.pro_4k", "is not a setting that Easel knows"),
        ("[operator]\nguild = -1", "operator.guild", "greater than or equal to 0"),
        ("[operator]\nalarm_channel = 'alarms'", "operator.alarm_channel", "integer"),
        ("[operator]\nalarm_below = inf", "operator.alarm_below", ""),
        ("[kie]\nnew_tasks = 0", "kie.new_tasks", "greater than or equal to 1"),
        ("[kie]\nresult_hosts = 'a.example'", "kie.result_hosts", ""),
        ("[log]\nlevel = 'loud'", "log.level", "'debug', 'info', 'warning' or 'error'"),
        ("[log]\nformat = 'xml'", "log.format", "'console' or 'json'"),
        ("[database]\nurl = 'nonsense'", "database.url", "must look like sqlite:///"),
        ("[database]\nurl = 'sqlite:///:memory:'", "database.url", "must look like sqlite:///"),
        (f"[database]\nurl = 'postgresql://easel:{SECRET}@db/easel'", "database.url", "must look like sqlite:///"),
    ],
)
def test_a_mistake_is_named_in_one_sentence(tmp_path: Path, text: str, where: str, what: str) -> None:
    sentence = complaint(tmp_path, text)
    assert f"{where}: " in sentence
    assert what in sentence


def test_two_mistakes_are_both_named(tmp_path: Path) -> None:
    sentence = complaint(tmp_path, "[web]\nport = 'a'\n[log]\nlevel = 'loud'")
    assert "web.port" in sentence
    assert "log.level" in sentence


@pytest.mark.parametrize("key", ["discord.api_url", "kie.base_url", "kie.upload_url", "kie.callback_url"])
@pytest.mark.parametrize(
    "address", ["example.com", "ftp://example.com", "https://", "http://[", "http://example.com", "http://10.0.0.1:80"]
)
def test_addresses_must_be_https(tmp_path: Path, key: str, address: str) -> None:
    section, name = key.split(".")
    assert f"{key}: must be a https:// address" in complaint(tmp_path, f"[{section}]\n{name} = '{address}'")


@pytest.mark.parametrize("address", ["https://example.com/api", "ws://example.com", "wss://", "example.com"])
def test_the_gateway_must_be_wss(tmp_path: Path, address: str) -> None:
    sentence = complaint(tmp_path, f"[discord]\ngateway_url = '{address}'")
    assert "discord.gateway_url: must be a wss:// address" in sentence


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "127.8.9.10", "[::1]:8000"])
def test_plain_addresses_are_for_this_machine_alone(tmp_path: Path, host: str) -> None:
    config = loaded(tmp_path, f"[kie]\nbase_url = 'http://{host}'\n[discord]\ngateway_url = 'ws://{host}'")
    assert config.kie.base_url == f"http://{host}"
    assert config.discord.gateway_url == f"ws://{host}"


@pytest.mark.parametrize("host", ["localhost.example.com", "127.0.0.1.example.com", "0.0.0.0", "[::2]"])
def test_what_only_looks_like_this_machine_is_refused(tmp_path: Path, host: str) -> None:
    assert "is for this machine alone" in complaint(tmp_path, f"[kie]\nbase_url = 'http://{host}'")


def test_prices_are_kies_unless_written_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASEL__PRICES__FLEX_2K", "30.125")
    usual, own = Config().prices, loaded(tmp_path, "[prices]\npro_1k = 5.5\npro_2k = 8").prices
    names = {
        (Model.PRO, Resolution.ONE_K): "pro_1k",
        (Model.PRO, Resolution.TWO_K): "pro_2k",
        (Model.FLEX, Resolution.ONE_K): "flex_1k",
        (Model.FLEX, Resolution.TWO_K): "flex_2k",
    }
    assert {key: getattr(usual, name) for key, name in names.items()} == KIE_PRICES
    assert [getattr(own, name) for name in names.values()] == [Decimal("5.5"), 8, 14, Decimal("30.125")]


def test_a_slash_at_the_end_of_an_address_is_dropped(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[kie]\nbase_url = 'https://example.com/kie/'").kie.base_url == "https://example.com/kie"


def test_addresses_that_may_be_empty(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[kie]\ncallback_url = ''\n[discord]\ngateway_url = ''")
    assert (config.kie.callback_url, config.discord.gateway_url) == ("", "")
    complaint(tmp_path, "[kie]\nbase_url = ''")


@pytest.mark.parametrize(
    "text", ["[kie", "kie = ", f"[kie]\napi_key = {SECRET}", f'[kie]\napi_key = "{SECRET}', "a\0b"]
)
def test_damaged_toml(tmp_path: Path, text: str) -> None:
    assert "config.toml is not valid TOML" in complaint(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"does not exist: copy config\.example\.toml"):
        load(tmp_path / "config.toml")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OperatorError, match="cannot be read"):
        load(tmp_path / "config.toml")


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be read"):
        load(tmp_path)


def test_secrets_print_as_asterisks(tmp_path: Path) -> None:
    config = loaded(tmp_path, f'[discord]\ntoken = "{SECRET}"\n[kie]\napi_key = "{SECRET}"\ncallback_key = "{SECRET}"')
    for text in (repr(config), str(config), f"{config.kie}", repr(config.model_dump()), config.model_dump_json()):
        assert SECRET not in text
        assert "***" in text


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(load(None).web, "port", 1)  # noqa: B010


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "discord.token"),
        ("[kie]\napi_key = 'b'", "discord.token"),
        ("[discord]\ntoken = ' '", "discord.token"),
        ("[discord]\ntoken = 'a'", "kie.api_key"),
    ],
)
def test_what_nobody_can_run_without(tmp_path: Path, text: str, name: str) -> None:
    config = loaded(tmp_path, text)
    variable = "EASEL__" + name.upper().replace(".", "__")
    with pytest.raises(OperatorError, match=f"{re.escape(name)} is missing: .*{variable}"):
        require_secrets(config)


def test_with_token_and_key_nothing_is_missing(tmp_path: Path) -> None:
    require_secrets(loaded(tmp_path, "[discord]\ntoken = 'a'\n[kie]\napi_key = 'b'"))
