"""What a member wants when they do not say otherwise."""

from dataclasses import dataclass

from bot.domain.credits import Credits
from bot.domain.settings import AspectRatio, Model, Resolution, Settings

PING_AFTER = 30.0
"""Seconds after which a member is mentioned when a request has ended, if they want that."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """A member's own defaults, in every server and in direct messages; None is for the bot's."""

    model: Model | None = None
    aspect_ratio: AspectRatio | None = None
    """For requests without images: with images, the shape is that of the first."""
    resolution: Resolution | None = None
    count: int | None = None
    private: bool = False
    """Results of commands are for the member alone."""
    ping: bool = False
    """The member is mentioned when a request has ended after more than :data:`PING_AFTER`."""
    confirm_above: Credits | None = None
    """A request that costs more than this is asked about first; None for never."""

    def settings(self, *, has_images: bool) -> Settings:
        """How an image is made when nothing is chosen."""
        default = Settings()
        shape = AspectRatio.AUTO if has_images else self.aspect_ratio
        return Settings(
            self.model or default.model, shape or default.aspect_ratio, self.resolution or default.resolution
        )

    @property
    def images(self) -> int:
        """How many images a request makes."""
        return self.count or 1

    def asks_about(self, price: Credits, *, shown: Credits | None = None) -> bool:
        """Whether a request of this price is asked about before it starts.

        ``shown`` is the price that stood on what the member pressed: that one they know, another one never.
        """
        if shown is not None:
            return price != shown
        return self.confirm_above is not None and price > self.confirm_above
