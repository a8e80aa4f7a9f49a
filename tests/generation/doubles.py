"""Doubles of the ports: Discord, the operator's alerts, time, and an image API that fails unexpectedly."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bot.domain.generation import Image, PendingCard
from bot.domain.ids import ChannelId, GenerationId, ImageId, KieTaskId, MessageId
from bot.domain.kie_account import Alert
from bot.domain.ports import Card, ImageApi, ImageFile, Posted, TaskInput, TaskReport
from bot.runtime import SystemClock


class ShiftedClock(SystemClock):
    """The real time, shifted by as much as a test wants; settled, since its machine has run for an hour."""

    def __init__(self) -> None:
        self._passed, self._set = -3600.0, 0.0
        super().__init__(lambda: time.time() + self._passed + self._set, lambda: time.monotonic() + self._passed)
        self._passed = 0.0

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._passed += seconds

    def set(self, seconds: float) -> None:
        """The clock is set forward or back; no time passes."""
        self._set += seconds


@dataclass(frozen=True)
class Post:
    """One call of deliver that was accepted."""

    card: Card
    positions: tuple[int, ...]
    """Of the tasks whose images were posted."""
    files: tuple[bytes, ...]
    names: tuple[str, ...]


class NeverReturns:
    """A reaction that lasts until the process is killed."""


Reaction = Exception | NeverReturns | Callable[[Card, Sequence[ImageFile]], Exception | None]


class RecordingSender:
    """Accepts and keeps every post, unless a reaction is set."""

    def __init__(self) -> None:
        self.shown: list[Card] = []
        self.attempts: list[tuple[Card, tuple[int, ...]]] = []
        """Each call of deliver: the card, and the sizes of the files."""
        self.posts: list[Post] = []
        self.shown_again: list[tuple[Card, list[ImageId]]] = []
        self.next_show: deque[Exception] = deque()
        self.next_deliver: deque[Reaction] = deque()
        self.always: Reaction | None = None
        self.pinged: list[GenerationId] = []
        self.interrupted: list[PendingCard] = []

    async def show(self, card: Card) -> None:
        self.shown.append(card)
        if self.next_show:
            raise self.next_show.popleft()

    async def deliver(self, card: Card, images: Sequence[ImageFile]) -> Posted:
        files = tuple(await asyncio.gather(*(asyncio.to_thread(Path(image.path).read_bytes) for image in images)))
        self.attempts.append((card, tuple(len(file) for file in files)))
        reaction = self.next_deliver.popleft() if self.next_deliver else self.always
        if isinstance(reaction, NeverReturns):
            await asyncio.Event().wait()
        if callable(reaction):
            reaction = reaction(card, images)
        if isinstance(reaction, Exception):
            raise reaction
        positions = tuple(card.generation.task(image.task_id).position for image in images)
        self.posts.append(Post(card, positions, files, tuple(image.filename for image in images)))
        return Posted(ChannelId(5), MessageId(1000 + len(self.posts)))

    async def show_again(self, card: Card, images: Sequence[Image]) -> None:
        self.shown_again.append((card, [image.id for image in images]))

    async def ping(self, card: Card) -> None:
        self.pinged.append(card.generation.id)

    async def show_interrupted(self, card: PendingCard, /) -> None:
        self.interrupted.append(card)

    def posts_of(self, generation: GenerationId) -> list[Post]:
        return [post for post in self.posts if post.card.generation.id == generation]


class FlakyApi(ImageApi):
    """KIE's client, but its first answers to createTask or recordInfo are lost in unexpected errors."""

    def __init__(
        self, api: ImageApi, *, create: Sequence[BaseException] = (), report: Sequence[BaseException] = ()
    ) -> None:
        self._api = api
        self._create = deque(create)
        self._report = deque(report)

    async def create(self, task_input: TaskInput) -> KieTaskId:
        task = await self._api.create(task_input)
        if self._create:
            raise self._create.popleft()
        return task

    async def report(self, task: KieTaskId) -> TaskReport:
        report = await self._api.report(task)
        if self._report:
            raise self._report.popleft()
        return report

    async def upload(self, data: bytes, filename: str, content_type: str) -> str:
        return await self._api.upload(data, filename, content_type)

    async def download_url(self, url: str) -> str:
        return await self._api.download_url(url)

    async def balance(self) -> Decimal:
        return await self._api.balance()


class RecordingAlerts:
    """Keeps the alerts that the operator was sent."""

    def __init__(self) -> None:
        self.sent: list[Alert] = []

    async def send(self, alert: Alert) -> None:
        self.sent.append(alert)
