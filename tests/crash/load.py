"""Members under whose hands the bot dies: they wish, press, reply, and run into trouble of every kind."""

import asyncio
import io
import random
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, final

import discord
from PIL import Image
from simcord import InteractionResult, MemberActor, SetupError

from demo.kie import Code, CutAfter, CutBefore, Fail, Html, Http429, Never, Succeed, SucceedWithoutUrls
from tests.crash.world import World
from tests.front import Fault
from tests.process.studio import filled
from tests.stories.rendered import Rendered, rendered
from tests.waiting import until

TAG: Final = re.compile(r"wish\d{5}")
_UNKNOWN_WEBHOOK: Final = 10015
_LATELY: Final = 30
_ANSWER_SECONDS: Final = 3.0
_BUSY_SECONDS: Final = 1.5
_TO_CANCEL_SECONDS: Final = 0.2

PROVOKES: Final[Mapping[str, str]] = {
    "commit: waiting again": "busy",
    "commit: fail": "failing",
    "commit: overdue": "slow",
    "commit: cancel": "cancel",
    "commit: undelivered": "blocked",
    "commit: upload noted": "picture",
    "commit: draft kept": "menu",
    "open modal": "menu",
    "open reply's card": "reply",
    "prepare references": "picture",
    "sanitize": "picture",
    "KIE upload": "picture",
    "post message": "token",
    "remove stale card": "token",
    "report refusal": "nonsense",
}
"""What to do so that a step comes soon, where it does not come by itself."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a member did, and by which interaction or message. Its tag stands in the prompt, and in nobody else's."""

    tag: str
    act: str
    asked: InteractionResult | discord.Message
    token_refused: bool = False


