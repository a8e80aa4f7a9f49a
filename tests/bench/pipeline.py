"""Measures the way of a picture: from its being done at KIE to its being known, and from there to its being posted.

Run `python -m tests.bench.pipeline`. Tasks take as long as FLUX.2 takes at another host; the first ones teach Easel how
long that is, the others count. With callbacks the stand-in tells by itself, as KIE does.
"""

import argparse
import asyncio
import itertools
import math
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web

from bot.kie.signature import sign
from tests.bench.discord_load import DiscordLoad
from tests.bench.easel import Spread, easel, say, until
from tests.bench.kie_load import picture
from tests.bench.table import percentile
from tests.bench.volley import Command

KEY: Final = "a-key-for-callbacks"
DRAIN_SECONDS: Final = 240.0


@dataclass(frozen=True, slots=True)
class Published:
    """How long tasks take at a host: median and 95th percentile in seconds; lognormal fits."""

    name: str
    median: float
    p95: float

    def draw(self, dice: random.Random) -> float:
        """One duration."""
        return dice.lognormvariate(math.log(self.median), math.log(self.p95 / self.median) / 1.645)


FLEX: Final = Published("flex", 15.8, 27.2)
HOSTS: Final = (FLEX, Published("pro, first host", 14.1, 38.2), Published("pro, second host", 16.6, 21.7))


@dataclass(slots=True)
class Made:
    """One task at KIE; moments are of `time.perf_counter`."""

    created: float
    ends: float
    asked: int = 0
    told: float | None = None
    """When an answer first said that it is done."""


