"""What the page asks for and tells: JSON out, forms in."""

import asyncio
from dataclasses import asdict, dataclass
from mimetypes import guess_type
from typing import final

import simcord
from aiohttp import web

from bot.ui.message_images import images_of
from demo.kie.paint import Wish, paint
from demo.panel import rendering
from demo.panel.actions import Acts, Outcome, Saying, name_of
from demo.panel.door import API
from demo.panel.refused import Refused
from demo.panel.uploads import PICTURES_MAX, files_of, read_form, text_of

_SHOWN = 12
_SAMPLES = {
    "fox": Wish("a fox in the first snow", "sample", "1:1", "1K"),
    "harbour": Wish("a harbour at dusk", "sample", "16:9", "1K"),
    "tower": Wish("a tower in spring", "sample", "2:3", "1K"),
}
_SAFE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})


@dataclass(frozen=True, slots=True)
class _Line:
    """A message as the page lists it; ``pictures`` is how many it shows."""

    id: str
    author: str
    bot: bool
    text: str
    pictures: int


@final
class Api:
    """The routes under /panel/api/. ``preview`` is where the page finds simcord's preview."""

    def __init__(self, env: simcord.Env, acts: Acts, preview: str) -> None:
        self._env = env
        self._acts = acts
        self._preview = preview

    def routes(self) -> list[web.RouteDef]:
        """Every route with its handler."""
        return [
            web.get(API + "state", self._state),
            web.get(API + "pictures/{member}/{message}/{number:[0-9]+}", self._picture),
            web.get(API + "samples/{name}", self._sample),
            web.post(API + "say", self._say),
            web.post(API + "apps", self._use_app),
            web.post(API + "forms/{handle}", self._submit),
        ]

    async def _state(self, request: web.Request) -> web.Response:
        members = self._acts.members
        wanted = request.query.get("member")
        member = members[0] if wanted is None else self._acts.member(wanted)
        lines = [
            _Line(
                str(one.id),
                one.author.display_name,
                bot=one.author.bot,
                text=rendering.words(one),
                pictures=len(images_of(one)),
            )
            for one in self._acts.messages(member)[:_SHOWN]
        ]
        return web.json_response(
            {
                "preview": self._preview,
                "bot": self._env.backend.bot_user.name,
                "members": [{"id": str(one.id), "name": name_of(one)} for one in members],
                "member": str(member.id),
                "apps": self._acts.apps(member),
                "samples": list(_SAMPLES),
                "picturesMax": PICTURES_MAX,
                "messages": [asdict(line) for line in lines],
            }
        )

    async def _picture(self, request: web.Request) -> web.Response:
        message = self._acts.message(self._acts.member(request.match_info["member"]), request.match_info["message"])
        urls = [source.url for source in images_of(message)]
        number = int(request.match_info["number"])
        content = self._env.backend.cdn.get(urls[number]) if number < len(urls) else None
        content_type = guess_type(urls[number])[0] if content is not None else None
        if content is None or content_type not in _SAFE_TYPES:
            raise Refused("There is no such picture.", 404)
        return web.Response(body=content, content_type=content_type)

    async def _sample(self, request: web.Request) -> web.Response:
        wish = _SAMPLES.get(request.match_info["name"])
        if wish is None:
            raise Refused("There is no such sample.", 404)
        return web.Response(body=await asyncio.to_thread(paint, wish, "JPEG"), content_type="image/jpeg")

    async def _say(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        member = self._acts.member(text_of(form, "member"))
        saying = Saying(
            text_of(form, "text"),
            mention=text_of(form, "mention") == "yes",
            reply_to=text_of(form, "reply_to") or None,
            uploads=files_of(form.getall("pictures", []), PICTURES_MAX),
        )
        return _told(await self._acts.say(member, saying))

    async def _use_app(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        member = self._acts.member(text_of(form, "member"))
        target = self._acts.message(member, text_of(form, "message"))
        return _told(await self._acts.use_app(member, text_of(form, "app"), target))

    async def _submit(self, request: web.Request) -> web.Response:
        return _told(await self._acts.submit(request.match_info["handle"], await read_form(request)))


def _told(outcome: Outcome) -> web.Response:
    form = None if outcome.form is None else {"handle": outcome.form.handle, **outcome.form.modal.model_dump()}
    return web.json_response({"note": outcome.note, "private": outcome.private, "form": form})
