"""The whole picture: a headline, columns and a ranking side by side, and below a ring and a gauge."""

from bot.media.charts.canvas import WIDTH, Box, Canvas, Style
from bot.media.charts.chart import Chart
from bot.media.charts.columns import paint_columns
from bot.media.charts.gauge import paint_gauge
from bot.media.charts.lettering import drawable
from bot.media.charts.look import BIG, HEADLINE, LONG_HEADLINE, MARGIN, NORMAL, PANEL, RADIUS
from bot.media.charts.ranking import paint_ranking
from bot.media.charts.ring import paint_ring

COLUMNS = Box(MARGIN, 156, 1012, 460)
RING = Box(MARGIN, 640, 612, 324)
GAUGE = Box(672, 640, 376, 324)
RANKING = Box(1072, 156, 492, 808)
_FACT_GAP = 48


def paint(canvas: Canvas, chart: Chart) -> None:
    """Draw the chart on an empty page."""
    letters = canvas.letters()
    left = _facts(canvas, chart)
    room = left - MARGIN - _FACT_GAP
    headline = drawable(chart.headline, letters)
    style = HEADLINE if canvas.width(headline, HEADLINE) <= room else LONG_HEADLINE
    canvas.text(MARGIN, 78, canvas.fitted(headline, style, room), style)
    canvas.text(MARGIN, 124, canvas.fitted(chart.subtitle, NORMAL, room), NORMAL)
    for box in (COLUMNS, RING, GAUGE, RANKING):
        canvas.bar(box, PANEL, RADIUS)
    paint_columns(canvas, COLUMNS, chart.columns)
    paint_ring(canvas, RING, chart.ring)
    paint_gauge(canvas, GAUGE, chart.gauge)
    paint_ranking(canvas, RANKING, chart.ranking, letters)


def _facts(canvas: Canvas, chart: Chart) -> float:
    """The facts, from the right; where they begin."""
    right = float(WIDTH - MARGIN)
    for fact in reversed(chart.facts):
        width = max(canvas.width(fact.number, BIG), canvas.width(fact.unit, NORMAL))
        _fact(canvas, right, fact.number, BIG, 78)
        _fact(canvas, right, fact.unit, NORMAL, 124)
        right -= width + _FACT_GAP
    return right + _FACT_GAP


def _fact(canvas: Canvas, right: float, words: str, style: Style, y: float) -> None:
    canvas.text(right, y, words, style, align="right")
