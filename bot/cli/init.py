"""``init``: asks for what no default can give, checks it, and writes the configuration file."""

import asyncio
import getpass
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

from bot import options
from bot.checks.discord_rest import DiscordRefused, DiscordRest, DiscordUnreachable
from bot.checks.kie import reason
from bot.cli.settings import DEFAULT
from bot.config import Config, load, secret_problem
from bot.config.sections import DiscordConfig
from bot.domain.errors import OperatorError
from bot.domain.image_api_errors import AccountRefused, PollFailed
from bot.domain.install import install_link
from bot.domain.text import clean
from bot.kie.client import KieClient
from bot.network import client_session
from bot.ui.texts.amounts import in_credits

_FILE: Final = """\
# Made by `python -m bot init`. Every other setting has a default: config.example.toml shows and explains them all.

[discord]
token = {token}

[kie]
api_key = {key}

[operator]
# Your own server: its administrators can use /ops there. 0 for none.
guild = {guild}
"""
_INTRODUCTION: Final = """\
This writes {file}. You need two things; what you paste is not shown:

  the bot's token  from the Bot page of your application at https://discord.com/developers/applications
  KIE's API key    from https://kie.ai/api-key
"""
_SHOWN: Final = 25
_DIGITS: Final = 20
"""More than an id of Discord's has."""


@dataclass(frozen=True, slots=True)
class _Bot:
    """What Discord says about a token."""

    application_id: int
    name: str
    servers: list[tuple[int, str]]


def perform(file: Path | None) -> int:
    """Ask, check, and write the file, which must not exist yet; the exit code. Raises OperatorError."""
    file = file or DEFAULT
    if file.exists():
        raise OperatorError(
            f"{file} already exists and was not changed: `python -m bot check` checks it. "
            "To start again, move it away first."
        )
    if not (file.parent.is_dir() and os.access(file.parent, os.W_OK | os.X_OK)):
        raise OperatorError(f"{file.parent} is not a folder that you can write to: name another file with --config.")
    config = load(None)
    print(_INTRODUCTION.format(file=file))
    try:
        token = _ask_secret("The bot's token: ", "discord.token", lambda token: _try_token(config, token))
        key = _ask_secret("KIE's API key: ", "kie.api_key", lambda key: _try_key(config, key))
        guild = _ask_server(config, token)
    except (EOFError, KeyboardInterrupt) as error:
        print()
        raise OperatorError(f"the input ended, and {file} was not written.") from error
    _write(file, _FILE.format(token=json.dumps(token), key=json.dumps(key), guild=guild))
    print(f"\n{file} was written; only you can read it. Next: `make doctor`, then `make run`.")
    return 0


def _ask_secret(question: str, setting: str, attempt: Callable[[str], str]) -> str:
    """Ask until ``attempt`` raises no OperatorError; what it found is printed. A pipe is asked once."""
    while True:
        text = _read(question, secret=True)
        try:
            secret = _valid(setting, text)
            print(f"  {attempt(secret)}")
        except OperatorError as error:
            if not sys.stdin.isatty():
                raise
            print(f"  {error}")
        else:
            return secret


def _valid(setting: str, text: str) -> str:
    """The secret as the configuration would read it; raises OperatorError."""
    try:
        secret = DiscordConfig(token=SecretStr(text)).token
    except ValidationError as error:
        raise OperatorError(f"{setting} must be one line without invisible characters: copy it again.") from error
    if problem := secret_problem(setting, secret):
        raise OperatorError(problem if text else "Nothing was entered.")
    return secret.get_secret_value()


def _read(question: str, *, secret: bool = False) -> str:
    """One line; raises EOFError at the end of the input."""
    if not sys.stdin.isatty():
        print(question, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.strip()
    return getpass.getpass(question) if secret else input(question).strip()


def _try_token(config: Config, token: str) -> str:
    try:
        bot = asyncio.run(_look_up(config, token))
    except DiscordRefused as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise OperatorError(
                "Discord refused it: press Reset Token on your application's Bot page, and paste the new one."
            ) from error
        return f"Discord answered with {error}, so it was not checked."
    except DiscordUnreachable as error:
        return f"Discord cannot be reached ({error}), so it was not checked."
    return f"Discord knows it: {bot.name}."


def _try_key(config: Config, key: str) -> str:
    try:
        balance = asyncio.run(_balance(config, key))
    except AccountRefused as error:
        if error.wrong_key:
            raise OperatorError("KIE refused it: copy it again from https://kie.ai/api-key.") from error
        return f"KIE refused the account ({error.detail}): see https://kie.ai/api-key."
    except PollFailed as error:
        return f"KIE cannot be reached ({reason(error)}), so it was not checked."
    return f"KIE knows it: {in_credits(balance)}."


async def _look_up(config: Config, token: str) -> _Bot:
    async with client_session() as session:
        rest = DiscordRest(session, config.discord.api_url, token)
        application = await rest.get("/oauth2/applications/@me")
        servers = [(int(guild["id"]), clean(str(guild["name"]))) async for guild in rest.guilds()]
        return _Bot(int(application["id"]), clean(str(application["name"])), servers)


async def _balance(config: Config, key: str) -> Decimal:
    async with client_session() as session:
        return await KieClient(session, replace(options.kie_options(config), api_key=key)).balance()


def _ask_server(config: Config, token: str) -> int:
    """The id of the operator's server; 0 for none."""
    try:
        bot = asyncio.run(_look_up(config, token))
        while not bot.servers:
            print("\nThe bot is in no server yet. Open this link to add it to yours:\n")
            print(f"  {install_link(bot.application_id)}\n")
            if _read("Press Enter once it is in your server, or type 0 to do this later: ") == "0":
                return 0
            bot = asyncio.run(_look_up(config, token))
    except (DiscordRefused, DiscordUnreachable, EOFError):
        print("\nNo server was chosen. To have /ops later, set operator.guild to the id of your own server.")
        return 0
    print("\nThe bot is in:")
    for number, (_, name) in enumerate(bot.servers[:_SHOWN], start=1):
        print(f"  {number}  {name}")
    return _choose(bot.servers)


def _choose(servers: list[tuple[int, str]]) -> int:
    ids = [guild for guild, _ in servers]
    default = 1 if len(ids) == 1 else 0
    while True:
        try:
            answer = _read(
                f"Which one is your own, where you will have /ops? Its number or id, 0 for none [{default}]: "
            )
        except EOFError:
            return 0
        choice = int(answer) if answer.isdecimal() and len(answer) < _DIGITS else -1 if answer else default
        if choice == 0 or choice in ids:
            return choice
        if 1 <= choice <= len(ids):
            return ids[choice - 1]
        if not sys.stdin.isatty():
            raise OperatorError("the bot is not in that server.")
        print("  The bot is not in that server.")


def _write(file: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise OperatorError(f"{file} exists by now, and nothing is overwritten.") from None
    except OSError as error:
        # Half a file, on a full disk: the next attempt must not find it.
        file.unlink(missing_ok=True)
        raise OperatorError(f"{file} cannot be written: {error.strerror}.") from error
