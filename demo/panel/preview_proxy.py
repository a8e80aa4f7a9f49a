"""A proxy to simcord's preview, so that one address serves both and the page may frame it.

The preview forbids all framing and only accepts requests from its own address; neither is changed there. What passes
here has been checked against this server's own address (access.py), may be framed by this address alone, and still
needs the preview's own capability token.
"""

import json
import re
from typing import final

from aiohttp import ClientConnectionError, ClientSession, web
from yarl import URL

from demo.simulation import Simulation

PREVIEW_PATH = "/preview"
ACTION_PATH = "/api/action"

_STATE_PATH = "/api/state"
_REQUEST_HEADERS = ("X-Simcord-Capability", "X-Simcord-Context", "Content-Type")
_DROPPED_RESPONSE_HEADERS = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
)
_POLICY = "Content-Security-Policy"
_STYLE = b'<link rel="stylesheet" href="/panel/frame.css"></head>'
_REVISION = re.compile(rb'"published_revision":\s*\d+')
"""In the first part of a form, or the only one; inside a text its quotes would be escaped."""


@final
class PreviewProxy:
    """Forwards requests to the preview at ``origin``, such as http://127.0.0.1:8000."""

    def __init__(self, session: ClientSession, origin: str, simulation: Simulation) -> None:
        self._session = session
        self._origin = origin
        self._simulation = simulation

    async def page(self, request: web.Request) -> web.Response:
        """The preview's page, for a frame in this server's page, without its tools for developers."""
        response = await self._forward(request, "/", b"")
        policy = response.headers.get(_POLICY, "")
        response.headers[_POLICY] = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        response.body = _content(response).replace(b"</head>", _STYLE)
        return response

    async def action(self, request: web.Request) -> web.Response:
        """What a visitor does on the preview's page, in its turn.

        The preview refuses an action during any other operation, and one that names an older snapshot than the last.
        Both happen all the time, since the demo publishes by itself; what the action is about is checked nonetheless.
        """
        body = await request.read()
        async with self._simulation.turn():
            state = await self._forward(request, _STATE_PATH, None)
            if state.status == web.HTTPOk.status_code:
                revision = int(json.loads(_content(state))["publishedRevision"])
                body = _REVISION.sub(b'"published_revision":%d' % revision, body, count=1)
            return await self._forward(request, ACTION_PATH, body)

    async def forward(self, request: web.Request) -> web.Response:
        """Everything else that the preview's page requests."""
        return await self._forward(request, request.rel_url.raw_path_qs, await request.read())

    async def _forward(self, request: web.Request, path: str, body: bytes | None) -> web.Response:
        """Forward with that body, or as a GET if it is None."""
        headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        if "Origin" in request.headers:
            headers["Origin"] = self._origin
        url = URL(self._origin + path, encoded=True)
        method = "GET" if body is None else request.method
        try:
            async with self._session.request(
                method, url, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                kept = {
                    name: value
                    for name, value in answer.headers.items()
                    if name.lower() not in _DROPPED_RESPONSE_HEADERS
                }
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except (ClientConnectionError, RuntimeError):  # the latter if the demo itself is ending
            return web.Response(status=502, text="The preview has ended.")


def _content(response: web.Response) -> bytes:
    return bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
