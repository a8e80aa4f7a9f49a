"""What a visitor does through the panel, as one of the members."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import TypeVar, final

import discord
import simcord

from demo.panel import rendering
from demo.panel.modal import Modal, fill_in, read_modal
from demo.panel.refused import Refused
from demo.panel.uploads import Answers, Upload
from demo.simulation import Busy, Stage
from demo.world import World

_T = TypeVar("_T")

_MODALS_KEPT = 20
_LONGEST_TEXT = 2000
"""Of a message: https://discord.com/developers/docs/resources/message#create-message"""


@dataclass(frozen=True, slots=True)
class OpenModal:
    """A form that waits for answers; the handle is what the page calls it by."""

    handle: str
    modal: Modal


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act: a note about it, a form to fill in, and answers that nobody else sees."""

    note: str = ""
    form: OpenModal | None = None
    private: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Saying:
    """A message to send."""

    text: str
    mention: bool
    reply_to: str | None = None
    uploads: Sequence[Upload] = field(default_factory=tuple[Upload, ...])


@final
class Acts:
    """Does what is asked in the demo's channel. Everything raises Refused with a sentence for the visitor."""

    def __init__(self, env: simcord.Env, world: World, stage: Stage) -> None:
        self._env = env
        self._world = world
        self._stage = stage
        self._open: dict[str, tuple[simcord.MemberActor, simcord.InteractionResult, Modal]] = {}

    @property
    def members(self) -> tuple[simcord.MemberActor, ...]:
        """Everybody a visitor can be."""
        return self._world.members

    def apps(self, member: simcord.MemberActor) -> list[str]:
        """The bot's message commands that the member finds under Apps."""
        found = self._env.backend.visible_commands(
            user_id=member.id, channel_id=self._world.studio.id, type=discord.AppCommandType.message.value
        )
        return [str(one["name"]) for one in found]

    def member(self, member_id: str) -> simcord.MemberActor:
        """The member with that id."""
        for one in self._world.members:
            if str(one.id) == member_id:
                return one
        raise Refused("Choose who you are.", 404)

    def message(self, member: simcord.MemberActor, message_id: str) -> discord.Message:
        """A message of the channel that the member can see and others can, too."""
        for one in self.messages(member):
            if str(one.id) == message_id:
                return one
        raise Refused("That message is not there any more. Choose another.", 404)

    def messages(self, member: simcord.MemberActor) -> list[discord.Message]:
        """The channel's messages, newest first, without those that are for one member's eyes."""
        everything = self._world.studio.history(viewer=member)
        return [one for one in reversed(everything) if not (one.flags.ephemeral or one.flags.loading)]

    async def say(self, member: simcord.MemberActor, saying: Saying) -> Outcome:
        """Send a message. A reply to the bot mentions it by itself, as in Discord; else the mention is text."""
        target = None if saying.reply_to is None else self.message(member, saying.reply_to)
        text = saying.text.strip()
        bot_id = self._env.backend.bot_user.id
        if not text and not saying.uploads:
            raise Refused("Write something or attach a picture first.")
        mention = f"<@{bot_id}>"
        if saying.mention and mention not in text and (target is None or target.author.id != bot_id):
            text = f"{mention} {text}".strip()
        if len(text) > _LONGEST_TEXT:
            raise Refused(f"A message holds {_LONGEST_TEXT:,} characters; this one has {len(text):,}.")
        studio = self._world.studio
        try:
            await self._act(lambda: member.send(studio, text, reply_to=target, attachments=saying.uploads))
        except TimeoutError:
            return Outcome(f"Sent as {name_of(member)}. The bot is still busy with it.")
        return Outcome(f"Sent as {name_of(member)}.")

    async def use_app(self, member: simcord.MemberActor, command: str, target: discord.Message) -> Outcome:
        """Use a message command of the bot, as from Apps in a message's menu."""
        studio = self._world.studio
        return await self._ask(member, lambda: member.context_menu(studio, command, target))

    async def submit(self, handle: str, answers: Answers) -> Outcome:
        """Send a form that a command opened. It stays open when the answers do not fit."""
        if handle not in self._open:
            raise Refused("This form is closed. Open it again.", 404)
        member, shown, modal = self._open[handle]
        values = fill_in(modal, answers)
        outcome = await self._ask(member, lambda: member.submit_modal(shown, values))
        self._open.pop(handle, None)
        return outcome

    async def _ask(
        self, member: simcord.MemberActor, act: Callable[[], Awaitable[simcord.InteractionResult]]
    ) -> Outcome:
        try:
            result = await self._act(act)
        except TimeoutError:
            return Outcome("Sent. The bot is still busy with it.")
        if result.modal is not None:
            return Outcome(form=self._keep(member, result))
        messages = [result.response, *result.followups]
        private = [one.message for one in messages if one is not None and one.ephemeral]
        if private:
            return Outcome(f"Only {name_of(member)} sees this:", private=tuple(map(rendering.full_words, private)))
        if not result.acknowledged:
            raise Refused("The bot did not answer.", 502)
        return Outcome("The bot answered in the channel.")

    def _keep(self, member: simcord.MemberActor, shown: simcord.InteractionResult) -> OpenModal:
        modal = read_modal(shown.modal or {})
        while len(self._open) >= _MODALS_KEPT:
            del self._open[next(iter(self._open))]
        handle = token_urlsafe(12)
        self._open[handle] = (member, shown, modal)
        return OpenModal(handle, modal)

    async def _act(self, act: Callable[[], Awaitable[_T]]) -> _T:
        try:
            return await self._stage.perform(act)
        except Busy as busy:
            raise Refused("The simulation is busy. Try again in a moment.", 503) from busy
        except (simcord.SetupError, simcord.BackendError) as error:
            raise Refused(f"Discord would not let you do this: {error}") from error


def name_of(member: simcord.MemberActor) -> str:
    """The name that the channel shows."""
    return member.user.global_name or member.name
