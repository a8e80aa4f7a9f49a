"""The ports: Protocols for what leaves the process, and for time. Tests replace these and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from pathlib import PurePath
from typing import Protocol

from bot.domain.generation import Generation, Image, PendingCard
from bot.domain.ids import ChannelId, KieTaskId, MessageId, TaskId
from bot.domain.kie_account import Alert
from bot.domain.settings import Settings
from bot.domain.states import Failure


class Clock(Protocol):
    """The source of the time."""

    def now(self) -> datetime:
        """The present instant, timezone-aware, in UTC: for what is stored and shown. It jumps when the clock is set."""
        ...

    def steady(self) -> datetime:
        """As :meth:`now`, but never set and standing still while the machine sleeps: for durations in this process."""
        ...

    def is_settled(self) -> bool:
        """Whether the process has run for some minutes without a jump of its clock."""
        ...

    def forget_before(self, kept_for: timedelta) -> datetime:
        """What is older may be deleted by its age: nothing while the clock is not settled."""
        ...


@dataclass(frozen=True, slots=True)
class TaskInput:
    """The input of one task."""

    task_id: TaskId
    prompt: str
    settings: Settings
    reference_urls: tuple[str, ...]


class Progress(Enum):
    """The state of a task, as the image API reports it."""

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
    """How long the API worked on it, by the API's clock."""
    consumed: Decimal | None = None
    """Credits that the API reports to have taken."""


class ImageApi(Protocol):
    """KIE."""

    async def create(self, task_input: TaskInput) -> KieTaskId:
        """Start a task. The request is sent at most once; raises TaskRefused, TryLater or Ambiguous."""
        ...

    async def report(self, task: KieTaskId) -> TaskReport:
        """The task's record; raises PollFailed."""
        ...

    async def upload(self, data: bytes, filename: str, content_type: str) -> str:
        """Upload a reference to where the API can fetch it, and return its address; raises UploadFailed."""
        ...

    async def download_url(self, url: str) -> str:
        """Another address for a result, good for some minutes, wherever it is stored; raises PollFailed."""
        ...

    async def balance(self) -> Decimal:
        """The credits left on the operator's account; raises AccountRefused or another PollFailed."""
        ...


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A finished image on disk, within its channel's upload limit."""

    path: PurePath
    filename: str
    task_id: TaskId


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that a generation's message shows at one instant."""

    generation: Generation
    position: int | None
    """Place in the queue; None once no task waits there."""
    ready_at: datetime | None
    seconds: float | None = None
    """How long the member waited; None until the outcome is known."""
    late: bool = False
    """The images came after their refund."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message was posted."""

    channel_id: ChannelId
    message_id: MessageId


class MessageSender(Protocol):
    """Discord."""

    async def show(self, card: Card) -> None:
        """Update the card, if it can be reached. Idempotent; a card that is gone raises nothing."""
        ...

    async def deliver(self, card: Card, images: Sequence[ImageFile]) -> Posted:
        """Post the outcome: on the card if it can still be edited, else as a new message. Idempotent per generation.

        Raises DeliveryFailed when a later attempt may succeed, TooLargeToPost, or Undeliverable.
        """
        ...

    async def show_again(self, card: Card, images: Sequence[Image]) -> None:
        """Show an outcome that was posted once more, with the images that are still on its card.

        Also when another process leads; a card that cannot be reached raises nothing.
        """
        ...

    async def ping(self, card: Card) -> None:
        """Mention the requester below the card, which shows the outcome. Tried once; a failure raises nothing."""
        ...

    async def show_interrupted(self, card: PendingCard, /) -> None:
        """Tell on a card that its request was lost in a restart; a card that cannot be reached raises nothing."""
        ...


class OperatorAlerts(Protocol):
    """Where the operator reads alerts: each is sent once, and again only after all was well."""

    async def send(self, alert: Alert) -> None:
        """Send an alert; a failure is only logged."""
        ...
