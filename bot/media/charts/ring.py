"""The ring: shares of a whole, with a legend that has the numbers."""

from bot.media.charts.canvas import Box, Canvas
from bot.media.charts.chart import Ring
from bot.media.charts.look import BIG, PADDING, PLAIN, SMALL, STRONG, TITLE, TONES, TRACK, nothing, title

_SIZE = 196
_THICKNESS = 32
_GAP = 30
_LINE = 46
_MOST_LINES = 5


def paint_ring(canvas: Canvas, panel: Box, ring: Ring) -> None:
    """The ring at the left, the legend at the right."""
    title(canvas, panel, ring.title)
    if not ring.slices:
        nothing(canvas, panel, ring.empty)
        return
    circle = Box(panel.x + PADDING, panel.y + 90, _SIZE, _SIZE)
    canvas.ring(circle, _THICKNESS, [(1, TRACK)])
    canvas.ring(circle, _THICKNESS, [(one.size, TONES[one.tone]) for one in ring.slices])
    middle = circle.x + _SIZE / 2
    number = BIG if canvas.width(ring.middle.number, BIG) <= _SIZE - 2 * _THICKNESS - 12 else TITLE
    canvas.text(middle, circle.y + _SIZE / 2 + 10, ring.middle.number, number, align="center")
    canvas.text(middle, circle.y + _SIZE / 2 + 44, ring.middle.unit, SMALL, align="center")
    _legend(canvas, Box(circle.right + _GAP, circle.y, panel.right - PADDING - circle.right - _GAP, _SIZE), ring)


def _legend(canvas: Canvas, box: Box, ring: Ring) -> None:
    lines = ring.slices[:_MOST_LINES]
    y = box.y + (box.height - _LINE * len(lines)) / 2
    notes = max(canvas.width(one.note, SMALL) for one in lines)
    for one in lines:
        foot = y + _LINE / 2 + 9
        canvas.dot(box.x + 10, foot - 9, 10, TONES[one.tone])
        canvas.text(box.right, foot, one.note, SMALL, align="right")
        counts_end = box.right - notes - 14
        canvas.text(counts_end, foot, one.text, STRONG, align="right")
        room = counts_end - canvas.width(one.text, STRONG) - 12 - (box.x + 32)
        canvas.text(box.x + 32, foot, canvas.fitted(one.name, PLAIN, room), PLAIN)
        y += _LINE
