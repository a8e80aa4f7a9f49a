"""A proxy to simcord's preview, so that one address serves both and the page may frame it.

The preview forbids all framing and only accepts requests from its own address; neither is changed there. What passes
here has been checked against this server's own address (access.py), may be framed by this address alone, and still
needs the preview's own capability token.
"""

from typing import final

from aiohttp import ClientConnectionError, ClientSession, web
from yarl import URL

PREVIEW_PATH = "/preview"

_REQUEST_HEADERS = ("X-Simcord-Capability", "X-Simcord-Context", "Content-Type")
_DROPPED_RESPONSE_HEADERS = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
)
_POLICY = "Content-Security-Policy"


@final
class PreviewProxy:
    """Forwards requests to the preview at ``origin``, such as http://127.0.0.1:8000."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        self._session = session
        self._origin = origin

    async def page(self, request: web.Request) -> web.Response:
        """The preview's page, for a frame in this server's page."""
        response = await self._forward(request, "/")
        policy = response.headers.get(_POLICY, "")
        response.headers[_POLICY] = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    async def forward(self, request: web.Request) -> web.Response:
        """Everything else that the preview's page requests."""
        return await self._forward(request, request.rel_url.raw_path_qs)

    async def _forward(self, request: web.Request, path: str) -> web.Response:
        headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        if "Origin" in request.headers:
            headers["Origin"] = self._origin
        url = URL(self._origin + path, encoded=True)
        body = request.content if request.can_read_body else None
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                kept = {
                    name: value
                    for name, value in answer.headers.items()
                    if name.lower() not in _DROPPED_RESPONSE_HEADERS
                }
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except ClientConnectionError:
            return web.Response(status=502, text="The preview has ended.")
