"""The loopback Discord as a whole: one simcord world, its REST API, its gateway and its CDN."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from operator import attrgetter
from types import TracebackType
from typing import Any, Self, final

import discord
from aiohttp import web
from simcord import Env, InteractionResult, ResponseMessage

from demo.cdn import serve_cdn
from tests.front.faults import Faults
from tests.front.gateway import Gateway, GatewayOptions
from tests.front.process import BotProcess, command_for
from tests.front.recording import Request
from tests.front.rest import Rest, RestOptions, UploadLimits
from tests.front.world import quiet_world

_PREFIX = "/api/v10"
_TOKEN = "front.bot.token"
_BODY_LIMIT = 512 * 1024 * 1024


@final
class DiscordFront:
    """A Discord on 127.0.0.1 for bots in other processes, while it is entered.

    `env` is simcord's world. Its verbs return as soon as the event is sent; wait for a condition to see the bot's
    answer. `token` is the one the bot must present, `approved_intents` what the developer portal grants (None: all).
    """

    def __init__(
        self,
        *,
        token: str = _TOKEN,
        approved_intents: discord.Intents | None = None,
    ) -> None:
        self.token = token
        self.env: Env = quiet_world()
        self.upload_limits = UploadLimits()
        backend = self.env.backend
        flags = _application_flags(approved_intents)
        self.gateway = Gateway(
            backend,
            self.upload_limits,
            GatewayOptions(token, approved_intents, flags),
        )
        content_access = approved_intents is None or approved_intents.message_content
        self._rest = Rest(backend, self.upload_limits, RestOptions(_PREFIX, token, flags, content_access))
        self._cdn_url = ""
        self._port = 0
        self._opened = AsyncExitStack()

    @property
    def api_url(self) -> str:
        """For discord.py's `Route.BASE`."""
        return f"http://127.0.0.1:{self._port}{_PREFIX}"

    @property
    def gateway_url(self) -> str:
        """For discord.py's `DiscordWebSocket.DEFAULT_GATEWAY`."""
        return f"ws://127.0.0.1:{self._port}/gateway"

    @property
    def cdn_url(self) -> str:
        """What the addresses of attachments begin with."""
        return self._cdn_url

    @property
    def faults(self) -> Faults:
        """The scripted faults of REST calls."""
        return self._rest.faults

    @property
    def requests(self) -> list[Request]:
        """Every REST call so far."""
        return self._rest.requests

    @property
    def gaps(self) -> list[str]:
        """Calls that simcord cannot answer; leaving the front with any is an error."""
        return self._rest.gaps

    @property
    def connected(self) -> bool:
        """Whether a bot is on the gateway."""
        return self.gateway.connected

    def calls(self, method: str, ending: str = "") -> list[Request]:
        """The calls so far with this method and ending of the path."""
        return [call for call in self.requests if call.method == method and call.path.endswith(ending)]

    def time_to_acknowledge(self, result: InteractionResult) -> float | None:
        """Seconds between an interaction's event and the call that answered it; None without an answer."""
        # simcord's results have no public interaction id.
        interaction_id: int = attrgetter("_interaction.id")(result)
        for call in self.requests:
            if call.path.startswith(f"/interactions/{interaction_id}/"):
                return call.at - self.gateway.dispatched[interaction_id]
        return None

    @property
    def application(self) -> dict[str, Any]:
        """Fields of the application that differ from simcord's, to be changed in place."""
        return self._rest.application

    def name_shards(self, count: int, *, max_concurrency: int = 1) -> None:
        """What Discord says about how a bot is to be sharded."""
        self._rest.shards, self._rest.max_concurrency = count, max_concurrency

    async def drop_gateway(self, code: int | None = 4000) -> None:
        """Close every gateway connection with `code`; None cuts it."""
        await self.gateway.drop(code)

    def launch(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[BotProcess]:
        """Run `python -m module` as a process whose discord.py uses this Discord."""
        command = command_for(self.api_url, self.gateway_url, module, *arguments)
        return BotProcess.start(*command, environment=environment)

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=_BODY_LIMIT)
        application.router.add_get("/gateway", self.gateway.handle)
        application.router.add_route("*", f"{_PREFIX}/{{path:.*}}", self._rest.handle)
        async with AsyncExitStack() as stack:
            await self.env.start()
            stack.push_async_callback(self.env.shutdown)
            self._cdn_url = await stack.enter_async_context(serve_cdn(self.env))
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._port = runner.addresses[0][1]
            self.gateway.url = self._rest.gateway_url = self.gateway_url
            self.env.backend.subscribers.append(self.gateway.on_event)
            stack.callback(self.env.backend.subscribers.remove, self.gateway.on_event)
            stack.push_async_callback(self.gateway.drop, 1001)
            stack.callback(self._rest.close)
            self._opened = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._opened.aclose()
        if exc is None and self.gaps:
            raise AssertionError("simcord could not answer these calls:\n" + "\n".join(self.gaps))


def answered(result: InteractionResult) -> ResponseMessage | None:
    """The answer to an interaction; None while the bot is "thinking"."""
    response = result.response
    return None if response is None or response.flags.loading else response


def _application_flags(approved: discord.Intents | None) -> int:
    granted = approved or discord.Intents.all()
    flags = discord.ApplicationFlags()
    flags.gateway_presence_limited = granted.presences
    flags.gateway_guild_members_limited = granted.members
    flags.gateway_message_content_limited = granted.message_content
    return flags.value
