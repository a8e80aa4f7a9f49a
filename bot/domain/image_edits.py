"""What an image was edited from, and what was made from it."""

from dataclasses import dataclass

from bot.domain.ids import ChannelId, ImageId, UserId
from bot.domain.image_history import HistoryEntry


@dataclass(frozen=True, slots=True)
class ImageViewer:
    """A member who looks at images, and the channels that they may read."""

    user: UserId
    channels: frozenset[ChannelId] = frozenset()


@dataclass(frozen=True, slots=True)
class EditStep:
    """An image among those that led to another one."""

    number: int
    """1 for the first image."""
    image: ImageId
    entry: HistoryEntry | None
    """None for an image that the viewer may not see."""


@dataclass(frozen=True, slots=True)
class ImageEdits:
    """The first and the last few steps that led to an image, which is the last one, and a page of its edits."""

    steps: list[EditStep]
    edits: list[HistoryEntry]
    """Newest first, without those that the viewer may not see."""
    page: int
    """0 is the newest one."""
    more: bool
    """Whether there is a page of older ones."""
