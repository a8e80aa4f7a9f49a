"""The drawing room: matplotlib takes half a second to load and tens of megabytes, so it never enters the bot."""

import asyncio
import tempfile

import structlog
from pydantic import TypeAdapter

from bot.media.charts.chart import Chart
from bot.media.child_process import run_module

log = structlog.stdlib.get_logger(__name__)

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SECONDS = 20.0
_CHART = TypeAdapter(Chart)


class DrawingRoom:
    """Draws one chart at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def draw(self, chart: Chart) -> bytes | None:
        """The chart as a PNG of 1600 × 1000 pixels. None when its process failed or took 20 s, which is logged."""
        try:
            with tempfile.TemporaryDirectory(prefix="easel-chart-", ignore_cleanup_errors=True) as folder:
                async with self._turn:
                    return await self._draw(_CHART.dump_json(chart), folder)
        except OSError as error:
            log.warning("a chart was not drawn", error=type(error).__name__)
            return None

    async def _draw(self, chart: bytes, folder: str) -> bytes | None:
        # Its list of fonts goes into the folder and away with it; more threads would only take memory.
        environment = {"MPLCONFIGDIR": folder, "OPENBLAS_NUM_THREADS": "1"}
        ended = await run_module("bot.media.charts", seconds=_SECONDS, stdin=chart, environment=environment)
        if ended.timed_out:
            log.warning("a chart took too long")
        if ended.exit_code != 0 or not ended.stdout.startswith(PNG_SIGNATURE):
            log.warning("a chart was not drawn", exit_code=ended.exit_code)
            return None
        return ended.stdout
