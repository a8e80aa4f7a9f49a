"""What can go wrong between a finished image at KIE and its post on Discord."""

from dataclasses import dataclass
from datetime import timedelta

from bot.domain.errors import EaselError


class ResultUnavailable(EaselError):
    """A finished image is lost for good: gone from KIE, too large, or not an image."""


class InvalidImage(ResultUnavailable):
    """A downloaded file is damaged, or not an image; downloaded again it may be one."""


@dataclass(eq=False)
class ResultPending(EaselError):
    """A finished image cannot be fetched now."""

    pause: float
    """Seconds until the next attempt."""
    waited: timedelta
    """Since the first one."""


class DeliveryFailed(EaselError):
    """Discord did not accept the post; a later attempt may succeed."""


class TooLargeToPost(EaselError):
    """A file exceeds Discord's upload limit, although it was within the announced one."""


class Undeliverable(EaselError):
    """The outcome can be posted neither on the card, nor in the channel, nor as a direct message."""
