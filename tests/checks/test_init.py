"""`python -m bot init`: it asks, checks what it is told, and writes a file with which the bot starts."""

import asyncio
import errno
import io
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from bot.cli import init
from bot.config import load
from bot.domain.errors import OperatorError
from bot.domain.install import install_link
from demo.kie import Reply
from tests.checks.surroundings import KIE_KEY, Surroundings
from tests.front import Fault

Answer: TypeAlias = "Callable[..., Awaitable[int]]"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    folder.mkdir()
    return folder / "config.toml"


def written(file: Path) -> str:
    """The file's text, which nobody else can read; empty if there is none."""
    if not file.exists():
        return ""
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text(encoding="utf-8")


@pytest.fixture
def answer(surroundings: Surroundings, file: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Runs it with these lines as its input, and the stand-ins' addresses in the environment."""
    monkeypatch.setenv("EASEL__DISCORD__API_URL", surroundings.front.api_url)
    monkeypatch.setenv("EASEL__KIE__BASE_URL", surroundings.kie.base_url)

    async def run(*lines: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return await asyncio.to_thread(init.perform, file)

    return run


async def test_what_is_written_is_what_was_checked(
    surroundings: Surroundings, answer: Answer, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await answer(f" {surroundings.front.token}", f'"{KIE_KEY}"', "1") == 0
    config = load(file)
    assert config.discord.token.get_secret_value() == surroundings.front.token
    assert config.kie.api_key.get_secret_value() == KIE_KEY
    assert config.operator.guild == surroundings.guild.id
    assert "KIE knows it: 1,000 credits." in capsys.readouterr().out
    text = written(file)
    assert text
    with pytest.raises(OperatorError, match="already exists and was not changed"):
        await answer(surroundings.front.token, KIE_KEY)
    assert written(file) == text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["wrong"], "Discord refused it: press Reset Token"),
        (["two words"], "discord.token contains a space"),
        ([""], "Nothing was entered"),
        (["front.bot.token", "another-key"], "KIE refused it: copy it again"),
        (["front.bot.token", KIE_KEY, "5"], "the bot is not in that server"),
        (["front.bot.token", KIE_KEY, "5" * 5_000], "the bot is not in that server"),
        (["front.bot.token"], "the input ended"),
    ],
)
async def test_what_is_refused_is_not_written(answer: Answer, file: Path, lines: list[str], message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        await answer(*lines)
    assert written(file) == ""


async def test_where_nothing_can_be_written_nothing_is_asked(answer: Answer, file: Path) -> None:
    file.parent.rmdir()
    with pytest.raises(OperatorError, match="is not a folder that you can write to"):
        await answer()


async def test_half_a_file_is_not_left_for_the_next_attempt(
    surroundings: Surroundings, answer: Answer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, *_: object, **__: object) -> None:
        os.close(handle)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", full)
        with pytest.raises(OperatorError, match="cannot be written: No space left"):
            await answer(surroundings.front.token, KIE_KEY, "1")
    assert await answer(surroundings.front.token, KIE_KEY, "1") == 0
    assert written(file)


async def test_without_a_server_it_shows_the_link_that_adds_the_bot(
    surroundings: Surroundings, answer: Answer, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = surroundings.front.env.backend
    backend.remove_guild(surroundings.guild.id)
    assert await answer(surroundings.front.token, KIE_KEY, "") == 0
    assert capsys.readouterr().out.count(install_link(backend.application_id)) == 2
    assert load(file).operator.guild == 0


async def test_what_cannot_be_asked_is_taken_unchecked(
    surroundings: Surroundings, answer: Answer, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings.front.faults.on("GET", "*", Fault(status=502, html=True), times=None)
    surroundings.kie.script.always("credit", Reply(status=502, body="bad gateway"))
    assert await answer(surroundings.front.token, KIE_KEY) == 0
    assert capsys.readouterr().out.count("so it was not checked") == 2
    assert load(file).kie.api_key.get_secret_value() == KIE_KEY
