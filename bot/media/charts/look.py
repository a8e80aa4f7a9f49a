"""Discord's dark look: its colours, and sizes that a phone's screen leaves readable."""

from bot.media.charts.canvas import Box, Canvas, Style, Weight
from bot.media.charts.chart import Tone

PANEL = "#2B2D31"
TRACK = "#3F4147"
GHOST = "#34363C"
TEXT = "#DBDEE1"
SOFT = "#B5BAC1"
WHITE = "#F2F3F5"
BLURPLE = "#5865F2"
SERIES = (BLURPLE, "#A5ADFB", "#EB459E", "#F7A8D1", "#23A55A", "#8CD9AC", "#F0B232", "#F8DC9C")
"""A hue for each model, its light shade for the larger size."""
TONES = {Tone.GOOD: "#23A55A", Tone.BUSY: BLURPLE, Tone.WARNING: "#F0B232", Tone.BAD: "#F23F43", Tone.QUIET: "#80848E"}

MARGIN = 36
PADDING = 28
RADIUS = 18

HEADLINE = Style(50, WHITE, Weight.BOLD)
LONG_HEADLINE = Style(36, WHITE, Weight.BOLD)
BIG = Style(46, WHITE, Weight.BOLD)
BAD_NEWS = Style(46, TONES[Tone.BAD], Weight.BOLD)
TITLE = Style(28, WHITE, Weight.BOLD)
STRONG = Style(26, TEXT, Weight.BOLD)
PLAIN = Style(26, TEXT)
NORMAL = Style(27, SOFT)
SMALL = Style(23, SOFT)


def title(canvas: Canvas, panel: Box, words: str) -> None:
    """A panel's title, in its upper left corner."""
    canvas.text(panel.x + PADDING, panel.y + 50, words, TITLE)


def nothing(canvas: Canvas, panel: Box, words: str) -> None:
    """What an empty panel says, in its middle."""
    middle = panel.x + panel.width / 2
    canvas.text(middle, panel.y + panel.height / 2 + 20, words, NORMAL, align="center")
