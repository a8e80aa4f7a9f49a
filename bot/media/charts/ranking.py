"""The ranking: a name, its number, and a bar below them, so that long names have the whole width."""

from collections.abc import Container

from bot.media.charts.canvas import Box, Canvas
from bot.media.charts.chart import Ranking
from bot.media.charts.lettering import drawable
from bot.media.charts.look import BLURPLE, PADDING, PLAIN, SMALL, STRONG, TRACK, nothing, title

_LINE = 72
_TALL_LINE = 136
"""With a note below the bar, where there are few."""
_FEW = 5
_THICKNESS = 12
_RANK_WIDTH = 44
_GAP = 16


def paint_ranking(canvas: Canvas, panel: Box, ranking: Ranking, letters: Container[str]) -> None:
    """The bars from the top."""
    title(canvas, panel, ranking.title)
    if not ranking.bars:
        nothing(canvas, panel, ranking.empty)
        return
    inside = panel.inside(PADDING)
    few = len(ranking.bars) <= _FEW
    for rank, bar in enumerate(ranking.bars, start=1):
        y = panel.y + 76 + (_TALL_LINE if few else _LINE) * (rank - 1)
        foot = y + 32
        canvas.text(inside.x, foot, str(rank), SMALL)
        name_begins = inside.x + _RANK_WIDTH
        canvas.text(inside.right, foot, bar.text, STRONG, align="right")
        room = inside.right - canvas.width(bar.text, STRONG) - _GAP - name_begins
        canvas.text(name_begins, foot, canvas.fitted(drawable(bar.name, letters), PLAIN, room), PLAIN)
        length = inside.right - name_begins
        canvas.bar(Box(name_begins, foot + 13, length, _THICKNESS), TRACK, _THICKNESS / 2)
        if few:
            canvas.text(name_begins, foot + 60, canvas.fitted(bar.note, SMALL, length), SMALL)
        if bar.length > 0:
            filled = max(length * bar.length, _THICKNESS)
            canvas.bar(Box(name_begins, foot + 13, filled, _THICKNESS), BLURPLE, _THICKNESS / 2)
