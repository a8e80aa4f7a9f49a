"""``python -m bot.media.charts``: a chart as JSON comes in, a PNG goes out."""

import sys

from pydantic import TypeAdapter

from bot.media.charts.canvas import Canvas
from bot.media.charts.chart import Chart
from bot.media.charts.picture import paint

if __name__ == "__main__":
    canvas = Canvas()
    paint(canvas, TypeAdapter(Chart).validate_json(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(canvas.png())
