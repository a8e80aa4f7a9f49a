"""What is sent to Sentry: where something failed, and nothing that a member wrote or the operator keeps secret."""

import asyncio
import json
import logging
import re
import socket
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
import structlog
from aiohttp import web

from bot import log, sentry
from bot.domain.credits import Account
from bot.domain.errors import OperatorError
from bot.domain.generation import GenerationRequest
from bot.domain.ids import GuildId, UserId
from bot.generation.pending_cards import PendingCardJournal
from bot.quota.policy import QuotaPolicy
from bot.store.store import Store
from bot.ui.errors import ErrorReporter
from tests.factories import make_request
from tests.store.services import open_services
from tests.test_log import restored_logging

__all__ = ["restored_logging"]

ROOT = Path(__file__).parent.parent
SECRETS = ["MTA4.Gx7-kI_test.not-a-real-token", "RuntimeError"]
PROMPT = "a lighthouse that nobody else may know of"
pytestmark = pytest.mark.prints_secrets


@dataclass
class SentryServer:
    """Sentry; keeps what it is sent."""

    dsn: str = ""
    bodies: list[bytes] = field(default_factory=list[bytes])

    async def events(self) -> list[dict[str, Any]]:
        """What was sent so far, each after its two lines of headers."""
        await asyncio.to_thread(sentry_sdk.flush, 10)
        return [json.loads(body.splitlines()[2]) for body in self.bodies]


@pytest.fixture
async def server() -> AsyncGenerator[SentryServer, None]:
    server = SentryServer()

    async def store(request: web.Request) -> web.Response:
        server.bodies.append(await request.read())
        return web.json_response({})

    application = web.Application()
    application.router.add_post("/api/1/envelope/", store)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.dsn = f"http://key@127.0.0.1:{runner.addresses[0][1]}/1"
    yield server
    await runner.cleanup()


@pytest.fixture(autouse=True)
def ended() -> Generator[None, None, None]:
    yield
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)


async def say(text: str, *, can_ask: bool) -> None:
    assert "Something went wrong" in text
    assert not can_ask


async def refuse(_policy: QuotaPolicy, _tx: object, request: GenerationRequest) -> None:
    raise RuntimeError(f"{request} with {SECRETS[0]}") from KeyError(request.prompt)


@pytest.mark.parametrize("style", ["console", "json"])
async def test_a_crash_while_accepting(
    server: SentryServer, style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.set_up("info", style, SECRETS)
    sentry.set_up(server.dsn, log.Redactor(SECRETS))
    monkeypatch.setattr(QuotaPolicy, "authorize", refuse)
    # Long, so that no random event id contains it.
    request = make_request(prompt=PROMPT, account=Account(UserId(731_000_000_000_000_101), GuildId(900)))
    async with Store.open(f"sqlite:///{tmp_path / 'easel.db'}") as store, open_services(store, tmp_path) as services:
        with PendingCardJournal(tmp_path / "cards") as cards:
            async with ErrorReporter(cards).for_message(say):
                await services.generations.accept(request)

    (event,) = await server.events()
    assert (event["message"], event["level"], event["logger"]) == ("unexpected error", "error", "bot.ui.errors")
    assert event["tags"]["command"] == "message"
    assert event["tags"]["ref"]
    cause, error = event["exception"]["values"]
    # Redacted, since this word is one of the secrets.
    assert (cause["type"], error["type"]) == ("KeyError", "[secret]")
    assert error["stacktrace"]["frames"][-2]["function"] == "_authorize"
    assert "policy.authorize(tx, request)" in error["stacktrace"]["frames"][-2]["context_line"]
    for private in (PROMPT, *SECRETS, str(request.account.user_id), str(ROOT), socket.gethostname(), "breadcrumbs"):
        assert private.encode() not in server.bodies[0]


async def test_messages_of_libraries_and_repeated_errors(server: SentryServer) -> None:
    log.set_up("info", "console", SECRETS)
    sentry.set_up(server.dsn, log.Redactor(SECRETS))
    for _ in range(3):
        structlog.stdlib.get_logger("bot.generation").error("image lost", task=123456789, error=PROMPT)
        logging.getLogger("aiohttp.server").error("cannot answer %s", PROMPT)
    structlog.stdlib.get_logger("bot.generation").warning("delivery failed")
    logging.getLogger("bot.cli.main").critical("crashed", exc_info=ValueError(PROMPT))

    events = [(event["level"], event["message"]) for event in await server.events()]
    assert events == [("error", "image lost"), ("error", "error in aiohttp.server"), ("fatal", "crashed")]
    assert not any(text in body for body in server.bodies for text in (PROMPT.encode(), b"123456789"))


@pytest.mark.long
async def test_a_host_that_hangs_delays_the_end_by_two_seconds_at_most() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sentry.set_up(f"http://key@127.0.0.1:{silent.getsockname()[1]}/1", log.Redactor([]))
        for number in range(200):
            logging.getLogger("bot").error("error %s", number)
        async with asyncio.timeout(10):
            await asyncio.to_thread(sentry_sdk.get_client().close)
    assert sentry_sdk.get_client().options["shutdown_timeout"] == 2


def test_what_is_no_dsn_is_the_operators_to_mend() -> None:
    with pytest.raises(OperatorError, match=r"sentry\.dsn is not a DSN"):
        sentry.set_up("https://sentry.example/1", log.Redactor([]))


def test_the_sdk_is_imported_only_when_it_is_configured() -> None:
    importing = {
        str(file.relative_to(ROOT))
        for folder in ("bot", "cogs")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"^(import|from) .*sentry", file.read_text(), re.MULTILINE)
    }
    assert importing == {"bot/sentry.py"}