@final
class Load:
    """Acts while a bot is connected; every die is thrown by ``dice``."""

    def __init__(self, world: World, dice: random.Random, *, without: frozenset[str] = frozenset()) -> None:
        self.wishes: list[Wish] = []
        self.errors: list[BaseException] = []
        """What went wrong beside an act: a fault of the load's."""
        self.wanted: str | None = None
        """An act to prefer."""
        self._world = world
        self._dice = dice
        self._number = 0
        # simcord's world takes one verb at a time.
        self._hands = asyncio.Lock()
        self._side: set[asyncio.Task[None]] = set()
        self._acts: dict[str, tuple[float, Callable[[MemberActor], Awaitable[None]]]] = {
            "plain": (10, self._plain),
            "picture": (3, self._picture),
            "reply": (3, self._reply),
            "menu": (1, self._menu),
            "again": (2, self._again),
            "edit": (2, self._edit),
            "token": (2, self._token),
            "blocked": (1, self._blocked),
            "failing": (2, self._failing),
            "refused": (1, self._refused),
            "doubtful": (1, self._doubtful),
            "busy": (1, self._busy),
            "cancel": (1, self._cancel),
            "slow": (1, self._slow),
            "nonsense": (1, self._nonsense),
        }
        for act in without:
            del self._acts[act]

    async def run(self) -> None:
        """Act until cancelled."""
        names = list(self._acts)
        weights = [weight for weight, _ in self._acts.values()]
        try:
            while True:
                await asyncio.sleep(self._dice.uniform(0.05, 0.3))
                if not self._world.front.connected:
                    continue
                name = self._dice.choices(names, weights)[0]
                if self.wanted is not None and self._dice.random() < 0.7:
                    name = self.wanted
                await self._acts[name][1](self._dice.choice(self._world.members))
        finally:
            for task in self._side:
                task.cancel()
            await asyncio.gather(*self._side, return_exceptions=True)
            self._world.kie.script.clear()

    async def _imagine(self, who: MemberActor, act: str, **options: Any) -> InteractionResult:
        tag = self._tag()
        async with self._hands:
            asked = await who.slash(self._world.channel, "imagine", prompt=f"{tag} a red fox", **options)
        self.wishes.append(Wish(tag, act, asked))
        return asked

    async def _plain(self, who: MemberActor) -> None:
        private = {"private": True} if self._dice.random() < 0.15 else {}
        await self._imagine(who, "plain", count=self._dice.choice((1, 1, 1, 2, 3, 4)), **private)

    async def _picture(self, who: MemberActor) -> None:
        images = {name: self._file() for name in ("image", "image2")[: self._dice.choice((1, 1, 2))]}
        await self._imagine(who, "picture", **images)

    async def _reply(self, who: MemberActor) -> None:
        tag, me = self._tag(), self._world.front.env.backend.bot_user.id
        card = self._finished() if self._dice.random() < 0.5 else None
        own = [] if card is not None else [self._file()]
        async with self._hands:
            message = await who.send(self._world.channel, f"<@{me}> {tag} at night", reply_to=card, attachments=own)
        self.wishes.append(Wish(tag, "reply", message))

    async def _menu(self, who: MemberActor) -> None:
        async with self._hands:
            above = await who.send(self._world.channel, "look", attachments=[self._file()])
            opened = await who.context_menu(self._world.channel, "Edit image", above)
        self._beside(self._fill_in(who, opened, "menu"))

    async def _again(self, who: MemberActor) -> None:
        card = self._finished()
        if card is not None and (clicked := await self._click(who, card, "Again")) is not None:
            self.wishes.append(Wish(tag_of(rendered(card)) or "", "again", clicked))

    async def _edit(self, who: MemberActor) -> None:
        card = self._finished()
        if card is not None and (opened := await self._click(who, card, "Edit")) is not None:
            self._beside(self._fill_in(who, opened, "edit"))

    async def _token(self, who: MemberActor) -> None:
        private = {"private": True} if self._dice.random() < 0.2 else {}
        self._refuse_token(await self._imagine(who, "token", **private))

    async def _blocked(self, _who: MemberActor) -> None:
        """Nothing can be posted for her: her token is refused, and she takes no direct messages."""
        self._refuse_token(await self._imagine(self._world.blocked, "blocked", private=True))

    async def _failing(self, who: MemberActor) -> None:
        broken = Fail("500", "Internal Error, Please try again later.")
        moderated = Fail("422", "The prompt was flagged as sensitive and rejected by the safety system.")
        self._world.kie.script.next_tasks(self._dice.choice((broken, moderated, SucceedWithoutUrls())))
        await self._imagine(who, "failing", count=self._dice.choice((1, 2)))

    async def _refused(self, who: MemberActor) -> None:
        self._world.kie.script.on("createTask", Code(422, "The parameters are invalid"))
        await self._imagine(who, "refused")

    async def _doubtful(self, who: MemberActor) -> None:
        self._world.kie.script.on("createTask", self._dice.choice((CutAfter(), CutBefore(), Html(502))))
        await self._imagine(who, "doubtful")

    async def _busy(self, who: MemberActor) -> None:
        self._world.kie.script.on("createTask", Http429())
        await self._imagine(who, "busy")

    async def _slow(self, who: MemberActor) -> None:
        slow = (
            Succeed(duration=self._world.deadline + self._dice.uniform(1, 4)) if self._dice.random() < 0.7 else Never()
        )
        self._world.kie.script.next_tasks(slow)
        await self._imagine(who, "slow")

    async def _nonsense(self, who: MemberActor) -> None:
        await self._imagine(who, "nonsense", aspect_ratio="auto")

    async def _cancel(self, who: MemberActor) -> None:
        self._world.kie.script.always("createTask", Http429())
        asked = await self._imagine(who, "cancel", count=2)
        self._beside(self._take_back(who, asked))

    async def _take_back(self, who: MemberActor, asked: InteractionResult) -> None:
        def card() -> discord.Message | None:
            answer = asked.response
            return answer.message if answer is not None and "Cancel" in rendered(answer).buttons else None

        try:
            await self._click(who, await until(card, within=_BUSY_SECONDS, what="a button"), "Cancel")
            await asyncio.sleep(_TO_CANCEL_SECONDS)
        except AssertionError:
            # A kill came between, or KIE was faster.
            return
        finally:
            self._world.kie.script.clear()

    async def _fill_in(self, who: MemberActor, opened: InteractionResult, act: str) -> None:
        try:
            await until(lambda: opened.modal, within=_ANSWER_SECONDS, what="a modal")
        except AssertionError:
            return
        tag = self._tag()
        async with self._hands:
            sent = await who.submit_modal(opened, _changed(opened, f"{tag} in winter"))
        self.wishes.append(Wish(tag, act, sent))

    async def _click(self, who: MemberActor, card: discord.Message, label: str) -> InteractionResult | None:
        try:
            async with self._hands:
                return await who.click(card, label=label)
        except SetupError:
            # The card has changed, or is gone.
            return None

    def _refuse_token(self, asked: InteractionResult) -> None:
        """From its acknowledgement on, Discord takes nothing more by this interaction's token."""
        wish = self.wishes.pop()
        self.wishes.append(Wish(wish.tag, wish.act, asked, token_refused=True))
        fault = Fault(status=404, code=_UNKNOWN_WEBHOOK, message="Unknown Webhook")
        self._world.front.faults.on("*", f"/webhooks/*/{token_of(asked)}*", fault, times=None)

    def _finished(self) -> discord.Message | None:
        """A recent card with pictures that everybody sees."""
        recent = self.wishes[-_LATELY:]
        self._dice.shuffle(recent)
        for wish in recent:
            if isinstance(wish.asked, InteractionResult) and (answer := wish.asked.response) is not None:
                shown = rendered(answer)
                if shown.images and not shown.ephemeral and shown.buttons:
                    return answer.message
        return None

    def _tag(self) -> str:
        self._number += 1
        return f"wish{self._number:05}"

    def _file(self) -> tuple[str, bytes]:
        """A picture that was never uploaded before."""
        packed = io.BytesIO()
        Image.frombytes("RGB", (16, 16), self._dice.randbytes(16 * 16 * 3)).save(packed, "PNG")
        return "sketch.png", packed.getvalue()

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._side.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._side.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(error)


def tag_of(shown: Rendered) -> str | None:
    """The tag of the wish that a card is about."""
    found = TAG.search(shown.texts[0]) if shown.texts else None
    return found[0] if found else None


def token_of(asked: InteractionResult) -> str:
    """The interaction's token, which simcord's results hold only privately."""
    token: str = attrgetter("_interaction.token")(asked)
    return token


def _changed(opened: InteractionResult, prompt: str) -> dict[str, Any]:
    """The modal as sent off by who changes only the prompt: with several pictures it asks which, and no shape."""
    fields = {part["component"]["custom_id"]: part["component"] for part in (opened.modal or {})["components"]}
    chosen = filled(prompt)
    if "image" in fields:
        chosen["image"] = [fields["image"]["options"][0]["value"]]
    return {name: value for name, value in chosen.items() if name in fields}
