"""``python -m demo``: try the bot in a browser, without any account. Exit code 78 when the port is taken."""

import argparse
import os
import sys

from bot.domain.errors import OperatorError
from demo.run import run_demo


def main() -> int:
    """Run the demo until Ctrl-C, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="Try Easel in a browser, without any account.")
    parser.add_argument("--port", type=int, default=0, help="the port of the page (any free one)")
    os.umask(0o077)
    try:
        return run_demo(parser.parse_args().port)
    except OperatorError as error:
        print(f"easel: {error}", file=sys.stderr)
        return os.EX_CONFIG


if __name__ == "__main__":
    sys.exit(main())
