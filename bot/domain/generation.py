"""The nouns: a generation, its tasks, its references."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.credits import Account, Credits, Requester
from bot.domain.ids import (
    ChannelId,
    DraftId,
    GenerationId,
    ImageId,
    KieTaskId,
    MessageId,
    PendingCardId,
    TaskId,
    UserId,
)
from bot.domain.settings import Settings, TaskClass
from bot.domain.states import OPEN, REFUNDED, Failure, TaskState


@dataclass(frozen=True, slots=True)
class Source:
    """A picture as Discord offers it: its address, its file's name, and its size in bytes (0 when not told)."""

    url: str
    filename: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Reference:
    """An input image as KIE can fetch it, and the name that the member knows it by."""

    url: str
    filename: str
    digest: str | None = None
    """SHA-256, in hex, of the bytes that were uploaded: by it they are found again when the address has expired."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What an edit was made from: a message, and the image of ours in it, if it was one."""

    channel_id: ChannelId
    message_id: MessageId
    image_id: ImageId | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A modal that a member has open: which pictures it is about."""

    id: DraftId
    user_id: UserId
    created_at: datetime
    origin: Origin
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class InteractionToken:
    """What lets the bot edit the message that answers an interaction, for a while and in any place."""

    application_id: int
    value: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a generation is shown: an interaction's message while its token lives, else the bot's own message."""

    channel_id: ChannelId
    token: InteractionToken | None
    """None when a message was answered: the card is then an ordinary message of the bot's."""
    message_id: MessageId | None
    """The card. None while Discord has not told its id."""
    private: bool
    """Only the requester sees it: an ephemeral message, or a direct one when the token is dead."""
    upload_limit: int
    """Bytes that a file may have in this place."""
    parent_channel_id: ChannelId | None = None
    """The channel of a thread; known only while the wish is being accepted."""
    pending_card: PendingCardId | None = None
    """Under what the card was written down; known only while the wish is being accepted."""


@dataclass(frozen=True, slots=True)
class PendingCard:
    """A card that Discord shows, or is about to, while no generation stands behind it yet."""

    id: PendingCardId
    user_id: UserId
    opened_at: datetime
    destination: Destination
    answers: MessageId | None = None
    """The message that the card replies to, if it is no interaction's."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What a member asked for, checked and complete, before it costs anything."""

    requester: Requester
    prompt: str
    settings: Settings
    count: int
    references: tuple[Reference, ...]
    destination: Destination
    origin: Origin | None = None
    """What is edited, if it is an earlier picture."""

    @property
    def account(self) -> Account:
        """Whose credits it spends."""
        return self.requester.account


@dataclass(frozen=True, slots=True)
class Task:
    """One KIE task; makes one image."""

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
    """When waiting ends: for OVERDUE tasks, when watching for a late success ends."""
    finished_at: datetime | None = None
    result_url: str | None = None
    failure: Failure | None = None
    free: bool = False
    """Came after its refund: delivered without a charge."""


@dataclass(frozen=True, slots=True)
class Image:
    """One finished picture that was posted: where, and what it was made from."""

    id: ImageId
    generation_id: GenerationId
    parent_id: ImageId | None
    channel_id: ChannelId
    message_id: MessageId
    filename: str
    posted_at: datetime


class Delivery(StrEnum):
    """How far the outcome of a generation has been told."""

    NONE = "none"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Generation:
    """What a member asked for, and how far it has come."""

    id: GenerationId
    request: GenerationRequest
    unit_price: Credits
    created_at: datetime
    """When the member asked; the tasks are younger by the time that references took."""
    delivery: Delivery
    tasks: tuple[Task, ...]

    @property
    def price(self) -> Credits:
        """What the whole was reserved at."""
        return self.unit_price * len(self.tasks)

    @property
    def charged(self) -> Credits:
        """What remains reserved or paid: refunded and late tasks cost nothing."""
        return self.unit_price * sum(task.state not in REFUNDED and not task.free for task in self.tasks)

    def task(self, task_id: TaskId) -> Task:
        """One of its tasks, which must be such."""
        return next(task for task in self.tasks if task.id == task_id)

    @property
    def ready(self) -> tuple[Task, ...]:
        """Tasks whose image exists and is not posted yet, in their order."""
        return tuple(task for task in self.tasks if task.state is TaskState.READY)

    @property
    def settled(self) -> bool:
        """No task is being worked on any more: what is READY can be posted, the rest be told."""
        return all(task.state is TaskState.READY or task.state not in OPEN for task in self.tasks)

    @property
    def at_work(self) -> bool:
        """KIE has at least one task, or is being asked for it."""
        return any(task.state is not TaskState.RESERVED for task in self.tasks)

    @property
    def cancellable(self) -> bool:
        """At least one task has not been handed to KIE."""
        return any(task.state is TaskState.RESERVED for task in self.tasks)
