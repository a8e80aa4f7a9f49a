"""The gauge: a bar that fills."""

from bot.media.charts.canvas import Box, Canvas
from bot.media.charts.chart import Gauge, Tone
from bot.media.charts.look import BAD_NEWS, BIG, NORMAL, PADDING, TONES, TRACK, title

_THICKNESS = 30


def paint_gauge(canvas: Canvas, panel: Box, gauge: Gauge) -> None:
    """What is left in large and as a bar, and notes below it."""
    title(canvas, panel, gauge.title)
    inside = panel.inside(PADDING)
    fact = canvas.fitted(gauge.fact.number, BIG, inside.width)
    canvas.text(inside.x, panel.y + 128, fact, BAD_NEWS if gauge.tone is Tone.BAD else BIG)
    after = inside.x + canvas.width(fact, BIG) + 14
    canvas.text(after, panel.y + 128, canvas.fitted(gauge.fact.unit, NORMAL, inside.right - after), NORMAL)
    y = panel.y + 158
    if gauge.level is not None:
        canvas.bar(Box(inside.x, y, inside.width, _THICKNESS), TRACK, _THICKNESS / 2)
        if gauge.level > 0:
            length = max(gauge.level * inside.width, _THICKNESS)
            canvas.bar(Box(inside.x, y, length, _THICKNESS), TONES[gauge.tone], _THICKNESS / 2)
        y += _THICKNESS + 12
    for number, note in enumerate(gauge.notes):
        canvas.text(inside.x, y + 34 + 40 * number, canvas.fitted(note, NORMAL, inside.width), NORMAL)
