"""The chart of a spending report: stacked columns, drawn by matplotlib in a process of its own.

``python -m bot.media.spending_chart FOLDER`` reads a :class:`SpendingChart` as JSON and writes a PNG.
Importing matplotlib takes about a second and tens of megabytes, so only that process does it. It is confined as a
decoder is, to a folder of its own.
"""

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from pydantic import TypeAdapter

from bot.media.child_process import run_module
from bot.media.confinement import confine

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

log = structlog.stdlib.get_logger(__name__)

WIDTH, HEIGHT = 1100, 680
"""In pixels. Discord shows it at half that width on a desktop, at a third on a phone."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_DPI = 72  # so that font sizes and line widths, which are in points, are pixels
_BACKGROUND = "#2b2d31"
_GRID = "#43464d"
_TEXT = "#dbdee1"
_WHITE = "#f2f3f5"
_MARGIN = 24
_TITLE_SIZE = 36
_TEXT_SIZE = 30
_DIGIT_WIDTH = 0.7
"""Of the bold font's size."""
_WIDEST_COLUMN = 150
_PROCESSOR_SECONDS = 15


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One colour of the columns: a value for each column, 0 where the series has no part in it."""

    name: str
    colour: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SpendingChart:
    """What is drawn. Every word in it is ours: names of members and servers are not drawn."""

    title: str
    labels: tuple[str, ...]
    """Below each column; empty where there is no room for one."""
    series: tuple[ChartSeries, ...]
    """From the bottom up. Without any, ``empty`` is shown instead."""
    legend: bool
    empty: str


class ChartRenderer:
    """Renders one chart at a time, in a process that is killed after ``seconds`` and works in ``folder``."""

    def __init__(self, folder: Path, seconds: float = 20.0) -> None:
        self._folder = folder
        self._seconds = seconds
        self._lock = asyncio.Lock()

    async def render(self, chart: SpendingChart) -> bytes | None:
        """The chart as a PNG. None when the process failed or ran out of time, which is logged."""
        try:
            with tempfile.TemporaryDirectory(
                prefix="easel-chart-", dir=self._folder.absolute(), ignore_cleanup_errors=True
            ) as folder:
                async with self._lock:
                    return await self._run(_CHART.dump_json(chart), folder)
        except OSError as error:
            log.warning("chart not rendered", error=type(error).__name__)
            return None

    async def _run(self, chart: bytes, folder: str) -> bytes | None:
        result = await run_module("bot.media.spending_chart", folder, seconds=self._seconds, stdin=chart)
        if result.exit_code != 0 or result.timed_out or not result.stdout.startswith(PNG_SIGNATURE):
            log.warning("chart not rendered", exit_code=result.exit_code, timed_out=result.timed_out)
            return None
        return result.stdout


def draw(chart: SpendingChart) -> "Figure":
    """The chart as a figure of WIDTH × HEIGHT pixels. The first call takes about a second: it imports matplotlib."""
    from matplotlib import style
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=_MARGIN / _DPI, h_pad=_MARGIN / _DPI)
    with style.context({"font.size": _TEXT_SIZE, "text.color": _TEXT}):
        figure = Figure((WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor=_BACKGROUND, layout=layout)
        axes = figure.add_subplot(facecolor="none")
        title_pad = 68 if chart.legend else 16
        axes.set_title(chart.title, loc="left", pad=title_pad, color=_WHITE, size=_TITLE_SIZE, weight="bold")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, colors=_TEXT, labelsize=_TEXT_SIZE, pad=12)
        if chart.series:
            totals = _draw_columns(axes, chart)
            figure.draw_without_rendering()  # lays the axes out
            _draw_totals(axes, totals)
        else:
            axes.set(xticks=[], yticks=[])
            axes.text(0.5, 0.5, chart.empty, ha="center", va="center", linespacing=1.6)
    return figure


def _draw_columns(axes: "Axes", chart: SpendingChart) -> list[float]:
    """The stacked columns over their grid, and the legend; the heights of the columns."""
    from matplotlib.ticker import MaxNLocator

    count = len(chart.labels)
    totals = [0.0] * count
    width = min(0.74, count * _WIDEST_COLUMN / WIDTH)
    for series in chart.series:
        axes.bar(range(count), series.values, width, bottom=totals, color=series.colour, label=series.name)
        totals = [total + value for total, value in zip(totals, series.values, strict=True)]
    top = max(totals) * 1.13
    ticks = [tick for tick in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, top) if tick <= top]
    axes.set(xlim=(-0.5, count - 0.5), ylim=(0, top))
    axes.set_xticks(range(count), chart.labels)
    axes.set_yticks(ticks, [short_number(tick) if tick else "" for tick in ticks])
    axes.yaxis.grid(color=_GRID, linewidth=2)
    axes.set_axisbelow(True)
    if chart.legend:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.03),
            ncols=len(chart.series),
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=0.8,
            handleheight=0.8,
            handletextpad=0.5,
            columnspacing=1.3,
        )
    return totals


def _draw_totals(axes: "Axes", totals: list[float]) -> None:
    """The total above each column that is the tallest within the width of its label."""
    from matplotlib.patheffects import withStroke

    halo = withStroke(linewidth=6, foreground=_BACKGROUND)
    pixels_per_column = axes.get_window_extent().width / len(totals)
    taller: list[int] = []
    for place in sorted(range(len(totals)), key=lambda place: -totals[place]):
        label = short_number(totals[place])
        width = (len(label) + 1) * _DIGIT_WIDTH * _TEXT_SIZE / pixels_per_column
        if totals[place] and all(abs(place - other) >= width for other in taller):
            x = min(max(place, width / 2 - 0.5), len(totals) - 0.5 - width / 2)
            above = (0, 10)
            text = axes.annotate(label, (x, totals[place]), above, textcoords="offset points", ha="center")
            text.set(color=_WHITE, weight="bold", path_effects=[halo])
        taller.append(place)


def short_number(value: float) -> str:
    """Four significant digits below 10,000; above, three and a letter: ``12.3k``, ``4.5M``."""
    if value < 9999.5:
        return f"{value:,.4g}"
    for letter in "kMB":
        value /= 1000
        if value < 999.5:
            return f"{value:.3g}{letter}"
    return f"{value / 1000:,.0f}T"


_CHART = TypeAdapter(SpendingChart)


def _main(folder: str) -> None:
    chart = _CHART.validate_json(sys.stdin.buffer.read())
    confine(processor_seconds=_PROCESSOR_SECONDS, writable=[Path(folder)])
    # matplotlib caches its list of fonts in MPLCONFIGDIR. More BLAS threads would only take memory.
    os.environ.update(MPLCONFIGDIR=folder, OPENBLAS_NUM_THREADS="1")
    draw(chart).savefig(sys.stdout.buffer, format="png")


if __name__ == "__main__":
    _main(sys.argv[1])