@dataclass
class TimedKie:
    """A KIE without limits that writes down when it was asked and when it told."""

    takes: Published
    dice: random.Random
    address: str = ""
    made: dict[str, Made] = field(default_factory=dict[str, Made])
    by_prompt: dict[str, str] = field(default_factory=dict[str, str])
    callers: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _picture: bytes = field(default_factory=picture)

    async def serve(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        if request.path.endswith("/createTask"):
            return self._create(orjson.loads(await request.read()))
        if request.path.endswith("/recordInfo"):
            return self._tell(request.query["taskId"])
        if request.path.endswith("/credit"):
            return _answer(1_000_000.0)
        return web.Response(body=self._picture, content_type="image/jpeg")

    def _create(self, body: Any) -> web.Response:
        task_id, now = f"{next(self._numbers):032x}", time.perf_counter()
        seconds = self.takes.draw(self.dice)
        self.made[task_id] = Made(now, now + seconds)
        self.by_prompt[body["input"]["prompt"]] = task_id
        if address := body.get("callBackUrl"):
            caller = asyncio.create_task(self._call_back(task_id, address, seconds))
            self.callers.add(caller)
            caller.add_done_callback(self.callers.discard)
        return _answer({"taskId": task_id, "recordId": task_id})

    def _tell(self, task_id: str) -> web.Response:
        task, now = self.made[task_id], time.perf_counter()
        task.asked += 1
        done = now >= task.ends
        if done and task.told is None:
            task.told = now
        return _answer(self._record(task_id, done=done))

    def _record(self, task_id: str, *, done: bool) -> dict[str, Any]:
        task = self.made[task_id]
        wall = time.time() - time.perf_counter()
        urls = {"resultUrls": [f"{self.address}/results/{task_id}.jpg"]}
        return {
            "taskId": task_id,
            "state": "success" if done else "waiting",
            "resultJson": orjson.dumps(urls).decode() if done else "",
            "createTime": int((wall + task.created) * 1000),
            "completeTime": int((wall + task.ends) * 1000) if done else None,
        }

    async def _call_back(self, task_id: str, address: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        stamp = str(int(time.time()))
        headers = {"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": sign(KEY, task_id, stamp)}
        body = {"code": 200, "msg": "success", "data": self._record(task_id, done=True)}
        async with aiohttp.ClientSession() as session, session.post(address, json=body, headers=headers) as answer:
            await answer.read()


@dataclass(frozen=True, slots=True)
class Way:
    """What became of the tasks that count. Times in seconds."""

    host: str
    callbacks: bool
    tasks: int
    known: Sequence[float]
    """From done to known, sorted."""
    posted: Sequence[float]
    """From known to posted, sorted."""
    calls: float
    """Questions per task."""
    lost: int

    def line(self) -> str:
        """One line of the table; times in milliseconds."""
        known = " / ".join(f"{percentile(self.known, share) * 1000:7.1f}" for share in (0.5, 0.95, 1.0))
        posted = " / ".join(f"{percentile(self.posted, share) * 1000:6.1f}" for share in (0.5, 0.95, 1.0))
        how = "callbacks" if self.callbacks else "questions"
        return f"{self.host:<17} {how:<9} {self.tasks:>5} {known}   {posted} {self.calls:6.2f} {self.lost:>4}"


HEADER: Final = (
    f"{'durations of':<17} {'told by':<9} {'tasks':>5} {'done to known: median/p95/max ms':>27} "
    f"{'known to posted':>22} {'calls':>6} {'lost':>4}"
)


@asynccontextmanager
async def timed_kie(takes: Published, seed: int) -> AsyncGenerator[tuple[TimedKie, int]]:
    """The stand-in in this process, so that both ends are timed by one clock; with its port."""
    kie = TimedKie(takes, random.Random(seed))
    runner = web.ServerRunner(web.Server(kie.serve, access_log=None), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        port: int = runner.addresses[0][1]
        kie.address = f"http://127.0.0.1:{port}"
        yield kie, port
    finally:
        for caller in kie.callers:
            caller.cancel()
        await runner.cleanup()


async def measure(host: Published, *, callbacks: bool, taught: int, counted: int, rate: float, seed: int) -> Way:
    """Let a bot make so many pictures that do not count, then those that do."""
    async with timed_kie(host, seed) as (kie, kie_port), DiscordLoad() as discord:
        with tempfile.TemporaryDirectory(prefix="easel-bench-") as name:
            limits = {"EASEL__KIE__NEW_TASKS": "10000", "EASEL__KIE__RUNNING_TASKS": "10000"}
            key = KEY if callbacks else ""
            async with easel(Path(name), discord, kie_port, limits, callback_key=key) as bot:
                await bot.child.outlive(discord.wait_ready(), 60, "connecting to the gateway")
                for count in (taught, counted):
                    volley = discord.load([n / rate for n in range(count)])
                    await discord.fire(volley)
                    await until(lambda volley=volley: volley.pictured >= len(volley.commands), DRAIN_SECONDS)
                return _way(host, kie, list(volley.commands.values()), callbacks=callbacks)


def _way(host: Published, kie: TimedKie, commands: Sequence[Command], *, callbacks: bool) -> Way:
    known: list[float] = []
    posted: list[float] = []
    calls: list[int] = []
    for command in commands:
        made = kie.made.get(kie.by_prompt.get(_prompt(command), ""))
        if made is None or made.told is None or command.pictured_at is None:
            continue
        known.append(made.told - made.ends)
        posted.append(command.pictured_at - made.told)
        calls.append(made.asked)
    mean = sum(calls) / max(len(calls), 1)
    return Way(host.name, callbacks, len(known), sorted(known), sorted(posted), mean, len(commands) - len(known))


def _prompt(command: Command) -> str:
    data = orjson.loads(command.frame)["d"]["data"]
    return next(option["value"] for option in data["options"] if option["name"] == "prompt")


def _answer(data: object) -> web.Response:
    return web.Response(
        body=orjson.dumps({"code": 200, "msg": "success", "data": data}), content_type="application/json"
    )


async def ways(hosts: Sequence[Published], *, taught: int, counted: int, rate: float, rounds: int) -> list[Way]:
    """Every host with and without callbacks, printed as they come."""
    found: list[Way] = []
    for number, host, callbacks in itertools.product(range(rounds), hosts, (False, True)):
        way = await measure(host, callbacks=callbacks, taught=taught, counted=counted, rate=rate, seed=number + 1)
        say(way.line())
        found.append(way)
    return found


def summed(found: Sequence[Way]) -> list[str]:
    """For each host and way of being told, medians over the rounds with their range."""
    lines: list[str] = []
    for host, callbacks in dict.fromkeys((way.host, way.callbacks) for way in found):
        these = [way for way in found if (way.host, way.callbacks) == (host, callbacks)]
        known = Spread.of([percentile(way.known, 0.5) * 1000 for way in these]).text(1)
        late = Spread.of([percentile(way.known, 0.95) * 1000 for way in these]).text(1)
        posted = Spread.of([percentile(way.posted, 0.5) * 1000 for way in these]).text(1)
        calls = Spread.of([way.calls for way in these]).text()
        how = "callbacks" if callbacks else "questions"
        lines.append(f"{host}, told by {how}: known {known} ms, p95 {late} ms; posted {posted} ms; {calls} calls")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pipeline", description=__doc__)
    parser.add_argument("--taught", type=int, default=200, help="tasks that do not count")
    parser.add_argument("--counted", type=int, default=200)
    parser.add_argument("--rate", type=float, default=3.0, help="commands a second; KIE takes two")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--all-hosts", action="store_true")
    given = parser.parse_args(arguments)
    hosts = HOSTS if given.all_hosts else (FLEX,)
    say(HEADER)
    found = asyncio.run(ways(hosts, taught=given.taught, counted=given.counted, rate=given.rate, rounds=given.rounds))
    for line in summed(found):
        say(line)
    return 1 if any(way.lost for way in found) else 0


if __name__ == "__main__":
    sys.exit(main())
