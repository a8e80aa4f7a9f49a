"""Members who keep requesting, clicking and replying while the bot is killed, and who provoke faults of every kind."""

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
from tests.crash.testbed import CrashTestbed
from tests.front import Fault
from tests.process.deployment import modal_values
from tests.stories.rendered import Rendered, rendered
from tests.waiting import until

TAG: Final = re.compile(r"request\d{5}")
_UNKNOWN_WEBHOOK: Final = 10015
_RECENT: Final = 30
_MODAL_SECONDS: Final = 3.0
_CANCEL_BUTTON_SECONDS: Final = 1.5
_CANCELLING_SECONDS: Final = 0.2

PROVOKED_BY: Final[Mapping[str, str]] = {
    "commit: waiting again": "busy",
    "commit: fail": "failing",
    "commit: overdue": "slow",
    "commit: cancel": "cancel",
    "commit: undelivered": "blocked",
    "commit: upload stored": "reference",
    "commit: draft stored": "menu",
    "open modal": "menu",
    "open reply's card": "reply",
    "prepare references": "reference",
    "sanitize": "reference",
    "KIE upload": "reference",
    "post message": "token",
    "remove stale card": "token",
    "report refusal": "invalid",
}
"""The action that soon leads to a step, where the usual ones do not."""


@dataclass(frozen=True, slots=True)
class MemberAction:
    """What a member did, by an interaction or a message. The prompt contains ``tag``, as no other prompt does."""

    tag: str
    by: InteractionResult | discord.Message
    token_refused: bool = False


