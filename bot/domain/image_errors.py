"""Why nothing can be done with an image that was posted."""

from bot.domain.errors import UserError


class NoSavedImage(UserError):
    """A message shows no image of the bot's that this member could save."""


class ImageGone(UserError):
    """A posted image is neither on Discord nor at KIE, or not for this member."""


class ImageBeingPosted(UserError):
    """Discord shows an image of which the store does not know that it was posted."""


class NothingBefore(UserError):
    """An image was not edited from one that this member may see."""


class ComparisonGone(UserError):
    """Of an image and what it was edited from, one is gone, and no preview of it is kept."""


class AlreadyShared(UserError):
    """A copy of this private image was posted before."""


class MayNotShare(UserError):
    """The member may not post images in this channel themselves."""


class ImagesNotYours(UserError):
    """Only the member who attached these images privately may use them in this way."""
