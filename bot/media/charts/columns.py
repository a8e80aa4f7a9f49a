"""The columns: one for each day, stacked; and which of their labels find room."""

from collections.abc import Sequence

from bot.media.charts.canvas import Box, Canvas
from bot.media.charts.chart import Columns
from bot.media.charts.look import BIG, GHOST, NORMAL, PADDING, PANEL, PLAIN, SERIES, SMALL, STRONG, TRACK, title

_WIDEST = 110
_GAP = 14
_HEADROOM = 1.16


def paint_columns(canvas: Canvas, panel: Box, chart: Columns) -> None:
    """Title and legend above; the columns on their lines; the days below."""
    title(canvas, panel, chart.title)
    if not chart.columns:
        _ghosts(canvas, panel)
        middle = panel.x + panel.width / 2
        headline, hint = chart.empty
        canvas.text(middle, panel.y + 236, headline, BIG, align="center", halo=PANEL)
        canvas.text(middle, panel.y + 284, hint, NORMAL, align="center", halo=PANEL)
        return
    if chart.legend:
        _legend(canvas, panel, chart)
    inside = panel.inside(PADDING)
    labels = max(canvas.width(tick.label, SMALL) for tick in chart.ticks) + _GAP
    plot = Box(inside.x + labels, panel.y + 84, inside.width - labels, panel.height - 84 - 88)
    _plot(canvas, plot, chart)
    _days(canvas, plot, chart)


def _legend(canvas: Canvas, panel: Box, chart: Columns) -> None:
    right = panel.right - PADDING
    for series in reversed(chart.series):
        canvas.text(right, panel.y + 50, series.name, PLAIN, align="right")
        right -= canvas.width(series.name, PLAIN) + 30
        canvas.bar(Box(right, panel.y + 31, 20, 20), SERIES[series.place % len(SERIES)], 5)
        right -= 26


def _plot(canvas: Canvas, plot: Box, chart: Columns) -> None:
    top = max(sum(column.parts) for column in chart.columns) * _HEADROOM
    count = len(chart.columns)
    slot = plot.width / count
    axes = canvas.axes(plot)
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(0, top)
    axes.hlines([tick.height for tick in chart.ticks], -0.5, count - 0.5, colors=TRACK, linewidth=1, zorder=0)
    floors = [0.0] * count
    width = min(0.72, _WIDEST / slot)
    for place, series in enumerate(chart.series):
        heights = [column.parts[place] for column in chart.columns]
        axes.bar(range(count), heights, width, bottom=floors, color=SERIES[series.place % len(SERIES)], zorder=2)
        floors = [floor + height for floor, height in zip(floors, heights, strict=True)]
    for tick in chart.ticks:
        y = plot.bottom - plot.height * tick.height / top
        canvas.text(plot.x - _GAP, y + 8, tick.label, SMALL, align="right")
    widths = [canvas.width(column.total, STRONG) for column in chart.columns]
    tops = [plot.height * floor / top for floor in floors]
    for place in with_room(tops, widths, slot, STRONG.size):
        x = plot.x + slot * (place + 0.5)
        canvas.text(x, plot.bottom - tops[place] - 9, chart.columns[place].total, STRONG, align="center", halo=PANEL)


def _days(canvas: Canvas, plot: Box, chart: Columns) -> None:
    slot = plot.width / len(chart.columns)
    style = PLAIN if slot > canvas.width("00", PLAIN) + 12 else SMALL
    step = every([canvas.width(column.label, style) for column in chart.columns], slot, gap=5)
    free_from = 0.0
    for place, column in enumerate(chart.columns):
        x = plot.x + slot * (place + 0.5)
        if place % step == 0:
            canvas.text(x, plot.bottom + 36, canvas.fitted(column.label, style, slot * step - 4), style, align="center")
        half = canvas.width(column.below, SMALL) / 2
        if column.below and x - half >= free_from and x + half <= plot.right + PADDING:
            canvas.text(x, plot.bottom + 69, column.below, SMALL, align="center")
            free_from = x + half + _GAP


def every(widths: Sequence[float], slot: float, gap: float) -> int:
    """Of how many neighbours one is labelled, so that labels of these widths do not touch."""
    step = 1
    while step < len(widths) and max(widths) + gap > slot * step:
        step += 1
    return step


def with_room(tops: Sequence[float], widths: Sequence[float], slot: float, height: float) -> list[int]:
    """Which columns bear their label, the tallest first: none that would lie on a column or on another label.

    ``tops`` are the columns' heights, ``widths`` the labels', ``height`` that of each label, all in pixels.
    """
    chosen: list[int] = []
    for place in sorted(range(len(tops)), key=lambda one: (-tops[one], one)):
        if tops[place] <= 0:
            continue
        left, right = (slot * (place + 0.5) + side * (widths[place] / 2 + 3) for side in (-1, 1))
        if left < 0 or right > slot * len(tops) + PADDING:
            continue  # the ticks' labels are there, or the panel's end
        foot = tops[place] + 4
        covered = any(
            slot * (other + 0.14) < right and slot * (other + 0.86) > left and tops[other] > foot
            for other in range(len(tops))
            if other != place
        )
        touched = any(
            abs(place - other) * slot < (widths[place] + widths[other]) / 2 + 6
            and abs(tops[place] - tops[other]) < height
            for other in chosen
        )
        if not covered and not touched:
            chosen.append(place)
    return sorted(chosen)


def _ghosts(canvas: Canvas, panel: Box) -> None:
    """Columns that might have been, behind the words that there are none."""
    inside = panel.inside(PADDING)
    heights = (0.30, 0.52, 0.40, 0.72, 0.58, 0.34, 0.86, 0.62, 0.44, 0.70, 0.50)
    slot = inside.width / len(heights)
    for place, share in enumerate(heights):
        tall = share * (inside.height - 60)
        canvas.bar(Box(inside.x + slot * (place + 0.2), inside.bottom - tall, slot * 0.6, tall), GHOST, 8)
