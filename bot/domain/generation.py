"""A generation, its tasks, its references, and where it is shown."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.credits import Account, Credits, Requester
from bot.domain.ids import (
    ChannelId,
    DraftId,
    GenerationId,
    GuildId,
    ImageId,
    KieTaskId,
    MessageId,
    PendingCardId,
    TaskId,
    UserId,
)
from bot.domain.prompts import in_template
from bot.domain.settings import Settings, TaskClass
from bot.domain.states import OPEN, REFUNDED, Failure, TaskState


@dataclass(frozen=True, slots=True)
class Source:
    """An image, usually on Discord: its address, its file name, and its size in bytes (0 if Discord does not say)."""

    url: str
    filename: str
    size: int = 0
    owner: UserId | None = None
    """The only member who could see it: who attached it privately. None if it was posted for all to see."""
    spoiler: bool = False
    """Discord hides it until a reader presses on it."""
    uncertain: bool = False
    """Only its bytes tell whether it is an image, or it is linked to by a message: passed over if it cannot be used."""
    at_kie: bool = False
    """A result of ours that is no longer on Discord: the address is one of KIE's."""
    forwarded: MessageId | None = None
    """The message that it was forwarded from, as Discord says; None if it was not."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An input image at an address that KIE can fetch, and the file name by which the member knows it."""

    url: str
    filename: str
    digest: str | None = None
    """SHA-256, in hex, of the uploaded bytes; finds them in the cache when the address has expired."""
    owner: UserId | None = None
    """As of its source: others may not use it with a prompt of their own."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What an edit was made from: a message, and the image in it if Easel made that image."""

    channel_id: ChannelId
    message_id: MessageId
    image_id: ImageId | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a command, button or form asks for beside its prompt and images, while its member is asked first."""

    settings: Settings
    count: int
    private: bool
    style: str | None = None
    template: str | None = None
    """As of the request."""
    reference_set: str | None = None
    """The name of the set whose images are used."""
    spoiler: bool = False
    """What it is made from is hidden on Discord."""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class SubmittedForm:
    """What a form asks for whose words its member still chooses; the draft has the sources, and what they wrote."""

    settings: Settings
    count: int
    private: bool
    spoiler: bool
    origin: Origin | None
    rewordings: tuple[str, ...]
    style: str | None = None
    template: str | None = None
    used: frozenset[int] = frozenset()
    """Which of them, or 0 for the member's own words, have started a request."""
    price: Credits | None = None
    """What the member was told that each of them costs."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A request that a member has not made yet: a modal that they have open, or a question to them."""

    id: DraftId
    user_id: UserId
    created_at: datetime
    origin: Origin
    """The message that the images are from; of a question without images, the one that it answers; none for a
    command."""
    sources: tuple[Source | Reference, ...]
    prompt: str | None = None
    """What a question is about; None for a modal."""
    question: MessageId | None = None
    """The message with the question, in the origin's channel; None for a modal, or if only the member sees it."""
    chosen: Chosen | None = None
    """Of a command, button or form; None for a message, which is made by the member's preferences."""
    form: SubmittedForm | None = None
    """A form that was submitted and whose words its member still chooses."""
    charge: int | None = None
    """The row of the ledger that paid for those words, until the member has seen them."""


@dataclass(frozen=True, slots=True)
class InteractionToken:
    """Allows to edit the message that answers an interaction, in any channel, until the token expires."""

    application_id: int
    value: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a generation is shown: on the interaction's message while its token lives, else on a message of the bot."""

    channel_id: ChannelId
    token: InteractionToken | None
    """None when the bot replied to a message: the card is then an ordinary message of the bot."""
    message_id: MessageId | None
    """The card; None until Discord has told its id."""
    private: bool
    """Only the requester sees it: an ephemeral message, or a direct message once the token has expired."""
    upload_limit: int
    """Largest file that this channel accepts, in bytes."""
    parent_channel_id: ChannelId | None = None
    """The channel of a thread; known only while the request is being accepted."""
    pending_card: PendingCardId | None = None
    """The card's entry in the journal; known only while the request is being accepted."""
    outside: GuildId | None = None
    """The server, if the bot is not in it: a user has installed it to their own account, which pays."""


