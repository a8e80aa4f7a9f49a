"""What the benchmarks share as programs: options, and lines that appear at once."""

import argparse
import sys
from typing import Any, TypeVar, cast

T = TypeVar("T")


def parse_options(defaults: T, description: str | None) -> T:
    """The dataclass instance with what the command line changes: every field is an option."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in vars(defaults).items():
        flag = f"--{name.replace('_', '-')}"
        if value is False:
            parser.add_argument(flag, action="store_true")
        else:
            is_tuple = isinstance(value, tuple)
            sample: Any = cast("Any", value)[0] if is_tuple else value
            kind, nargs = cast("type[Any]", type(sample)), "+" if is_tuple else None
            parser.add_argument(flag, type=kind, nargs=nargs, default=value, help="default: %(default)s")
    return type(defaults)(**vars(parser.parse_args()))


def print_line(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
