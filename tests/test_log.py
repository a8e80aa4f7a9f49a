"""What is logged, and above all what is not."""

import json
import logging
from collections.abc import Generator
from typing import Any

import pytest
import structlog

from bot import log
from bot.domain.states import Failure, TaskState

SECRET = "MTA4.Gx7-kI_test.not-a-real-token"
ODD_SECRET = 'pass"word\\with ü'
TOKEN = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5OmFiY2RlZg"
SIGNED = "https://cdn.discordapp.com/attachments/1/2/a.png?ex=68e&is=68d&hm=5f0c0ffee"

both_formats = pytest.mark.parametrize("style", ["console", "json"])


@pytest.fixture(autouse=True)
def restored() -> Generator[None, None, None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: one.level for name, one in root.manager.loggerDict.items() if isinstance(one, logging.Logger)}
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, one in root.manager.loggerDict.items():
        if isinstance(one, logging.Logger):
            one.setLevel(levels.get(name, logging.NOTSET))


def set_up(style: str, level: str = "info") -> structlog.stdlib.BoundLogger:
    log.set_up(level, style, [SECRET, ODD_SECRET, ""])
    return structlog.stdlib.get_logger("bot.somewhere")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def record(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one line of JSON that was logged."""
    (line,) = said(capsys).splitlines()
    return json.loads(line)


class SecretiveError(Exception):
    """Has a secret in its text."""


def fail_with(text: str) -> None:
    prompt = "a lighthouse that nobody should read of"
    assert prompt
    raise SecretiveError(text)


@both_formats
@pytest.mark.parametrize(
    ("text", "kept", "hidden"),
    [
        (f"Bearer {SECRET}!", "Bearer [secret]!", SECRET),
        (f"{SECRET}{SECRET}", "[secret][secret]", SECRET),
        (f"POST /webhooks/123/{TOKEN}/messages/@original", "/webhooks/123/[token]/messages/@original", TOKEN),
        (f"https://discord.com/api/v10/interactions/9/{TOKEN}/callback", "/interactions/9/[token]/callback", TOKEN),
        (f"got {SIGNED} at last", "https://cdn.discordapp.com/attachments/1/2/a.png?[signed] at last", "5f0c0ffee"),
    ],
)
def test_secrets_are_blotted_out_wherever_they_stand(
    capsys: pytest.CaptureFixture[str], style: str, text: str, kept: str, hidden: str
) -> None:
    logger = set_up(style)
    logger.info(text)
    logger.info("a field", address=text)
    logger.info("a nested field", several=[{"address": text}])
    logging.getLogger("somebody.else").warning("says %s", text)
    try:
        fail_with(text)
    except SecretiveError:
        logger.exception("died")
        logging.getLogger("somebody.else").exception("died too")
    output = said(capsys)
    assert hidden not in output
    assert output.count(kept) >= 6


@both_formats
def test_a_secret_with_odd_characters_is_blotted_out_too(capsys: pytest.CaptureFixture[str], style: str) -> None:
    logger = set_up(style)
    logger.info(ODD_SECRET)
    logger.info("a field", key=ODD_SECRET)
    logger.info("a nested field", keys=[ODD_SECRET])
    try:
        fail_with(ODD_SECRET)
    except SecretiveError:
        logger.exception("died")
    output = said(capsys)
    assert "pass" not in output
    assert output.count("[secret]") == 4


@both_formats
def test_a_traceback_shows_the_way_but_no_values(capsys: pytest.CaptureFixture[str], style: str) -> None:
    logger = set_up(style)
    try:
        fail_with("on purpose")
    except SecretiveError as error:
        logger.error("died", exc_info=error)
    output = said(capsys)
    assert "SecretiveError" in output
    assert "on purpose" in output
    assert "fail_with" in output
    assert "locals" not in output
    assert "nobody should read" not in output


@pytest.mark.parametrize("text", ["https://example.com/a.png", "what? nothing", "/webhooks/123/short", "a b c"])
def test_what_is_not_secret_stays(text: str) -> None:
    assert log.Redactor([SECRET])(text) == text


@pytest.mark.parametrize("secrets", [[], [""], ["abc"]])
def test_words_too_short_for_secrets_are_left_alone(secrets: list[str]) -> None:
    assert log.Redactor(secrets)("an abc of things") == "an abc of things"


def test_of_two_secrets_the_longer_goes_first() -> None:
    assert log.Redactor(["token", "token-and-more"])("token-and-more") == "[secret]"


def test_a_line_of_json_has_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json").warning("task failed", generation=12, failure=Failure.MODERATED)
    found = record(capsys)
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": "task failed",
        "level": "warning",
        "logger": "bot.somewhere",
        "generation": 12,
        "failure": "moderated",
    }


@both_formats
def test_enums_print_as_their_values(capsys: pytest.CaptureFixture[str], style: str) -> None:
    set_up(style).info("moved", state=TaskState.READY)
    output = said(capsys)
    assert "ready" in output
    assert "TaskState" not in output


def test_only_enums_are_unwrapped(capsys: pytest.CaptureFixture[str]) -> None:
    """An error that carries a value is still an error, with its traceback."""
    set_up("json").error("died", exc_info=StopIteration("what was asked for"))
    found = record(capsys)
    assert found["exception"][0]["exc_type"] == "StopIteration"


def test_what_is_bound_stands_on_foreign_records_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    with structlog.contextvars.bound_contextvars(generation=12):
        logging.getLogger("somebody.else").warning("says %s", "hello")
    found = record(capsys)
    assert (found["event"], found["generation"], found["logger"]) == ("says hello", 12, "somebody.else")


@both_formats
@pytest.mark.parametrize(("level", "shown"), [("debug", "diwe"), ("info", "iwe"), ("warning", "we"), ("error", "e")])
def test_levels(capsys: pytest.CaptureFixture[str], style: str, level: str, shown: str) -> None:
    logger = set_up(style, level)
    for one in (logger, logging.getLogger("somebody.else")):
        one.debug("event-d")
        one.info("event-i")
        one.warning("event-w")
        one.error("event-e")
    output = said(capsys)
    assert {letter: output.count(f"event-{letter}") for letter in "diwe"} == {
        letter: 2 * (letter in shown) for letter in "diwe"
    }


@pytest.mark.parametrize(
    "name", ["aiohttp.client", "sqlalchemy.engine.Engine", "aiosqlite", "discord.http", "discord.webhook.async_"]
)
def test_libraries_that_print_whole_requests_do_not_even_at_debug_level(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    set_up("console", "debug")
    logging.getLogger(name).debug("a prompt")
    logging.getLogger(name).info("a prompt")
    logging.getLogger(name).warning("a warning")
    output = said(capsys)
    assert "a prompt" not in output
    assert "a warning" in output


def test_setting_up_twice_does_not_print_twice(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    set_up("json").info("once")
    assert record(capsys)["event"] == "once"
