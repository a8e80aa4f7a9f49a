"""The search for secrets in the output of tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.leaks import leaks_in

ROOT = Path(__file__).parent.parent
PROMPT = "a lighthouse in a storm"

LEAKY = """
import asyncio
import logging
import sys

import pytest
import structlog
from structlog.testing import capture_logs

from demo.kie import server

LINK = "https://cdn.example.com/a.png?ex=" + "68e"


def ask(prompt):
    body = {"prompt": prompt, "aspect_ratio": "1:1", "resolution": "1K", "nsfw_checker": True}
    assert server.parse_task_request({"model": "flux-2/pro-text-to-image", "input": body}).prompt == prompt


def test_fine():
    ask("a lighthouse in a storm")
    print("a lighthouse")


def test_print():
    print("key: test" + "-key")


def test_error_output():
    print("Authorization: Bear" + "er abcdefgh", file=sys.stderr)


def test_prompt():
    logging.getLogger("bot.somewhere").debug("asked for %s", "a lighthouse in a storm")
    ask("a lighthouse in a storm")


def test_library():
    logging.getLogger("library").debug(LINK)


def test_bot():
    structlog.stdlib.get_logger("bot.somewhere").debug("fetched", address=LINK)


def test_captured():
    with capture_logs():
        structlog.stdlib.get_logger("bot.somewhere").bind(address=LINK).info("fetched")


def test_traceback():
    with capture_logs():
        try:
            raise ValueError(LINK)
        except ValueError:
            structlog.stdlib.get_logger("bot.somewhere").exception("failed")


@pytest.fixture
def leaving():
    yield
    print(LINK)


def test_teardown(leaving):
    pass


@pytest.mark.prints_secrets
def test_on_purpose():
    print(LINK)
"""


@pytest.mark.parametrize(
    "text",
    [
        "key=test-key",
        "Authorization: Bearer abcdefgh",
        "/webhooks/1/simcord_interaction_1234/messages/@original",
        "https://cdn.discordapp.com/a.png?ex=68e&is=68d&hm=5f0c",
        "https://files.example.com/a.png?width=5&X-Amz-Signature=abc",
        "asked for a lighthouse in a storm, twice",
        "{'prompt': 'a lighthouse in a storm'}",
    ],
)
def test_a_leak_is_found(text: str) -> None:
    assert len(leaks_in(text, [PROMPT])) == 1


def test_ordinary_text_is_not_a_leak() -> None:
    text = "task submitted https://cdn.discordapp.com/a.png?[signed] a lighthouse Bearer [secret] exam=1"
    assert leaks_in(text, [PROMPT, "short", ""]) == []


def test_escaped_prompts_are_found() -> None:
    prompt = 'a "lighthouse" ü\nin a storm'
    for text in (prompt, repr([prompt]), f"{prompt!a}"):
        assert leaks_in(text, [prompt])


def test_every_way_of_a_leak_fails_its_test(tmp_path: Path) -> None:
    (tmp_path / "test_leaky.py").write_text(LEAKY, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    done = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    failed = {line.split("::")[1].split()[0] for line in done.stdout.splitlines() if line.startswith("ERROR ")}
    assert failed == {
        f"test_{name}"
        for name in ("print", "error_output", "prompt", "library", "bot", "captured", "traceback", "teardown")
    }, done.stdout
    assert "10 passed" in done.stdout
