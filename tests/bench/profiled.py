"""Runs the bot under a profiler: `python -m tests.bench.profiled`; the profile goes where EASEL_PROFILE says."""

import cProfile
import os
import sys

from bot.__main__ import main


def profiled() -> int:
    """The bot's exit code."""
    profile = cProfile.Profile()
    try:
        return profile.runcall(main, ["run"])
    finally:
        profile.dump_stats(os.environ["EASEL_PROFILE"])


if __name__ == "__main__":
    sys.exit(profiled())
