"""Compares what decoding a member's image costs: in Easel's sandbox against Pillow in a thread of the bot itself.

    python -m tests.bench.references                    # all kinds of images; 5 minutes
    python -m tests.bench.references --only jpeg heic

Each image, of 20 megapixels unless its name says otherwise, is decoded and encoded again in fresh processes that have
imported all of Easel. Compared are the time, the memory at its peak, and the longest time for which the event loop did
not run. The sandbox's memory is the sum of the peaks of the bot, the fork server and the process that decodes, as Linux
reports them in /proc: more than they ever hold together, since peaks need not coincide and shared pages are counted for
each process.
"""

import asyncio
import contextlib
import io
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pillow_heif
import pyvips
from PIL import Image

import bot.assembly
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.sanitize import Sanitized
from tests.bench.command_line import parse_options, print_line
from tests.bench.processes import descendants, memory_of
from tests.media.images import encoded, noise, png_of_one_colour, smooth

_TICK_SECONDS: Final = 0.001
_MAX_MEMORY_RATIO: Final = 1.25


@dataclass(frozen=True, slots=True)
class DecodingCost:
    """One image: peaks in MB of 10^6 bytes, and the longest stall of the event loop in milliseconds."""

    result: str
    """The type of the new image, or what is wrong with this one."""
    seconds: float
    bot_mb: float
    server_mb: float
    decoder_mb: float
    stall_ms: float

    @property
    def total_mb(self) -> float:
        return self.bot_mb + self.server_mb + self.decoder_mb


def photo(width: int = 5472, height: int = 3648) -> Image.Image:
    """Gradients and coarse noise, which compress about as photos do."""
    grain = noise(width // 4, height // 4).resize((width, height), Image.Resampling.BICUBIC)
    gradients = smooth(width // 8, height // 8).resize((width, height), Image.Resampling.BICUBIC)
    return Image.blend(gradients, grain, 0.2)


def transparent() -> Image.Image:
    """A photo that fades to its edges."""
    image = photo()
    image.putalpha(Image.radial_gradient("L").resize(image.size))
    return image


def grey_16_bits() -> Image.Image:
    return photo().convert("L").convert("I;16").point(lambda value: value * 257)


def heic() -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(photo()).save(buffer, quality=80)
    return buffer.getvalue()


def animated_webp() -> bytes:
    image = photo()
    return encoded(image, "WEBP", save_all=True, append_images=[image.rotate(180)], method=0)


IMAGES: Final[dict[str, Callable[[], bytes]]] = {
    "jpeg": lambda: encoded(photo(), "JPEG", quality=92),
    "jpeg display p3": lambda: encoded(photo(), "JPEG", quality=92, icc_profile=pyvips.Image.profile_load("p3")),
    "jpeg progressive": lambda: encoded(photo(), "JPEG", quality=92, progressive=True),
    "png": lambda: encoded(photo(), "PNG", compress_level=1),
    "png 16 bits": lambda: encoded(grey_16_bits(), "PNG", compress_level=1),
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
    "heic": heic,
    "png 13,300²": lambda: png_of_one_colour(13_300, 13_300, 9_990_000),
    "png 8,100²": lambda: png_of_one_colour(8_100, 8_100, 9_990_000),
    "png bomb": lambda: png_of_one_colour(30_000, 30_000, 9_990_000, rows=3_000),
    "jpeg 16k × 12k": lambda: encoded(photo(16_000, 12_000), "JPEG", quality=60),
    "jpeg 8k prog.": lambda: encoded(photo(8_064, 6_048), "JPEG", quality=80, progressive=True),
}


@dataclass(frozen=True)
class ReferencesOptions:
    """Names of images."""

    only: tuple[str, ...] = tuple(IMAGES)


def write_image(name: str, path: Path) -> float:
    """Write an image; its size in MB of 10^6 bytes."""
    return path.write_bytes(IMAGES[name]()) / 1e6


async def in_sandbox(source: Path, target: Path) -> str:
    """As Easel does it: the type of the new image, or what is wrong with this one."""
    result = await DecodeSandbox().sanitize(source, target)
    return result.file_type.suffix if isinstance(result, Sanitized) else result.value


async def in_thread(source: Path, target: Path) -> str:
    """As a bot without a sandbox would do it."""

    def convert() -> str:
        pillow_heif.register_heif_opener()
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(source) as image:
                file_format = "PNG" if image.has_transparency_data else "JPEG"
                image.convert("RGBA" if file_format == "PNG" else "RGB").save(target, file_format, compress_level=1)
            return file_format.lower()
        except (OSError, Image.DecompressionBombError):
            return "refused"

    return await asyncio.to_thread(convert)


async def watch(decoding: Coroutine[None, None, str]) -> DecodingCost:
    """Wait for the result, with an eye on the event loop and on all processes below this one."""
    decoder = server = 0
    stall = 0.0
    work = asyncio.create_task(decoding)
    started_at = last = time.perf_counter()
    while not work.done():
        await asyncio.sleep(_TICK_SECONDS)
        stall, last = max(stall, time.perf_counter() - last - _TICK_SECONDS), time.perf_counter()
        peaks = [0]
        for pid in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                peaks.append(memory_of(pid, "VmHWM"))
        decoder, server = max(decoder, *peaks), max(server, sum(peaks) - max(peaks))
    seconds, own = time.perf_counter() - started_at, memory_of(os.getpid(), "VmHWM")
    return DecodingCost(work.result(), seconds, own / 1e6, server / 1e6, decoder / 1e6, stall * 1000)


def measure(source: Path, decode: Callable[[Path, Path], Coroutine[None, None, str]]) -> DecodingCost:
    """Decode one image; true only in a process that has done nothing else."""
    return asyncio.run(watch(decode(source, source.with_suffix(".decoded"))))


def main() -> int:
    """Run the benchmark; 1 when the sandbox takes more memory than Pillow in the bot, beyond a quarter."""
    options = parse_options(ReferencesOptions(), __doc__)
    print_line(f"MB at the peak, ms of the longest stall of the event loop beside {bot.assembly.__name__}")
    print_line(
        f"{'image':<17} {'MB':>5}  {'sandbox':<15} {'s':>5} {'bot':>6} {'server':>6} {'decoder':>7} {'stall':>6}  "
        f"{'Pillow':<7} {'s':>5} {'bot':>6} {'stall':>6}  ratios"
    )
    exit_code = 0
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="easel-bench-") as folder,
        ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as fresh_process,
    ):
        source = Path(folder) / "image"
        for name in options.only:
            size = fresh_process.submit(write_image, name, source).result()
            sandbox, floor = (
                fresh_process.submit(measure, source, decode).result() for decode in (in_sandbox, in_thread)
            )
            memory = sandbox.total_mb / floor.total_mb
            ratios = f"time x{sandbox.seconds / floor.seconds:.2f} memory x{memory:.2f}"
            if floor.result == "refused":
                ratios = ""
            elif memory > _MAX_MEMORY_RATIO:
                exit_code, ratios = 1, f"{ratios}  too much"
            print_line(
                f"{name:<17} {size:5.1f}  {sandbox.result:<15} {sandbox.seconds:5.2f} {sandbox.bot_mb:6.1f} "
                f"{sandbox.server_mb:6.1f} {sandbox.decoder_mb:7.1f} {sandbox.stall_ms:6.1f}  {floor.result:<7} "
                f"{floor.seconds:5.2f} {floor.total_mb:6.1f} {floor.stall_ms:6.1f}  {ratios}"
            )
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
