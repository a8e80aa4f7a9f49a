"""``python -m demo.tour``: go through the demo in a headless browser, on a desktop and on a phone, with pictures."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bot import log
from bot.domain.errors import EaselError, OperatorError
from demo.run import Demo, open_demo
from demo.tour.browser import Stuck, open_page
from demo.tour.route import walk
from demo.tour.visitor import Visitor

_WINDOWS = ((1440, 900), (390, 844))
_PICTURES = Path("build/demo-tour")


def main() -> int:
    """Exit code 0 if everything went well at both widths, 1 if not, and 78 without a browser."""
    parser = argparse.ArgumentParser(prog="python -m demo.tour", description="Go through the demo in a browser.")
    parser.add_argument("--pictures", type=Path, default=_PICTURES, help=f"where the pictures go ({_PICTURES})")
    parser.add_argument("--width", type=int, choices=[width for width, _ in _WINDOWS], help="only this width")
    arguments = parser.parse_args()
    log.set_up("error", "console", [])
    try:
        outcomes = [
            asyncio.run(_tour(width, height, _emptied(arguments.pictures / str(width))))
            for width, height in _WINDOWS
            if arguments.width in (None, width)
        ]
    except OperatorError as error:
        print(f"easel: {error}", file=sys.stderr)
        return os.EX_CONFIG
    return 0 if all(outcomes) else 1


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


async def _tour(width: int, height: int, pictures: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="easel-demo-") as folder:
        async with open_demo(0, Path(folder)) as demo, open_page(demo.url, width, height) as page:
            visitor = Visitor(page, pictures)
            try:
                await walk(visitor, demo)
                _check_errors(demo)
            except (Stuck, TimeoutError) as error:
                await page.picture(pictures / "wrong.png")
                print(f"{width} px: {error} (see {pictures}/wrong.png)", file=sys.stderr)
                return False
    print(f"{width} px: all well; the pictures are in {pictures}")
    return True


def _check_errors(demo: Demo) -> None:
    """Raise Stuck if the bot raised anything but refusals."""
    causes = [error.__cause__ or error for error in demo.env.errors]
    if crashes := [error for error in causes if not isinstance(error, EaselError)]:
        raise Stuck(f"the bot raised {crashes}")


if __name__ == "__main__":
    sys.exit(main())
