"""Charts: what is drawn, in which letters, and what becomes of a process that does not end."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest
from matplotlib.text import Text
from PIL import Image

from bot.domain.spending import SpendingRow
from bot.media.charts import room
from bot.media.charts.canvas import HEIGHT, WIDTH, Canvas, Style
from bot.media.charts.chart import Chart, Name
from bot.media.charts.columns import every, with_room
from bot.media.charts.lettering import drawable
from bot.media.charts.picture import paint
from bot.media.charts.room import DrawingRoom
from bot.quota.spending_report import build_report
from bot.ui.report_chart import chart_of
from tests.charts import CHARTS, HOSTILE
from tests.domain.reports import WEEK, make_row
from tests.media.processes import children
from tests.waiting import until

LETTERS = frozenset(map(chr, range(32, 0x250))) | {"…", "\u0301", "\u0302", "\u0303", "ש"}
STYLE = Style(26, "#ffffff")


def a_chart(*rows: SpendingRow) -> Chart:
    return chart_of(build_report(rows, WEEK, UTC, None), {}, "Painters")


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("alice", "alice"),
        ("  Zoë\n\tthe  first ", "Zoë the first"),
        ("\U0001d4d0\U0001d4f5\U0001d4f2\U0001d4ec\U0001d4ee", "Alice"),
        ("\uff21\uff2c\uff29\uff23\uff25", "ALICE"),
        ("Alice 🦊✨", "Alice"),
        ("田中 Taro", "… Taro"),
        ("Ann\u202egpj.\u200b\u2066x\x00\x1b", "Anngpj.x"),
        ("e" + "\u0302" * 40, "ê\u0302\u0302"),
        ("ש", "ש"),
        ("田中太郎", "Member …0042"),
        ("🦊", "Member …0042"),
        ("\u3164", "Member …0042"),
        ("...", "Member …0042"),
        ("", "Member …0042"),
        ("$x^2$", "$x^2$"),
    ],
)
def test_names_become_what_the_font_can_draw(text: str, drawn: str) -> None:
    assert drawable(Name(text, "Member …0042"), LETTERS) == drawn


@pytest.mark.parametrize(
    ("widths", "slot", "step"), [([20] * 7, 100, 1), ([30] * 31, 29, 2), ([30] * 31, 10, 4), ([500], 10, 1)]
)
def test_labels_below_do_not_touch(widths: list[float], slot: float, step: int) -> None:
    assert every(widths, slot, gap=5) == step


@pytest.mark.parametrize(
    ("tops", "width", "places"),
    [
        ([100, 50, 80], 60, [0, 1, 2]),
        ([0, 50, 0], 60, [1]),
        ([0, 100, 99, 98, 0], 110, [1, 3]),
        ([10, 200, 10], 150, [1]),
        ([50, 200, 50], 300, []),
    ],
)
def test_labels_on_top_have_room(tops: list[float], width: float, places: list[int]) -> None:
    assert with_room(tops, [width] * len(tops), slot=100, height=26) == places


def painted(chart: Chart) -> tuple[Canvas, list[Text]]:
    canvas = Canvas()
    paint(canvas, chart)
    return canvas, [one for one in canvas.figure.findobj(Text) if one.get_text()]


@pytest.mark.parametrize("which", CHARTS)
def test_words_stay_on_the_page_and_off_each_other(which: str) -> None:
    canvas, texts = painted(CHARTS[which])
    canvas.png()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert [words for words, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > WIDTH or box.y1 > HEIGHT] == []
    # Boxes have some air above and below their letters.
    overlapping = [
        (words, others)
        for place, (words, box) in enumerate(boxes)
        for others, other in boxes[place + 1 :]
        if min(box.x1, other.x1) - max(box.x0, other.x0) > 2 and min(box.y1, other.y1) - max(box.y0, other.y0) > 5
    ]
    assert overlapping == []


def test_every_part_is_there() -> None:
    _, texts = painted(CHARTS["month"])
    words = {text.get_text() for text in texts}
    assert words >= {"Painters’ Corner", "1–31 October 2025 · Europe/Berlin", "credits", "pictures", "members"}
    assert words >= {"Credits spent per day", "pro 1K", "flex 2K", "1", "31", "Oct"}
    assert words >= {"Top members", "Outcomes", "Delivered", "Filtered", "failed", "Server pool", "3,600", "left"}


@pytest.mark.parametrize("name", HOSTILE)
def test_every_name_is_drawn_without_a_warning(name: str) -> None:
    canvas = Canvas()
    drawn = drawable(Name(name, "Member …0042"), canvas.letters())
    canvas.text(10, 100, canvas.fitted(drawn, STYLE, 300), STYLE)
    canvas.png()
    assert canvas.width(canvas.fitted(drawn, STYLE, 300), STYLE) <= 300


async def test_a_chart_is_a_picture_that_shows_its_numbers() -> None:
    drawing = DrawingRoom()
    one, other = await asyncio.gather(*(drawing.draw(a_chart(make_row(images=images))) for images in (1, 200)))
    assert one is not None
    assert other is not None
    assert one != other
    assert len(one) < 1_000_000
    with Image.open(io.BytesIO(one)) as picture:
        assert (picture.format, picture.size) == ("PNG", (WIDTH, HEIGHT))
        assert picture.convert("RGB").getpixel((2, 2)) == (0x31, 0x33, 0x38)


async def test_a_drawing_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_SECONDS", 0.05)
    before = children()
    assert await DrawingRoom().draw(a_chart(make_row())) is None
    assert children() == before


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_process_that_dies_makes_no_picture_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = children()
    drawing = asyncio.create_task(DrawingRoom().draw(a_chart(make_row())))
    (started,) = await until(lambda: children() - before, what="the process to start")
    os.kill(started, signal.SIGKILL)
    assert await drawing is None
    assert left_in(tmp_path) == []


async def test_without_a_place_for_temporary_files_there_is_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert await DrawingRoom().draw(a_chart(make_row())) is None


async def test_one_chart_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_SECONDS", 0.2)
    most, before = 0, children()
    drawing = DrawingRoom()
    all_of_them = asyncio.gather(*(drawing.draw(a_chart(make_row())) for _ in range(3)))
    while not all_of_them.done():
        most = max(most, len(children() - before))
        await asyncio.sleep(0)
    assert most == 1


def test_matplotlib_stays_out_of_the_bot() -> None:
    code = "import sys, bot.app, bot.ui.report; print(*{'matplotlib', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "\n"
