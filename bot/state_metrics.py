"""What the running bot's objects know, read when Prometheus asks, and how late the event loop is."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot import VERSION, metrics
from bot.app import Application
from bot.domain.credits import Credits
from bot.domain.errors import StoreUnavailable
from bot.domain.states import Failure
from bot.generation.operator_pause import read_operator_pause

_LOOK_EVERY: Final = 0.5
_PAUSES: Final = (Failure.OUT_OF_CREDITS, Failure.KEY_REFUSED, Failure.UNAVAILABLE)
"""Why no request is accepted, but for the operator's own pause; ``unavailable``: results cannot be fetched."""
_READ_SECONDS: Final = 1.0
_PROC: Final = Path("/proc")


@final
class StateCollector(Collector):
    """One process's gauges. Those of what all processes share come from the one that leads."""

    def __init__(self, app: Application, alert_below: Credits) -> None:
        """``alert_below``: the balance of which the operator is alerted."""
        self._app = app
        self._alert_below = alert_below
        self._operator_pause = False

    async def refresh(self) -> None:
        """Read the operator's pause, which stands in the database; while that is unavailable, the last one counts."""
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_READ_SECONDS), self._app.runtime.store.read() as tx:
                self._operator_pause = await read_operator_pause(tx) is not None

    def collect(self) -> Iterator[Metric]:
        """Call it in the event loop's thread."""
        yield _gauge("build_info", "1, with the version.", 1, version=VERSION)
        leads = self._app.pipeline.workload.leadership.leads and self._app.works
        yield _gauge("leader", "1 if this process submits to KIE and posts images.", leads)
        yield from self._shards()
        yield from _children()
        if leads:
            yield from self._workers()
            yield from self._queue()
            yield from self._balance()

    def _shards(self) -> Iterator[Metric]:
        gateway = self._app.client.gateway
        up = _family("gateway_shard_up", "1 while Discord answers the shard and it knows its servers.", "shard")
        for number, live in gateway.live.items():
            up.add_metric([str(number)], live)
        yield up
        latency = _family("gateway_latency_seconds", "From the last heartbeat to its acknowledgement.", "shard")
        for number, seconds in gateway.latencies:
            latency.add_metric([str(number)], seconds)
        yield latency

    def _workers(self) -> Iterator[Metric]:
        up = _family("worker_up", "1 while the worker runs.", "worker")
        for name, task in self._app.workers.items():
            up.add_metric([name], not task.done())
        yield up

    def _queue(self) -> Iterator[Metric]:
        pipeline, clock = self._app.pipeline, self._app.runtime.clock
        workload, now = pipeline.workload, clock.steady()
        waiting = workload.queue.waiting()
        oldest = min((queued.since for queued in waiting), default=now)
        yield _gauge("queue_tasks", "Tasks that wait to be sent to KIE.", len(waiting))
        yield _gauge("queue_oldest_seconds", "How long the oldest of them has waited.", (now - oldest).total_seconds())
        yield _gauge("kie_tasks", "Tasks that KIE is being asked for or works on.", workload.queue.running)
        failing = len(pipeline.delivery.failing_since)
        yield _gauge("deliveries_failing", "Requests whose outcome errors keep from being posted.", failing)
        paused = _family("paused", "1 while no request is accepted, by reason.", "reason")
        for reason in _PAUSES:
            paused.add_metric([reason], workload.pause is not None and workload.pause[1] is reason)
        paused.add_metric(["operator"], self._operator_pause)
        yield paused

    def _balance(self) -> Iterator[Metric]:
        reading = self._app.balance_monitor.reading
        if reading is not None:
            yield _gauge("kie_balance_credits", "KIE's balance as it was read last.", float(reading.balance))
            at = reading.at.timestamp()
            yield _gauge("kie_balance_read_timestamp_seconds", "When that was, in seconds since 1970.", at)
        below = float(self._alert_below)
        yield _gauge("kie_balance_alert_credits", "The operator is alerted below this; 0 for never.", below)


async def watch_event_loop() -> None:
    """Observe how late the event loop wakes this task; until cancelled."""
    while True:
        due = time.perf_counter() + _LOOK_EVERY
        await asyncio.sleep(_LOOK_EVERY)
        metrics.EVENT_LOOP_DELAY.observe(max(time.perf_counter() - due, 0.0))


def _children() -> Iterator[Metric]:
    """Child processes and theirs, on Linux: those that decode images, and the one that draws charts."""
    if not (_PROC / "self").exists():
        return
    sizes = [size for child in _descendants(os.getpid()) if (size := _resident_bytes(child)) is not None]
    yield _gauge("child_processes", "Processes that decode images or draw charts.", len(sizes))
    yield _gauge("child_processes_resident_memory_bytes", "The memory that they use together.", sum(sizes))


def _descendants(pid: int) -> Iterator[int]:
    # A process is listed by the thread that started it.
    for listed in _PROC.glob(f"{pid}/task/*/children"):
        try:
            children = listed.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)


def _resident_bytes(pid: int) -> int | None:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # the process has ended
        return None


def _family(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"easel_{name}", about, labels=labels)


def _gauge(name: str, about: str, value: float, **labels: str) -> GaugeMetricFamily:
    family = _family(name, about, *labels)
    family.add_metric([*labels.values()], value)
    return family
