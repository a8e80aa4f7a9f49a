"""What a visitor does through the panel, as one of the members."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any, TypeVar, final

import discord
import simcord

from demo.guild import DemoGuild
from demo.panel.access import PanelError
from demo.panel.form_data import FormFields, NamedFile, files_of, text_of
from demo.panel.rendering import visible_text
from demo.simulation import Simulation

_T = TypeVar("_T")

_OPEN_MODALS_MAX = 20
_MESSAGE_MAX_LENGTH = 2000
"""https://discord.com/developers/docs/resources/message#create-message"""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What came of an action: a note about it, a modal to fill in with its handle, and ephemeral answers."""

    note: str = ""
    modal: Mapping[str, Any] | None = None
    handle: str = ""
    private: tuple[str, ...] = ()


@final
class Actions:
    """Acts in the demo's channel. Every method raises PanelError with a sentence for the visitor."""

    def __init__(self, env: simcord.Env, guild: DemoGuild, simulation: Simulation) -> None:
        self._env = env
        self._channel = guild.channel
        self._simulation = simulation
        self._modals: dict[str, tuple[simcord.MemberActor, simcord.InteractionResult]] = {}
        self.members = guild.members

    def apps(self, member: simcord.MemberActor) -> list[str]:
        """The bot's message commands that the member finds under Apps."""
        commands = self._env.backend.visible_commands(
            user_id=member.id, channel_id=self._channel.id, type=discord.AppCommandType.message.value
        )
        return [str(command["name"]) for command in commands]

    def member(self, member_id: str) -> simcord.MemberActor:
        """The member with that id."""
        for member in self.members:
            if str(member.id) == member_id:
                return member
        raise PanelError("Choose who you are.", 404)

    def message(self, member: simcord.MemberActor, message_id: str) -> discord.Message:
        """A message of the channel that is visible to everyone."""
        for message in self.messages(member):
            if str(message.id) == message_id:
                return message
        raise PanelError("That message no longer exists. Choose another one.", 404)

    def messages(self, member: simcord.MemberActor) -> list[discord.Message]:
        """The channel's messages, newest first, without ephemeral ones."""
        history = self._channel.history(viewer=member)
        return [message for message in reversed(history) if not (message.flags.ephemeral or message.flags.loading)]

    async def send(
        self,
        member: simcord.MemberActor,
        text: str,
        *,
        mention_bot: bool,
        reply_to: discord.Message | None,
        files: Sequence[NamedFile],
    ) -> ActionResult:
        """Send a message. As in Discord, a reply to the bot pings it without a mention in its text."""
        text = text.strip()
        if not text and not files:
            raise PanelError("Write something or attach an image first.")
        mention = f"<@{self._env.backend.bot_user.id}>"
        if mention_bot and mention not in text:
            text = f"{mention} {text}".strip()
        if len(text) > _MESSAGE_MAX_LENGTH:
            raise PanelError(f"A message can have {_MESSAGE_MAX_LENGTH:,} characters; this one has {len(text):,}.")
        try:
            await self._run(lambda: member.send(self._channel, text, reply_to=reply_to, attachments=files))
        except TimeoutError:
            return ActionResult(f"Sent as {name_of(member)}. The bot is still working on it.")
        return ActionResult(f"Sent as {name_of(member)}.")

    async def use_app(self, member: simcord.MemberActor, command: str, target: discord.Message) -> ActionResult:
        """Use one of the bot's message commands, as from Apps in a message's menu."""
        return await self._interact(member, lambda: member.context_menu(self._channel, command, target))

    async def submit_modal(self, handle: str, answers: FormFields) -> ActionResult:
        """Submit a modal that a command opened. It stays open if Discord would not accept the answers."""
        if handle not in self._modals:
            raise PanelError("This form is closed. Open it again.", 404)
        member, opened = self._modals[handle]
        values = _modal_values(opened.modal or {}, answers)
        result = await self._interact(member, lambda: member.submit_modal(opened, values))
        self._modals.pop(handle, None)
        return result

    async def _interact(
        self, member: simcord.MemberActor, action: Callable[[], Awaitable[simcord.InteractionResult]]
    ) -> ActionResult:
        try:
            result = await self._run(action)
        except TimeoutError:
            return ActionResult("Sent. The bot is still working on it.")
        if result.modal is not None:
            while len(self._modals) >= _OPEN_MODALS_MAX:
                del self._modals[next(iter(self._modals))]
            handle = token_urlsafe(12)
            self._modals[handle] = (member, result)
            return ActionResult(modal=result.modal, handle=handle)
        answers = [result.response, *result.followups]
        private = [answer.message for answer in answers if answer is not None and answer.ephemeral]
        if private:
            texts = tuple(map(visible_text, private))
            return ActionResult(f"Only {name_of(member)} can see this:", private=texts)
        if not result.acknowledged:
            raise PanelError("The bot did not answer.", 502)
        return ActionResult("The bot answered in the channel.")

    async def _run(self, action: Callable[[], Awaitable[_T]]) -> _T:
        try:
            return await self._simulation.run(action)
        except (simcord.SetupError, simcord.BackendError) as error:
            raise PanelError(f"Discord wouldn't allow this: {error}") from error


def name_of(member: simcord.MemberActor) -> str:
    """The name that the channel shows."""
    return member.user.global_name or member.name


def _modal_values(modal: Mapping[str, Any], answers: FormFields) -> dict[str, str | list[str] | list[NamedFile]]:
    """The answers by custom id, in the shapes that simcord expects; simcord checks them as Discord would."""
    values: dict[str, str | list[str] | list[NamedFile]] = {}
    for component in modal.get("components", ()):
        for control in component.get("components") or [component.get("component") or component]:
            name = control.get("custom_id", "")
            match control["type"]:
                case discord.ComponentType.text_input.value:
                    values[name] = text_of(answers, name)
                case discord.ComponentType.select.value | discord.ComponentType.checkbox_group.value:
                    values[name] = [text for text in answers.getall(name, []) if isinstance(text, str) and text]
                case discord.ComponentType.file_upload.value:
                    values[name] = files_of(answers, name)
                case _:
                    pass
    return values
