"""What leaves the process, and time: the only things that tests replace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from pathlib import PurePath
from typing import Protocol

from bot.domain.generation import Generation, PendingCard
from bot.domain.ids import ChannelId, KieTaskId, MessageId, TaskId
from bot.domain.kie_account import Alert
from bot.domain.settings import Settings
from bot.domain.states import Failure


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class TaskInput:
    """One task as the image API takes it."""

    task_id: TaskId
    prompt: str
    settings: Settings
    reference_urls: tuple[str, ...]


class Progress(Enum):
    """What the image API says of a task."""

    RUNNING = auto()
    SUCCEEDED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class TaskReport:
    """The image API's record of a task."""

    progress: Progress
    result_url: str | None = None
    failure: Failure | None = None
    seconds: float | None = None
    """How long the API worked on it, by its own clock."""
    consumed: Decimal | None = None
    """Credits that the API says it took."""


class ImageApi(Protocol):
    """KIE, as the generation room sees it."""

    async def create(self, task_input: TaskInput) -> KieTaskId:
        """Start a task. Sent at most once per call; raises Refused, TryLater or Ambiguous."""
        ...

    async def report(self, task: KieTaskId) -> TaskReport:
        """The task's record; raises PollFailed."""
        ...

    async def upload(self, data: bytes, filename: str, content_type: str) -> str:
        """Store a reference where the API can fetch it, and return its address; raises UploadFailed."""
        ...

    async def balance(self) -> Decimal:
        """The credits left on the operator's account; raises PollFailed."""
        ...


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A finished image, on disk and within the upload limit of its place."""

    path: PurePath
    filename: str
    task_id: TaskId


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that a generation's message shows, at one instant."""

    generation: Generation
    position: int | None
    """Place in line; None once KIE has the first task."""
    ready_at: datetime | None
    seconds: float | None = None
    """How long the member waited, when done."""
    late: bool = False
    """The images came after their refund."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a generation's message stands."""

    channel_id: ChannelId
    message_id: MessageId


class MessageSender(Protocol):
    """Discord, as the generation room sees it."""

    async def show(self, card: Card) -> None:
        """Bring the card up to date, if it can be reached; harmless to repeat, and never raises for a lost card."""
        ...

    async def deliver(self, card: Card, images: Sequence[ImageFile]) -> Posted:
        """Post the outcome: on the card if it can still be edited, else as a new message.

        Harmless to repeat for the same generation. Raises Undeliverable when there is nowhere to post.
        """
        ...

    async def show_interrupted(self, opening: PendingCard) -> None:
        """Say on an opened card that its wish was lost in a restart; never raises for a card that cannot be reached."""
        ...


class OperatorAlerts(Protocol):
    """The operator's ear, as the generation room sees it."""

    async def send(self, alert: Alert) -> None:
        """Tell the operator; when that fails it is logged and nothing else."""
        ...
