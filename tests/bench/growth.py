"""Simulates two years of 500 servers night by night, with the old deleted or folded and without.

    python -m tests.bench.growth     # 10 minutes and 1 GB of disk

Each day's requests are written by plain SQL into two databases; in one of them the nightly maintenance runs after it.
At the end of every third month: the size of both files; of the maintenance's last night the memory that it took beyond
what the process had, its longest transaction, and how long a member's write took that came meanwhile, beside one when
nothing else ran; and the median time of each use of the store, on copies of both. Last the audit of what was folded.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from calendar import monthrange
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

from bot import log
from bot.maintenance.retention import NightlyMaintenance, RetentionOptions
from bot.runtime import BackgroundTasks, Runtime
from bot.store.audit import audit
from bot.store.migrate import migrate
from bot.store.sqlite_space import empty_wal
from bot.store.store import Store
from tests.bench.command_line import parse_options, print_line
from tests.bench.history import median_ms
from tests.bench.past import NOW, add_day
from tests.bench.store_paths import PATHS, BenchStore
from tests.bench.table import percentile
from tests.store.services import SetClock

_QUARTER_MONTHS: Final = 3
_BETWEEN_WRITES: Final = 0.02
_BASELINE_WRITES: Final = 50
_MEGABYTE: Final = 1e6
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True)
class GrowthOptions:
    """``requests``: of all servers, per day. ``members``: of each. ``days``: after which all is deleted or folded."""

    months: int = 24
    servers: int = 500
    members: int = 20
    requests: int = 500
    days: int = 90


@dataclass(slots=True)
class Quarter:
    """Figures at the end of three months: sizes in MB of 10^6 bytes, times in ms."""

    sizes: tuple[float, float]
    """Of the file with maintenance, and of the one without."""
    memory: float
    longest: float
    waits: list[float]
    alone: list[float]
    seconds: float
    times: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def row(self) -> str:
        """A line of the table."""
        kept, grown = self.sizes
        waits = sorted(self.waits)
        return (
            f"{kept:>9.1f} {grown:>9.1f} {grown / kept:>6.2f} {self.seconds:>8.1f} {self.memory:>8.1f} "
            f"{self.longest:>8.1f} {median(self.alone):>9.2f} {max(self.alone):>8.1f} {median(waits):>9.2f} "
            f"{percentile(waits, 0.99):>8.1f} {waits[-1]:>8.1f}"
        )


def month_ends(months: int) -> list[datetime]:
    """The last half hours of so many months, the last of which is :data:`NOW`."""
    ends = [NOW]
    while len(ends) < months:
        before = ends[0].replace(day=1) - timedelta(days=1)
        ends.insert(0, before.replace(day=monthrange(before.year, before.month)[1]))
    return ends


def _memory(name: str) -> float:
    """MB of this process, by its name in /proc."""
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / _MEGABYTE


@contextmanager
def _peak_memory() -> Generator[list[float], None, None]:
    """By how much the process was larger within the block than before it."""
    Path("/proc/self/clear_refs").write_text("5")
    before, peaks = _memory("VmRSS"), list[float]()
    yield peaks
    peaks.append(max(_memory("VmHWM") - before, 0.0))


async def _write(store: Store) -> float:
    """How long a small write takes, in ms."""
    began = time.perf_counter()
    async with store.write() as tx:
        await tx.key_values.put("bench", str(began))
    return (time.perf_counter() - began) * 1000


async def _write_always(store: Store, waits: list[float]) -> None:
    while True:
        waits.append(await _write(store))
        await asyncio.sleep(_BETWEEN_WRITES)


class Installation:
    """A database with maintenance, and one without."""

    def __init__(self, folder: Path, store: Store, options: GrowthOptions) -> None:
        self.options = options
        self.files = (folder / "kept.db", folder / "grown.db")
        self.store = store
        self._clock = SetClock()
        self._folder = folder
        self._numbers = count(0, options.requests)

    async def day(self, now: datetime, *, measured: bool) -> Quarter | None:
        """Write one day into both, and run the maintenance of its night in one."""
        number, midnight = next(self._numbers), now.replace(hour=0, minute=0)
        for file in self.files:
            await asyncio.to_thread(
                add_day,
                file,
                midnight,
                self.options.requests,
                number,
                servers=self.options.servers,
                members=self.options.members,
            )
            await asyncio.to_thread(empty_wal, file)
        self._clock.moment = now
        if not measured:
            await self._maintenance([]).perform(now.date())
            return None
        alone = [await _write(self.store) for _ in range(_BASELINE_WRITES)]
        waits, rests = list[float](), list[float]()
        writing = asyncio.create_task(_write_always(self.store, waits))
        began = time.monotonic()
        with _peak_memory() as peaks:
            await self._maintenance(rests, rest=True).perform(now.date())
        seconds = time.monotonic() - began
        writing.cancel()
        for file in self.files:
            empty_wal(file, 0)
        kept, grown = (file.stat().st_size / _MEGABYTE for file in self.files)
        return Quarter((kept, grown), peaks[0], max(rests) / 4 * 1000, waits, alone, seconds)

    async def measure(self, quarter: Quarter, now: datetime) -> None:
        """Take every path in copies of both databases, one after the other."""
        copies = [shutil.copyfile(file, self._folder / f"copy-{file.name}") for file in self.files]
        async with Store.open(f"sqlite:///{copies[0]}") as kept, Store.open(f"sqlite:///{copies[1]}") as grown:
            benches = [await BenchStore.fill(store, now) for store in (kept, grown)]
            for name, path in PATHS.items():
                for bench in benches:
                    await path(bench)
                first, second = [await median_ms(path, bench) for bench in benches]
                quarter.times[name] = first, second
        for copy in self._folder.glob("copy-*"):
            copy.unlink()

    def _maintenance(self, rests: list[float], *, rest: bool = False) -> NightlyMaintenance:
        async def pause(seconds: float) -> None:
            rests.append(seconds)
            await asyncio.sleep(seconds if rest else 0)

        kept = timedelta(days=self.options.days)
        options = RetentionOptions(kept, kept, kept, kept, kept, timedelta(days=1), timedelta(days=1))
        runtime = Runtime(self.store, self._clock, BackgroundTasks("bench", grace=0), count(1).__next__)
        return NightlyMaintenance(runtime, options, self.files[0], rest=pause)


async def simulate(options: GrowthOptions, folder: Path) -> bool:
    """Print all figures; whether the audit finds nothing."""
    for name in ("kept.db", "grown.db"):
        migrate(f"sqlite:///{folder / name}")
    print_line(
        f"{options.servers} servers of {options.members} members with {options.requests} requests a day in all, "
        f"for {options.months} months; kept for {options.days} days\n"
        "              file, MB           night  memory  longest        alone, ms           beside the night, ms\n"
        "month      with   without  ratio       s       MB       ms    median      max    median      p99      max"
    )
    quarters: list[Quarter] = []
    async with Store.open(f"sqlite:///{folder / 'kept.db'}") as store:
        installation = Installation(folder, store, options)
        for month, end in enumerate(month_ends(options.months), start=1):
            quarter: Quarter | None = None
            for day in range(end.day):
                now = end.replace(day=day + 1)
                quarter = await installation.day(now, measured=now == end and month % _QUARTER_MONTHS == 0)
            if quarter is not None:
                quarters.append(quarter)
                await installation.measure(quarter, end)
                print_line(f"{month:>5} {quarter.row()}")
    _print_times(quarters)
    findings = list(audit(f"sqlite:///{folder / 'kept.db'}", NOW))
    print_line(f"\nthe audit of the database with maintenance finds {len(findings)} problems")
    return not findings


def _print_times(quarters: Sequence[Quarter]) -> None:
    heads = [f"{_QUARTER_MONTHS * (place + 1):>7}" for place in range(len(quarters))]
    print_line(
        "\nms with maintenance, after so many months; and ratios: of the last to the second column (by then as much is "
        f"kept as will be), with and without it, and without to with at the end\n{'path':<32} {' '.join(heads)}"
        "    with without     end"
    )
    for name in PATHS:
        kept, grown = zip(*(quarter.times[name] for quarter in quarters), strict=True)
        base = min(1, len(quarters) - 1)
        ratios = (kept[-1] / kept[base], grown[-1] / grown[base], grown[-1] / kept[-1])
        times, of = (" ".join(f"{value:>7.2f}" for value in values) for values in (kept, ratios))
        print_line(f"{name:<32} {times} {of}")


def main() -> int:
    """Run the benchmark; 1 when the audit finds something."""
    options = parse_options(GrowthOptions(), __doc__)
    log.set_up("error", "console", [])
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        return 0 if asyncio.run(simulate(options, Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
