"""What is logged, and above all what is redacted."""

import json
import logging
from base64 import b64encode
from collections.abc import Generator
from typing import Any
from urllib.parse import quote, quote_plus

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
def restored_logging() -> Generator[None, None, None]:
    root = logging.getLogger()
    handlers = root.handlers[:]
    loggers = [root, *(logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger))]
    levels = {logger: logger.level for logger in loggers}
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    for name in log.QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)
    for logger, level in levels.items():
        logger.setLevel(level)


def set_up(style: str, level: str = "info") -> structlog.stdlib.BoundLogger:
    log.set_up(level, style, [SECRET, ODD_SECRET, ""])
    return structlog.stdlib.get_logger("bot.module")


def output_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def json_entry(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The only line of the log."""
    (line,) = output_of(capsys).splitlines()
    return json.loads(line)


def fail_with(text: str) -> None:
    prompt = "a lighthouse that must not be logged"
    assert prompt
    raise ValueError(text)


@both_formats
@pytest.mark.parametrize(
    ("text", "kept", "hidden"),
    [
        (f"Bearer {SECRET}!", "Bearer [secret]!", SECRET),
        (f"{SECRET}{SECRET}", "[secret][secret]", SECRET),
        (ODD_SECRET, "[secret]", "pass"),
        (repr({"key": ODD_SECRET, "raw": ODD_SECRET.encode()}), "[secret]", "pass"),
        (json.dumps(repr(ODD_SECRET)), "[secret]", "pass"),
        (f"?key={quote(ODD_SECRET)}&{quote_plus(ODD_SECRET)}", "[secret]", "pass"),
        (f"{SECRET[:9]}\n  {SECRET[9:]}", "[secret]", SECRET[9:]),
        (f"Basic {b64encode(f'easel:{SECRET}!'.encode()).decode()}", "Basic ZWFzZWw6[secret]", "WA4"),
        (f"Basic {b64encode(ODD_SECRET.encode()).decode()}", "Basic [secret]", b64encode(ODD_SECRET.encode()).decode()),
        ("via http://ann:hunter2@proxy.example:3128", "via http://[secret]@proxy.example:3128", "hunter2"),
        ("postgresql+psycopg://easel:p@ss/word@db/easel", "postgresql+psycopg://[secret]@db/easel", "ss/word"),
        ("https://a.example/b:c and d@e.example", "https://a.example/b:c and d@e.example", "[secret]"),
        (f"POST /webhooks/123/{TOKEN}/messages/@original", "/webhooks/123/[token]/messages/@original", TOKEN),
        (f"https://discord.com/api/v10/interactions/9/{TOKEN}/callback", "/interactions/9/[token]/callback", TOKEN),
        (f"got {SIGNED} at last", "https://cdn.discordapp.com/attachments/1/2/a.png?[signed] at last", "5f0c0ffee"),
    ],
)
def test_secrets_are_redacted_everywhere(
    capsys: pytest.CaptureFixture[str], style: str, text: str, kept: str, hidden: str
) -> None:
    logger = set_up(style)
    logger.info(text)
    logger.info("a field", address=text)
    logger.info("a nested field", several=[{"address": text}])
    logging.getLogger("library").warning("text %s", text)
    try:
        fail_with(text)
    except ValueError:
        logger.exception("failed")
        logging.getLogger("library").exception("failed too")
    output = output_of(capsys)
    assert hidden not in output
    assert output.count(kept) >= 6


@both_formats
def test_a_traceback_shows_functions_but_no_values(capsys: pytest.CaptureFixture[str], style: str) -> None:
    logger = set_up(style)
    try:
        fail_with("on purpose")
    except ValueError as error:
        logger.error("failed", exc_info=error)
    output = output_of(capsys)
    for shown in ("ValueError", "on purpose", "fail_with"):
        assert shown in output
    assert "locals" not in output
    assert "must not be logged" not in output


@pytest.mark.parametrize(
    ("secrets", "text", "redacted"),
    [
        *(([SECRET], text, text) for text in ("https://example.com/a.png", "what? nothing", "/webhooks/123/short")),
        *((secrets, "an abc of things", "an abc of things") for secrets in ([], [""], ["abc"])),
        (["token", "token-and-more"], "token-and-more", "[secret]"),
    ],
)
def test_the_redactor(secrets: list[str], text: str, redacted: str) -> None:
    assert log.Redactor(secrets)(text) == redacted


def test_json_has_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json").warning("task failed", generation=12, failure=Failure.MODERATED)
    entry = json_entry(capsys)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "task failed",
        "level": "warning",
        "logger": "bot.module",
        "generation": 12,
        "failure": "moderated",
    }


@both_formats
def test_enums_are_logged_as_their_values(capsys: pytest.CaptureFixture[str], style: str) -> None:
    set_up(style).info("moved", state=TaskState.READY)
    output = output_of(capsys)
    assert "ready" in output
    assert "TaskState" not in output


def test_an_error_with_a_value_is_logged_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json").error("failed", exc_info=StopIteration("a value"))
    assert json_entry(capsys)["exception"][0]["exc_type"] == "StopIteration"


def test_bound_fields_are_on_the_entries_of_libraries_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    with structlog.contextvars.bound_contextvars(generation=12):
        logging.getLogger("library").warning("says %s", "hello")
    entry = json_entry(capsys)
    assert (entry["event"], entry["generation"], entry["logger"]) == ("says hello", 12, "library")


@both_formats
@pytest.mark.parametrize(("level", "shown"), [("debug", "diwe"), ("info", "iwe"), ("warning", "we"), ("error", "e")])
def test_levels(capsys: pytest.CaptureFixture[str], style: str, level: str, shown: str) -> None:
    for logger in (set_up(style, level), logging.getLogger("library")):
        for letter, write in zip("diwe", (logger.debug, logger.info, logger.warning, logger.error), strict=True):
            write(f"event-{letter}")
    output = output_of(capsys)
    assert {letter: output.count(f"event-{letter}") for letter in "diwe"} == {
        letter: 2 * (letter in shown) for letter in "diwe"
    }


@pytest.mark.parametrize(
    "name", ["aiohttp.client", "sqlalchemy.engine.Engine", "aiosqlite", "discord.http", "discord.webhook.async_"]
)
def test_libraries_that_log_whole_requests_log_only_warnings(capsys: pytest.CaptureFixture[str], name: str) -> None:
    set_up("console", "debug")
    logging.getLogger(name).debug("a prompt")
    logging.getLogger(name).info("a prompt")
    logging.getLogger(name).warning("a warning")
    output = output_of(capsys)
    assert "a prompt" not in output
    assert "a warning" in output


def test_a_second_set_up_does_not_log_twice(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    set_up("json").info("once")
    assert json_entry(capsys)["event"] == "once"


def test_a_console_shows_the_summary_first_and_then_what_it_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("info", "console", [], hold=True)
    logger = structlog.stdlib.get_logger("bot.module")
    logger.info("an early line")
    logging.getLogger("library").warning("another")
    assert output_of(capsys) == ""
    log.release(lambda: logger.info(log.STARTED, bot="Easel", kie_balance="5 credits"))
    logger.info("a late line")
    shown = [line.rstrip() for line in output_of(capsys).splitlines()]
    assert [line.partition("] ")[2].split("  ")[0] or line for line in shown] == [
        "started",
        "  bot              Easel",
        "  kie balance      5 credits",
        "an early line",
        "another",
        "a late line",
    ]


def test_an_error_is_not_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("info", "console", [], hold=True)
    structlog.stdlib.get_logger("bot.module").info("what led to it")
    structlog.stdlib.get_logger("bot.module").error("no connection")
    first, second = output_of(capsys).splitlines()
    assert ("what led to it" in first, "no connection" in second) == (True, True)


def test_an_event_is_one_line_that_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "two\nlines\r\u2028\x1b[2J"
    logger = set_up("console")
    logger.info(bad, text=bad, nested=[bad], error=ValueError(bad))
    logging.getLogger("library").warning("says %s", bad)
    logger.info(log.STARTED, bot=bad)
    output = output_of(capsys)
    assert (len(output.splitlines()), "\x1b" in output) == (4, False)
