"""Why nothing can be done with an image that was posted."""

from bot.domain.errors import UserError


class ImageGone(UserError):
    """A posted image is neither on Discord nor at KIE, or not for this member."""
