"""The chart: words inside the image and off each other, and what happens when its process fails."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.text import Text
from PIL import Image

from bot.media.spending_chart import HEIGHT, WIDTH, ChartRenderer, ChartSeries, SpendingChart, draw, short_number
from tests.media.processes import children
from tests.waiting import until

NAMES = ("pro 1K", "pro 2K", "flex 1K", "flex 2K")
COLOURS = ("#5865f2", "#a5adfb", "#eb459e", "#f7a8d1")
MONTH = tuple("" if place % 7 else f"{place + 1} Oct" for place in range(31))
WEEK = tuple(f"{weekday}\n29 Oct" for weekday in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))


def make_chart(labels: tuple[str, ...], *heights: list[float], legend: bool = True) -> SpendingChart:
    series = [ChartSeries(NAMES[place], COLOURS[place], tuple(values)) for place, values in enumerate(heights)]
    return SpendingChart("Credits per day", labels, tuple(series), legend and bool(series), "Nothing spent yet")


ZIGZAG = [float(place * 37 % 29 * 53) for place in range(31)]
OUTLIER = [1e9 if place == 30 else 5.0 for place in range(31)]
CHARTS = {
    "a month": make_chart(MONTH, ZIGZAG, ZIGZAG[::-1], ZIGZAG, [24.0] * 31),
    "the month's second day": make_chart(MONTH, [5.0, 7.5, *[0.0] * 29]),
    "an outlier on the last day": make_chart(MONTH, OUTLIER, OUTLIER),
    "an outlier on the first day": make_chart(MONTH, OUTLIER[::-1]),
    "a week": make_chart(WEEK, [9999.9] * 7, [0.125] * 7, [5.0] * 7, [5.0] * 7),
    "one day": make_chart(("pro 1K\n9,999 images", "flex 2K\n1 image"), [5e15, 0.0], [0.0, 24.0], legend=False),
    "the smallest amount": make_chart(WEEK, [0.001, *[0.0] * 6]),
    "nothing": make_chart(MONTH),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_words_stay_inside_the_image_and_off_each_other(chart: SpendingChart) -> None:
    figure = draw(chart)
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert [words for words, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > WIDTH or box.y1 > HEIGHT] == []
    overlapping = [
        (words, others)
        for place, (words, box) in enumerate(boxes)
        for others, other in boxes[place + 1 :]
        if min(box.x1, other.x1) > max(box.x0, other.x0) and min(box.y1, other.y1) > max(box.y0, other.y0)
    ]
    assert overlapping == []
    shown = {words for words, _ in boxes}
    assert {chart.title, *filter(None, chart.labels)} <= shown or {chart.title, chart.empty} == shown
    assert not chart.legend or {series.name for series in chart.series} <= shown


async def test_the_image_shows_the_columns_in_their_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a container with a read-only file system: nothing can be written but in the data folder.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    png = await ChartRenderer(tmp_path).render(make_chart(WEEK, [10.0] * 7, [10.0] * 7))
    assert png is not None
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
        pixels = image.convert("RGB").tobytes()
    assert pixels[:3].hex() == "2b2d31"
    first, second, third = (pixels.count(bytes.fromhex(colour[1:])) for colour in COLOURS[:3])
    assert first > 10_000
    assert abs(first - second) < first / 50
    assert third == 0


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.001, "0.001"),
        (5.0, "5"),
        (12.345, "12.35"),
        (461.28, "461.3"),
        (9999.4, "9,999"),
        (9999.9, "10k"),
        (12_345, "12.3k"),
        (999_999, "1M"),
        (1_234_567, "1.23M"),
        (1e12, "1T"),
        (1e16, "10,000T"),
    ],
)
def test_numbers_are_short(value: float, written: str) -> None:
    assert short_number(value) == written


async def test_a_process_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    before = children()
    assert await ChartRenderer(tmp_path, seconds=0.05).render(CHARTS["a week"]) is None
    assert children() == before


async def test_a_process_that_dies_makes_no_image_and_leaves_no_files(tmp_path: Path) -> None:
    before = children()
    rendering = asyncio.create_task(ChartRenderer(tmp_path).render(CHARTS["a week"]))
    (started,) = await until(lambda: children() - before, what="the process to start")
    os.kill(started, signal.SIGKILL)
    assert await rendering is None
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_without_a_place_for_temporary_files_there_is_no_image(tmp_path: Path) -> None:
    assert await ChartRenderer(tmp_path / "missing").render(CHARTS["a week"]) is None


async def test_one_process_at_a_time(tmp_path: Path) -> None:
    most, before = 0, children()
    renderer = ChartRenderer(tmp_path, seconds=0.2)
    renderings = asyncio.gather(*(renderer.render(CHARTS["a week"]) for _ in range(3)))
    while not renderings.done():
        most = max(most, len(children() - before))
        await asyncio.sleep(0)
    assert most == 1


def test_matplotlib_stays_out_of_the_bot() -> None:
    code = "import sys, bot.assembly, cogs.quota; print(*{'matplotlib', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "\n"
