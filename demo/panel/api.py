"""The panel's HTTP API: JSON out, forms in."""

import asyncio
from dataclasses import asdict
from mimetypes import guess_type
from typing import final

import discord
import simcord
from aiohttp import web

from bot.domain.ids import UserId
from bot.ui.message_images import images_of
from demo.kie.images import ImageSpec, draw_image
from demo.panel.access import API_PREFIX, PanelError
from demo.panel.actions import ActionResult, Actions, name_of
from demo.panel.form_data import IMAGES_MAX, files_of, read_form, text_of
from demo.panel.rendering import visible_text

_MESSAGES_SHOWN = 12
_SAMPLES = {
    "fox": ImageSpec("a fox in the first snow", "sample", "1:1", "1K"),
    "harbour": ImageSpec("a harbour at dusk", "sample", "16:9", "1K"),
    "tower": ImageSpec("a tower in spring", "sample", "2:3", "1K"),
}
_SAFE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})


@final
class PanelApi:
    """The routes under /panel/api/. ``preview`` is the address of simcord's preview for the page's frame."""

    def __init__(self, env: simcord.Env, actions: Actions, preview: str) -> None:
        self._env = env
        self._actions = actions
        self._preview = preview

    def routes(self) -> list[web.RouteDef]:
        """Every route with its handler."""
        return [
            web.get(API_PREFIX + "state", self._state),
            web.get(API_PREFIX + "images/{member}/{message}/{number:[0-9]+}", self._image),
            web.get(API_PREFIX + "samples/{name}", self._sample),
            web.post(API_PREFIX + "messages", self._send),
            web.post(API_PREFIX + "apps", self._use_app),
            web.post(API_PREFIX + "modals/{handle}", self._submit_modal),
        ]

    async def _state(self, request: web.Request) -> web.Response:
        members = self._actions.members
        member_id = request.query.get("member")
        member = members[0] if member_id is None else self._actions.member(member_id)
        return web.json_response(
            {
                "preview": self._preview,
                "bot": self._env.backend.bot_user.name,
                "members": [{"id": str(someone.id), "name": name_of(someone)} for someone in members],
                "member": str(member.id),
                "apps": self._actions.apps(member),
                "samples": list(_SAMPLES),
                "imagesMax": IMAGES_MAX,
                "messages": [
                    _summary(message, UserId(member.id)) for message in self._actions.messages(member)[:_MESSAGES_SHOWN]
                ],
            }
        )

    async def _image(self, request: web.Request) -> web.Response:
        member = self._actions.member(request.match_info["member"])
        images = images_of(self._actions.message(member, request.match_info["message"]), UserId(member.id))
        number = int(request.match_info["number"])
        url = images[number].url if number < len(images) else ""
        content, content_type = self._env.backend.cdn.get(url), guess_type(url)[0]
        if content is None or content_type not in _SAFE_TYPES:
            raise PanelError("There is no such image.", 404)
        return web.Response(body=content, content_type=content_type)

    async def _sample(self, request: web.Request) -> web.Response:
        spec = _SAMPLES.get(request.match_info["name"])
        if spec is None:
            raise PanelError("There is no such sample.", 404)
        return web.Response(body=await asyncio.to_thread(draw_image, spec), content_type="image/png")

    async def _send(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        member = self._actions.member(text_of(form, "member"))
        files = files_of(form, "images")
        if len(files) > IMAGES_MAX:
            raise PanelError(f"You can attach {IMAGES_MAX} images, but you attached {len(files)}. Remove some.")
        target_id = text_of(form, "reply_to")
        result = await self._actions.send(
            member,
            text_of(form, "text"),
            mention_bot=text_of(form, "mention") == "yes",
            reply_to=self._actions.message(member, target_id) if target_id else None,
            files=files,
        )
        return _answer(result)

    async def _use_app(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        member = self._actions.member(text_of(form, "member"))
        target = self._actions.message(member, text_of(form, "message"))
        return _answer(await self._actions.use_app(member, text_of(form, "app"), target))

    async def _submit_modal(self, request: web.Request) -> web.Response:
        return _answer(await self._actions.submit_modal(request.match_info["handle"], await read_form(request)))


def _summary(message: discord.Message, viewer: UserId) -> dict[str, str | bool | int]:
    return {
        "id": str(message.id),
        "author": message.author.display_name,
        "bot": message.author.bot,
        "text": visible_text(message),
        "images": len(images_of(message, viewer)),
    }


def _answer(result: ActionResult) -> web.Response:
    return web.json_response(asdict(result))
