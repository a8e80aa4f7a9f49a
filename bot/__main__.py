"""``python -m bot``."""

import os
import sys

from bot.cli.main import main

if __name__ == "__main__":
    code = main()
    # Everything is closed. A name that is still being looked up would hold up sys.exit() until its time-out.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