@dataclass(frozen=True, slots=True)
class PendingCard:
    """A card that Discord shows, or is about to show, and that has no generation yet."""

    id: PendingCardId
    user_id: UserId
    opened_at: datetime
    destination: Destination
    answers: MessageId | None = None
    """The message that the card replies to, unless it answers an interaction."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What a member asks for, before it is accepted and costs anything."""

    requester: Requester
    prompt: str
    settings: Settings
    count: int
    references: tuple[Reference, ...]
    destination: Destination
    origin: Origin | None = None
    """What is edited, if anything."""
    spoiler: bool = False
    """An image or words that it was made from are hidden on Discord, so the results are, too."""
    style: str | None = None
    """The name of the style, as it was then."""
    template: str | None = None
    """That style's template as it was then, since a style may be changed or removed later."""

    @property
    def full_prompt(self) -> str:
        """What KIE is sent, and what rules about words apply to: the template with the member's words in it."""
        return in_template(self.template, self.prompt)

    @property
    def account(self) -> Account:
        """The account that pays."""
        return self.requester.account

    @property
    def place(self) -> GuildId:
        """The server where it is shown, or :data:`DIRECT_MESSAGES`."""
        return self.destination.outside or self.account.guild_id


@dataclass(frozen=True, slots=True)
class Task:
    """One task at KIE, which makes one image."""

    id: TaskId
    generation_id: GenerationId
    user_id: UserId
    position: int
    state: TaskState
    task_class: TaskClass
    created_at: datetime
    kie_task_id: KieTaskId | None = None
    submitted_at: datetime | None = None
    deadline: datetime | None = None
    """When Easel stops waiting; for OVERDUE tasks, when it stops watching for a late success."""
    finished_at: datetime | None = None
    result_url: str | None = None
    failure: Failure | None = None
    free: bool = False
    """The image came after its refund, and is delivered free of charge."""


@dataclass(frozen=True, slots=True)
class Image:
    """A finished image that was posted: where, and the image that it was made from."""

    id: ImageId
    generation_id: GenerationId
    parent_id: ImageId | None
    channel_id: ChannelId
    message_id: MessageId
    filename: str
    posted_at: datetime
    shared: bool = False
    """Its requester, who alone could see it, has posted a copy for all; that is where it is now."""


class Delivery(StrEnum):
    """Whether the outcome of a generation was posted."""

    NONE = "none"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Generation:
    """An accepted request and its tasks."""

    id: GenerationId
    request: GenerationRequest
    unit_price: Credits
    created_at: datetime
    """When the member asked; the tasks were created once the references were ready."""
    delivery: Delivery
    tasks: tuple[Task, ...]

    @property
    def price(self) -> Credits:
        """What was reserved for all tasks."""
        return self.unit_price * len(self.tasks)

    @property
    def charged(self) -> Credits:
        """What remains reserved or paid: refunded tasks and late images cost nothing."""
        return self.unit_price * sum(task.state not in REFUNDED and not task.free for task in self.tasks)

    def task(self, task_id: TaskId) -> Task:
        """One of its tasks; raises StopIteration for any other id."""
        return next(task for task in self.tasks if task.id == task_id)

    @property
    def ready(self) -> tuple[Task, ...]:
        """Tasks whose image is finished and not posted yet, in their order."""
        return tuple(task for task in self.tasks if task.state is TaskState.READY)

    @property
    def settled(self) -> bool:
        """No task is waiting or running, so the outcome can be posted."""
        return all(task.state is TaskState.READY or task.state not in OPEN for task in self.tasks)

    @property
    def withdrawn(self) -> bool:
        """Its requester cancelled before any of its images were posted."""
        states = {task.state for task in self.tasks}
        return TaskState.CANCELLED in states and TaskState.DELIVERED not in states

    @property
    def at_work(self) -> bool:
        """At least one task has left the queue."""
        return any(task.state is not TaskState.RESERVED for task in self.tasks)

    @property
    def cancellable(self) -> bool:
        """At least one task was not sent to KIE yet."""
        return any(task.state is TaskState.RESERVED for task in self.tasks)
