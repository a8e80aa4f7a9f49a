"""Settings as editors, shells and containers hand them over: white space, byte order marks, secrets in files."""

import json
from pathlib import Path

import pytest

from bot.config import Config, load
from tests.test_config import SECRET, clean_environment, error_of, error_of_text, load_text

__all__ = ["clean_environment"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_that_an_editor_saved_in_its_own_way(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(f'[kie]\r\napi_key = "{SECRET}"\r\n'.encode(encoding))
    if encoding.startswith("utf-16"):
        assert "it is in UTF-16. Save it as UTF-8." in error_of(file)
    else:
        assert load(file).kie.api_key.get_secret_value() == SECRET


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t", "\ufeff", "\xa0", "\u200b\n"])
def test_white_space_around_a_setting_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    def text(value: str) -> str:
        return f"{around}{value}{around}"

    monkeypatch.setenv("EASEL__KIE__CALLBACK_KEY", text(SECRET))
    monkeypatch.setenv("EASEL__LOG__LEVEL", text("debug"))
    values = {"discord": {"token": text(SECRET), "gateway_url": text("wss://a.example")}}
    values |= {"kie": {"api_key": text(SECRET), "base_url": text("https://a.example/")}}
    values |= {"web": {"host": text("0.0.0.0")}, "database": {"url": text("sqlite:///a.db")}}
    lines = [
        f"{section}.{name} = {json.dumps(value)}" for section, named in values.items() for name, value in named.items()
    ]
    config = load_text(tmp_path, "\n".join([*lines, f"kie.result_hosts = [{json.dumps(text('.a.example'))}]"]))
    secrets = (config.discord.token, config.kie.api_key, config.kie.callback_key)
    assert {secret.get_secret_value() for secret in secrets} == {SECRET}
    assert (config.discord.gateway_url, config.kie.base_url) == ("wss://a.example", "https://a.example")
    assert (config.web.host, config.database.url, config.log.level) == ("0.0.0.0", "sqlite:///a.db", "debug")
    assert config.kie.result_hosts == (".a.example",)


@pytest.mark.parametrize("marks", ['""', "''", "“”"])
def test_quotation_marks_around_a_secret_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marks: str
) -> None:
    """As ``docker run --env-file`` hands them over."""
    monkeypatch.setenv("EASEL__KIE__CALLBACK_KEY", f"{marks[0]}{SECRET} {marks[1]}\n")
    (tmp_path / "secret").write_text(f"{marks[0]}{SECRET}{marks[1]}\n")
    config = load_text(tmp_path, f'discord.token_file = "{tmp_path}/secret"')
    assert {config.kie.callback_key.get_secret_value(), config.discord.token.get_secret_value()} == {SECRET}


@pytest.mark.parametrize("inside", ["\n", "\t", "\x00", "\u202e"])
def test_a_secret_of_several_lines_is_refused(tmp_path: Path, inside: str) -> None:
    text = f"kie.api_key = {json.dumps(f'{SECRET}{inside}{SECRET}')}"
    assert "kie.api_key: must be one line" in error_of_text(tmp_path, text)


SECRET_SETTINGS = ("discord.token", "kie.api_key", "kie.callback_key")


def variable_of(setting: str) -> str:
    return f"EASEL__{setting.upper().replace('.', '__')}"


@pytest.mark.parametrize("setting", SECRET_SETTINGS)
def test_a_secret_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f"\ufeff{SECRET}\r\n".encode())
    section, name = setting.split(".")

    def read(config: Config) -> str:
        return getattr(getattr(config, section), name).get_secret_value()

    assert read(load_text(tmp_path, f'{setting}_file = "{file}"')) == SECRET
    monkeypatch.setenv(f"{variable_of(setting)}_FILE", f"{file}\n")
    # The example's empty setting does not count as given.
    assert read(load_text(tmp_path, f'{setting} = ""')) == SECRET
    both = f"{setting} and {setting}_file are both set"
    assert both in error_of_text(tmp_path, f'{setting} = "{SECRET}"')
    monkeypatch.setenv(variable_of(setting), SECRET)
    assert both in error_of(None)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        *(("", "is empty"), (" \r\n\ufeff", "is empty"), (f"{SECRET}\n{SECRET}\n", "must be one line")),
        *((b"\xff" * 9, "is not text in UTF-8"), ("x" * 70_000, "is too large"), (None, "does not exist")),
        (Path(), "is a folder"),
    ],
)
def test_a_file_without_a_secret_is_named_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes | Path | None, problem: str
) -> None:
    # Some enter the secret itself, so the value is never repeated.
    file = tmp_path / SECRET
    if isinstance(content, Path):
        file.mkdir()
    elif content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.setenv("EASEL__KIE__API_KEY_FILE", str(file))
    error = error_of(None)
    assert "kie.api_key" in error
    assert problem in error