@final
class MemberLoad:
    """Acts while a bot is connected; everything random comes from ``dice``."""

    def __init__(
        self,
        testbed: CrashTestbed,
        dice: random.Random,
        *,
        without: frozenset[str] = frozenset(),
        pauses: tuple[float, float] = (0.05, 0.3),
    ) -> None:
        self.done: list[MemberAction] = []
        self.errors: list[BaseException] = []
        """Errors of the load's own background tasks."""
        self.preferred: str | None = None
        """The name of an action to choose more often."""
        self._testbed = testbed
        self._dice = dice
        self._pauses = pauses
        self._count = 0
        # simcord performs one action at a time.
        self._acting = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._actions: dict[str, tuple[float, Callable[[MemberActor], Awaitable[None]]]] = {
            "plain": (10, self._plain),
            "reference": (3, self._reference),
            "reply": (3, self._reply),
            "menu": (1, self._menu),
            "again": (2, self._again),
            "edit": (2, self._edit),
            "token": (2, self._token),
            "blocked": (1, self._blocked),
            "failing": (2, self._failing),
            "refused": (1, self._refused),
            "ambiguous": (1, self._ambiguous),
            "busy": (1, self._busy),
            "cancel": (1, self._cancel),
            "slow": (1, self._slow),
            "invalid": (1, self._invalid),
        }
        for name in without:
            del self._actions[name]

    async def run(self) -> None:
        """Act until cancelled."""
        names = list(self._actions)
        weights = [weight for weight, _ in self._actions.values()]
        try:
            while True:
                await asyncio.sleep(self._dice.uniform(*self._pauses))
                if not self._testbed.front.connected:
                    continue
                name = self._dice.choices(names, weights)[0]
                if self.preferred is not None and self._dice.random() < 0.7:
                    name = self.preferred
                await self._actions[name][1](self._dice.choice(self._testbed.members))
        finally:
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)
            self._testbed.kie.script.clear()

    async def _imagine(self, member: MemberActor, **options: Any) -> InteractionResult:
        tag, channel = self._new_tag(), self._testbed.channel_of(member)
        async with self._acting:
            interaction = await member.slash(channel, "imagine", prompt=f"{tag} a red fox", **options)
        self.done.append(MemberAction(tag, interaction))
        return interaction

    async def _plain(self, member: MemberActor) -> None:
        private = {"private": True} if self._dice.random() < 0.15 else {}
        await self._imagine(member, count=self._dice.choice((1, 1, 1, 2, 3, 4)), **private)

    async def _reference(self, member: MemberActor) -> None:
        await self._imagine(
            member, **{name: self._new_image() for name in ("image", "image2")[: self._dice.choice((1, 1, 2))]}
        )

    async def _reply(self, member: MemberActor) -> None:
        tag, bot = self._new_tag(), self._testbed.front.env.backend.bot_user.id
        card = self._finished_card(member) if self._dice.random() < 0.5 else None
        files = [] if card is not None else [self._new_image()]
        channel = self._testbed.channel_of(member)
        async with self._acting:
            message = await member.send(channel, f"<@{bot}> {tag} at night", reply_to=card, attachments=files)
        self.done.append(MemberAction(tag, message))

    async def _menu(self, member: MemberActor) -> None:
        channel = self._testbed.channel_of(member)
        async with self._acting:
            message = await member.send(channel, "look", attachments=[self._new_image()])
            modal = await member.context_menu(channel, "Edit image", message)
        self._start(self._submit(member, modal))

    async def _again(self, member: MemberActor) -> None:
        card = self._finished_card(member)
        if card is not None and (clicked := await self._click(member, card, "Again")) is not None:
            self.done.append(MemberAction(tag_of(rendered(card)) or "", clicked))

    async def _edit(self, member: MemberActor) -> None:
        card = self._finished_card(member)
        if card is not None and "1" in rendered(card).buttons:
            # Of several images each has a menu.
            menu = await self._click(member, card, "1")
            card = menu.response.message if menu is not None and menu.response is not None else None
        if card is not None and (modal := await self._click(member, card, "Edit")) is not None:
            self._start(self._submit(member, modal))

    async def _token(self, member: MemberActor) -> None:
        private = {"private": True} if self._dice.random() < 0.2 else {}
        self._refuse_token(await self._imagine(member, **private))

    async def _blocked(self, _member: MemberActor) -> None:
        """Nothing can be posted for her: her token is refused, and she accepts no direct messages."""
        self._refuse_token(await self._imagine(self._testbed.blocked, private=True))

    async def _failing(self, member: MemberActor) -> None:
        broken = Fail("500", "Internal Error, Please try again later.")
        moderated = Fail("422", "The prompt was flagged as sensitive and rejected by the safety system.")
        self._testbed.kie.script.next_tasks(self._dice.choice((broken, moderated, SucceedWithoutUrls())))
        await self._imagine(member, count=self._dice.choice((1, 2)))

    async def _refused(self, member: MemberActor) -> None:
        self._testbed.kie.script.on("createTask", Code(422, "The parameters are invalid"))
        await self._imagine(member)

    async def _ambiguous(self, member: MemberActor) -> None:
        self._testbed.kie.script.on("createTask", self._dice.choice((CutAfter(), CutBefore(), Html(502))))
        await self._imagine(member)

    async def _busy(self, member: MemberActor) -> None:
        self._testbed.kie.script.on("createTask", Http429())
        await self._imagine(member)

    async def _slow(self, member: MemberActor) -> None:
        late = Succeed(duration=self._testbed.deadline + self._dice.uniform(1, 4))
        self._testbed.kie.script.next_tasks(late if self._dice.random() < 0.7 else Never())
        await self._imagine(member)

    async def _invalid(self, member: MemberActor) -> None:
        await self._imagine(member, aspect_ratio="auto")

    async def _cancel(self, member: MemberActor) -> None:
        self._testbed.kie.script.always("createTask", Http429())
        self._start(self._click_cancel(member, await self._imagine(member, count=2)))

    async def _click_cancel(self, member: MemberActor, interaction: InteractionResult) -> None:
        def cancellable() -> discord.Message | None:
            answer = interaction.response
            return answer.message if answer is not None and "Cancel" in rendered(answer).buttons else None

        try:
            card = await until(cancellable, within=_CANCEL_BUTTON_SECONDS, what="a button")
            await self._click(member, card, "Cancel")
            await asyncio.sleep(_CANCELLING_SECONDS)
        except AssertionError:
            # The process was killed meanwhile, or KIE was faster.
            return
        finally:
            self._testbed.kie.script.clear()

    async def _submit(self, member: MemberActor, modal: InteractionResult) -> None:
        try:
            await until(lambda: modal.modal, within=_MODAL_SECONDS, what="a modal")
        except AssertionError:
            return
        tag = self._new_tag()
        async with self._acting:
            submitted = await member.submit_modal(modal, _values(modal, f"{tag} in winter"))
        self.done.append(MemberAction(tag, submitted))

    async def _click(self, member: MemberActor, card: discord.Message, label: str) -> InteractionResult | None:
        try:
            async with self._acting:
                return await member.click(card, label=label)
        except SetupError:
            # The card has changed, or was deleted.
            return None

    def _refuse_token(self, interaction: InteractionResult) -> None:
        """After the acknowledgement, Discord refuses this interaction's token."""
        action = self.done.pop()
        self.done.append(MemberAction(action.tag, interaction, token_refused=True))
        # simcord's results hold their interaction privately.
        token: str = attrgetter("_interaction.token")(interaction)
        fault = Fault(status=404, code=_UNKNOWN_WEBHOOK, message="Unknown Webhook")
        self._testbed.front.faults.on("*", f"/webhooks/*/{token}*", fault, times=None)

    def _finished_card(self, member: MemberActor) -> discord.Message | None:
        """A recent public card with images that the member sees."""
        channel = self._testbed.channel_of(member).id
        recent = self.done[-_RECENT:]
        self._dice.shuffle(recent)
        for action in recent:
            if isinstance(action.by, InteractionResult) and (answer := action.by.response) is not None:
                shown = rendered(answer)
                here = answer.message.channel.id == channel
                if here and shown.images and not shown.ephemeral and shown.buttons:
                    return answer.message
        return None

    def _new_tag(self) -> str:
        self._count += 1
        return f"request{self._count:05}"

    def _new_image(self) -> tuple[str, bytes]:
        """An image that was never uploaded before."""
        data = io.BytesIO()
        Image.frombytes("RGB", (16, 16), self._dice.randbytes(16 * 16 * 3)).save(data, "PNG")
        return "sketch.png", data.getvalue()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(error)


def tag_of(shown: Rendered) -> str | None:
    """The tag in a card's prompt."""
    tag = TAG.search(shown.texts[0]) if shown.texts else None
    return tag[0] if tag else None


def _values(modal: InteractionResult, prompt: str) -> dict[str, Any]:
    """What a member submits who changes only the prompt."""
    fields = {part["component"]["custom_id"]: part["component"] for part in (modal.modal or {})["components"]}
    values = modal_values(prompt)
    return {name: value for name, value in values.items() if name in fields}
