"""A thin typed layer over matplotlib: a page measured in pixels from its upper left corner, and its letters."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Circle, FancyBboxPatch, Wedge
from matplotlib.patheffects import withStroke

WIDTH = 1600
HEIGHT = 1000
_DPI = 100
_POINTS_PER_INCH = 72
_ABOVE_ALL = 1000


class Weight(StrEnum):
    """How thick letters are; each is a file of the font that comes with matplotlib."""

    REGULAR = "DejaVuSans.ttf"
    BOLD = "DejaVuSans-Bold.ttf"


@dataclass(frozen=True, slots=True)
class Style:
    """How words look; the size is in pixels."""

    size: float
    colour: str
    weight: Weight = Weight.REGULAR


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; ``y`` is its upper edge."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    def inside(self, margin: float) -> "Box":
        """What is left within a margin."""
        return Box(self.x + margin, self.y + margin, self.width - 2 * margin, self.height - 2 * margin)


class Canvas:
    """The page. What is drawn later lies above what was drawn before, and words above all."""

    def __init__(self, background: str = "#313338") -> None:
        self.figure = Figure((WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor=background)
        self._agg = FigureCanvasAgg(self.figure)
        fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
        self._fonts = {weight: fonts / weight.value for weight in Weight}
        self._page, self._words = self._sheet(0), self._sheet(_ABOVE_ALL)

    def letters(self) -> frozenset[str]:
        """Every character that can be drawn in each weight."""
        regular, bold = (FT2Font(str(self._fonts[weight])).get_charmap() for weight in Weight)
        return frozenset(chr(code) for code in regular if code in bold)

    def axes(self, box: Box) -> Axes:
        """A part of the page with axes of its own, bare: no frame, no ticks, no background; its y grows upwards."""
        place = (box.x / WIDTH, 1 - box.bottom / HEIGHT, box.width / WIDTH, box.height / HEIGHT)
        axes = self.figure.add_axes(place, facecolor="none", zorder=len(self.figure.axes))
        axes.axis("off")
        return axes

    def _sheet(self, zorder: float) -> Axes:
        sheet = self.axes(Box(0, 0, WIDTH, HEIGHT))
        sheet.set_xlim(0, WIDTH)
        sheet.set_ylim(HEIGHT, 0)
        sheet.set_zorder(zorder)
        return sheet

    def text(
        self,
        x: float,
        y: float,
        words: str,
        style: Style,
        *,
        align: Literal["left", "center", "right"] = "left",
        halo: str | None = None,
    ) -> None:
        """Words on a line whose foot is at ``y``. No sign in them means anything but itself.

        ``halo`` is a colour around the letters, for words that lie on lines.
        """
        written = self._words.text(
            x,
            y,
            words,
            color=style.colour,
            fontproperties=self._font(style),
            horizontalalignment=align,
            verticalalignment="baseline",
            parse_math=False,
        )
        if halo is not None:
            written.set_path_effects([withStroke(linewidth=5, foreground=halo)])

    def width(self, words: str, style: Style) -> float:
        """How wide the words are, in pixels."""
        renderer = self._agg.get_renderer()
        width, _, _ = renderer.get_text_width_height_descent(words, self._font(style), ismath=False)
        return width

    def fitted(self, words: str, style: Style, width: float) -> str:
        """The words, cut with an ellipsis to be at most this wide."""
        if self.width(words, style) <= width:
            return words
        least, most = 0, len(words)
        while least < most:
            middle = (least + most + 1) // 2
            if self.width(_cut(words, middle), style) <= width:
                least = middle
            else:
                most = middle - 1
        return _cut(words, least)

    def bar(self, box: Box, colour: str, radius: float) -> None:
        """A rectangle with round corners."""
        radius = min(radius, box.width / 2, box.height / 2)
        shape = f"round,pad=0,rounding_size={radius:.3f}"
        corner = (box.x, box.y)
        self._page.add_patch(
            FancyBboxPatch(corner, box.width, box.height, boxstyle=shape, facecolor=colour, edgecolor="none")
        )

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """A filled circle around a point."""
        self._page.add_patch(Circle((x, y), radius, facecolor=colour, edgecolor="none"))

    def ring(self, box: Box, thickness: float, parts: Sequence[tuple[float, str]]) -> None:
        """A ring of parts, clockwise from the top, sized as their shares of the sum."""
        total = sum(size for size, _ in parts)
        angle, radius = -90.0, box.width / 2
        for size, colour in parts:
            end = angle + 360 * size / total
            centre = (box.x + radius, box.y + radius)
            self._page.add_patch(
                Wedge(centre, radius, angle, end, width=thickness, facecolor=colour, edgecolor="none", linewidth=0)
            )
            angle = end

    def png(self) -> bytes:
        """The page as a file's content."""
        file = io.BytesIO()
        options: dict[str, Any] = {"metadata": {"Software": None}, "pil_kwargs": {"optimize": True}}
        self._agg.print_png(file, **options)
        return file.getvalue()

    def _font(self, style: Style) -> FontProperties:
        return FontProperties(fname=self._fonts[style.weight], size=style.size * _POINTS_PER_INCH / _DPI)


def _cut(words: str, length: int) -> str:
    return words[:length].rstrip(" …") + "…"
