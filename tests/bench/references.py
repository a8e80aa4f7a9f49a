"""Measures what members' pictures cost: memory, time, and how long the event loop is held up.

Run `python -m tests.bench.references`. Each picture goes through the darkroom of a fresh process that has imported
all of Easel. `child` is the peak of the process that decodes, as Linux keeps it in /proc, `bot` that of the one that
wants the picture, and `between` that of what stands between them, if it is not the bot that starts the child. The sum
is more than they ever hold together: peaks need not coincide, and shared pages are counted once for each that has them.
"""

import argparse
import asyncio
import contextlib
import io
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pillow_heif
from PIL import Image

import bot.app
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.sanitize import Sanitized
from tests.bench.processes import descendants
from tests.media.images import encoded, noise, png_of_one_colour, smooth

SIZE: Final = (5472, 3648)
"""The picture of a 20-megapixel camera."""
TICK_SECONDS: Final = 0.001
MAX_MB: Final = 300.0
MAX_STALL_MS: Final = 50.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one picture cost: peaks in MB of 10^6 bytes, the longest stall of the event loop in ms."""

    verdict: str
    seconds: float
    written: int
    child_mb: float
    between_mb: float
    bot_mb: float
    stall_ms: float

    @property
    def sum_mb(self) -> float:
        """Of all processes."""
        return self.child_mb + self.between_mb + self.bot_mb

    @property
    def within_bounds(self) -> bool:
        """Whether all processes stayed small together, a child was seen at all, and the event loop ran."""
        return self.child_mb > 0 and self.sum_mb <= MAX_MB and self.stall_ms <= MAX_STALL_MS


@dataclass(slots=True)
class Watch:
    """Of all processes below this one the peaks in bytes; of the event loop the longest stall in seconds."""

    peak: int = 0
    """Of the largest process."""
    between: int = 0
    """Of those that lived beside it."""
    stall: float = 0.0

    def look(self) -> None:
        """Note the peaks of the processes so far."""
        peaks: list[int] = []
        for pid in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                peaks.append(peak_of(pid))
        largest = max(peaks, default=0)
        self.peak, self.between = max(self.peak, largest), max(self.between, sum(peaks) - largest)

    async def over(self, work: asyncio.Task[object]) -> None:
        """Watch until the work is done."""
        last = time.perf_counter()
        while not work.done():
            await asyncio.sleep(TICK_SECONDS)
            now = time.perf_counter()
            self.stall, last = max(self.stall, now - last - TICK_SECONDS), now
            self.look()


def peak_of(process: int | str) -> int:
    """The most bytes that a living process has held in memory; 0 when it has ended."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def photo(size: tuple[int, int] = SIZE) -> Image.Image:
    """Gradients and coarse noise, which compress about as photographs do."""
    width, height = size
    grain = noise(width // 4, height // 4).resize(size, Image.Resampling.BICUBIC)
    gradients = smooth(width // 8, height // 8).resize(size, Image.Resampling.BICUBIC)
    return Image.blend(gradients, grain, 0.2)


def transparent() -> Image.Image:
    """The same, fading to its edges."""
    picture = photo()
    picture.putalpha(Image.radial_gradient("L").resize(picture.size))
    return picture


def deep() -> Image.Image:
    """The same, grey, in 16 bits."""
    return photo().convert("L").convert("I;16").point(lambda value: value * 257)


def heic(picture: Image.Image) -> bytes:
    """The picture as a HEIC file's content."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=80)
    return buffer.getvalue()


def animated_webp() -> bytes:
    """Two frames."""
    picture = photo()
    return encoded(picture, "WEBP", save_all=True, append_images=[picture.rotate(180)], method=0)


REQUIRED: Final[dict[str, Callable[[], bytes]]] = {
    "jpeg": lambda: encoded(photo(), "JPEG", quality=92),
    "jpeg progressive": lambda: encoded(photo(), "JPEG", quality=92, progressive=True),
    "png": lambda: encoded(photo(), "PNG", compress_level=1),
    "png 16 bits": lambda: encoded(deep(), "PNG", compress_level=1),
    "png transparent": lambda: encoded(transparent(), "PNG", compress_level=1),
    "png palette": lambda: encoded(photo().quantize(256), "PNG", compress_level=1),
    "webp": lambda: encoded(photo(), "WEBP", quality=80, method=0),
    "webp transparent": lambda: encoded(transparent(), "WEBP", quality=80, method=0),
    "webp lossless": lambda: encoded(photo(), "WEBP", lossless=True, quality=0, method=0),
    "webp animated": animated_webp,
    "gif": lambda: encoded(photo().quantize(256), "GIF"),
    "bmp": lambda: encoded(photo(), "BMP"),
    "tiff": lambda: encoded(photo(), "TIFF"),
    "tiff lzw": lambda: encoded(photo(), "TIFF", compression="tiff_lzw"),
    "avif": lambda: encoded(photo(), "AVIF", speed=10),
    "heic": lambda: heic(photo()),
    "png 13,300²": lambda: png_of_one_colour(13_300, 13_300, 9_990_000),
    "png 8,100²": lambda: png_of_one_colour(8_100, 8_100, 9_990_000),
    "png bomb": lambda: png_of_one_colour(30_000, 30_000, 9_990_000, rows=3_000),
}
LARGER: Final[dict[str, Callable[[], bytes]]] = {
    "jpeg 16k × 12k": lambda: encoded(photo((16_000, 12_000)), "JPEG", quality=60),
    "jpeg 8k prog.": lambda: encoded(photo((8_064, 6_048)), "JPEG", quality=80, progressive=True),
}
"""No bound of memory is promised for these."""
MAKERS: Final = REQUIRED | LARGER


def make(name: str, path: Path) -> int:
    """Write a picture; its size in bytes."""
    return path.write_bytes(MAKERS[name]())


async def developed(source: Path, target: Path, watch: Watch) -> tuple[str, float]:
    """The verdict and the seconds that it took."""
    begun = time.perf_counter()
    work = asyncio.create_task(DecodeSandbox().sanitize(source, target))
    await watch.over(work)
    verdict = await work
    word = verdict.file_type.suffix if isinstance(verdict, Sanitized) else verdict.value
    return word, time.perf_counter() - begun


def measure(source: Path) -> Measured:
    """Develop one picture; only true in a process that has done nothing else."""
    target, watch = source.with_suffix(".developed"), Watch()
    verdict, seconds = asyncio.run(developed(source, target, watch))
    written = target.stat().st_size if target.exists() else 0
    target.unlink(missing_ok=True)
    child_mb, between_mb, bot_mb = watch.peak / 1e6, watch.between / 1e6, peak_of("self") / 1e6
    return Measured(verdict, seconds, written, child_mb, between_mb, bot_mb, watch.stall * 1000)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def alone() -> ProcessPoolExecutor:
    """Fresh processes, one for each piece of work."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when a bound was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MAKERS], metavar="NAME", help=", ".join(MAKERS))
    names: list[str] = parser.parse_args(arguments).names or list(MAKERS)
    say(f"bounds: {MAX_MB:g} MB, stalls of {MAX_STALL_MS:g} ms; {bot.app.__name__} is imported beside the child")
    peaks = f"{'child':>6} {'between':>7} {'bot':>6} {'sum':>6}"
    say(f"{'picture':<17}  MB in {'verdict':<15} MB out {'s':>5} {peaks} ms stall")
    kept = True
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder, alone() as process:
        source = Path(folder) / "picture"
        for name in names:
            size = process.submit(make, name, source).result()
            one = process.submit(measure, source).result()
            fine = one.within_bounds or name in LARGER
            kept = kept and fine
            say(
                f"{name:<17} {size / 1e6:6.1f} {one.verdict:<15} {one.written / 1e6:6.1f} {one.seconds:5.2f} "
                f"{one.child_mb:6.1f} {one.between_mb:7.1f} {one.bot_mb:6.1f} {one.sum_mb:6.1f} {one.stall_ms:8.1f}"
                f"{'' if fine else '  too much'}"
            )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
