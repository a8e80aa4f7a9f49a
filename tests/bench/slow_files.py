"""How long a tiny PNG waits for the decode sandbox while two other members send slow files.

Each sends two TIFFs of 0.4 MB with a progressive JPEG of 90 scans inside, one at a time as in a request.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from bot.domain.ids import UserId
from bot.media.decode_sandbox import DecodeSandbox
from tests.bench.command_line import print_line
from tests.media.hostile import scan_bomb, tiff_of_jpeg
from tests.media.images import encoded

_SIDE, _SCANS, _LATER = 8_000, 90, 10


async def _run(folder: Path) -> None:
    slow, tiny, target = folder / "slow", folder / "tiny", folder / "target"
    slow.write_bytes(tiff_of_jpeg(scan_bomb(_SIDE, _SCANS), _SIDE))
    tiny.write_bytes(encoded(Image.new("RGB", (1, 1)), "PNG"))
    async with DecodeSandbox() as sandbox:

        async def wait() -> float:
            started = time.perf_counter()
            await sandbox.sanitize(tiny, target, UserId(0))
            return time.perf_counter() - started

        async def send_slow_files(member: int) -> None:
            for _ in range(2):
                await sandbox.sanitize(slow, folder / f"target {member}", UserId(member))

        await wait()
        members = [asyncio.create_task(send_slow_files(member)) for member in (1, 2)]
        await asyncio.sleep(0)
        print_line(f"tiny PNG right behind them   {await wait():.2f} s")
        later = sorted([await wait() for _ in range(_LATER)])
        print_line(f"{_LATER} more, one by one        {later[0]:.2f} to {later[-1]:.2f} s")
        for task in members:
            task.cancel()
        await asyncio.wait(members)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_run(Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
