"""What led to an image, what was made from it, and both side by side."""

EDITS = "Edits"
COMPARE = "Before and after"
HEADING = "### Edits\n-# Press a number or letter to open that image, and edit it from there."
PRIVATE = "a private image"
THIS = "**this image**"
LABELS = ("Before", "After")
PREVIEW_USED = "-# One of these images no longer exists, so its small preview is shown."
ALT_TEXT = "the image before the edit and after it, side by side"
"""Alt text."""


def hidden(number: int) -> str:
    """A step that the member may not see."""
    return f"**{number}** · {PRIVATE}"


def between(count: int) -> str:
    """Steps that are not shown, between the first one and the last few."""
    return f"-# … {count:,} more {'step' if count == 1 else 'steps'} …"


def made_from_it(page: int) -> str:
    """The heading of the edits of an image; pages count from 0."""
    return f"**Made from this image**{f' · page {page + 1}' if page else ''}"
