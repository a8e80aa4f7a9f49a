"""The way to simcord's preview: through this server, so that one address has both and the page may frame it.

The preview forbids all framing and takes requests from its own address only. Neither is changed there. What passes
here was checked against this server's own address first (door.py), may be framed by this address alone, and needs
the preview's capability as ever.
"""

from typing import final

from aiohttp import ClientConnectionError, ClientSession, web
from yarl import URL

PREVIEW = "/preview"

_ON_THE_WAY_IN = ("X-Simcord-Capability", "X-Simcord-Context", "Content-Type")
_NOT_ON_THE_WAY_OUT = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})
_POLICY = "Content-Security-Policy"


@final
class Passage:
    """Hands requests on to the preview at ``origin``, such as http://127.0.0.1:8000."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        self._session = session
        self._origin = origin

    async def page(self, request: web.Request) -> web.Response:
        """The preview's page, for a frame of this server's page."""
        response = await self._fetch(request, "/")
        policy = response.headers.get(_POLICY, "")
        response.headers[_POLICY] = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    async def hand_on(self, request: web.Request) -> web.Response:
        """Everything else that the preview's page asks for."""
        return await self._fetch(request, request.rel_url.raw_path_qs)

    async def _fetch(self, request: web.Request, path: str) -> web.Response:
        headers = {name: request.headers[name] for name in _ON_THE_WAY_IN if name in request.headers}
        if "Origin" in request.headers:
            headers["Origin"] = self._origin
        url = URL(self._origin + path, encoded=True)
        body = request.content if request.can_read_body else None
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                kept = {name: text for name, text in answer.headers.items() if name.lower() not in _NOT_ON_THE_WAY_OUT}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except ClientConnectionError:
            return web.Response(status=502, text="The preview has ended.")
