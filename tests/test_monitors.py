"""The monitors: what the operator is alerted to, and how often."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.kie_account import Alert, DiskLow, GatewayAway, GatewayReturned
from bot.monitors import DiskMonitor, GatewayMonitor
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store
from tests.database import fresh_database
from tests.factories import NOW
from tests.generation.doubles import RecordingAlerts
from tests.store.services import SetClock

GB = 1_000_000_000


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def runtime(tmp_path: Path, clock: SetClock) -> AsyncGenerator[Runtime, None]:
    async with Store.open(fresh_database(tmp_path), migrated=True) as store:
        yield Runtime(store, clock, BackgroundTasks("background", grace=6), new_id=int)


async def test_a_nearly_full_disk_is_one_alert_until_there_was_room_again(runtime: Runtime, tmp_path: Path) -> None:
    alerts, free = RecordingAlerts(), [0]
    async with runtime.background:
        for amounts in ((GB - 1, GB, GB - 2), (GB - 3, 2 * GB, GB // 2)):
            monitor = DiskMonitor(runtime, [tmp_path], lambda _: free[0])
            await monitor.restore()
            for free[0] in amounts:
                await monitor.check(alerts)
    assert alerts.sent == [DiskLow(str(tmp_path), GB - 1), DiskLow(str(tmp_path), GB // 2)]


async def test_a_gateway_that_is_away_for_five_minutes_is_one_alert_and_one_when_it_is_back(
    runtime: Runtime, clock: SetClock
) -> None:
    live = {0: True, 1: True}
    monitor = GatewayMonitor(runtime, lambda: live, lambda: 2)

    def after(minutes: int, **shards: bool) -> Alert | None:
        clock.moment = NOW + timedelta(minutes=minutes)
        live.update({int(name[1:]): is_live for name, is_live in shards.items()})
        return monitor.check()

    assert after(0) is None
    assert after(1, s1=False) is None
    assert after(5) is None
    since = NOW + timedelta(minutes=1)
    assert after(6) == GatewayAway(since, (1,), 2)
    assert after(9) is None
    assert after(12, s1=True) == GatewayReturned(since, NOW + timedelta(minutes=12))
    assert after(13, s0=False) is None
    assert after(14, s0=True) is None


async def test_when_discord_is_away_for_all_processes_the_first_one_alerts(runtime: Runtime, clock: SetClock) -> None:
    live = {0: True, 1: True}
    processes = [GatewayMonitor(runtime, lambda shard=shard: {shard: live[shard]}, lambda: 2) for shard in live]
    told: list[Alert] = []

    async def after(minutes: float, is_live: bool) -> None:
        clock.moment = NOW + timedelta(minutes=minutes)
        live.update(dict.fromkeys(live, is_live))
        alerts = [(monitor, alert) for monitor in processes if (alert := monitor.check()) is not None]
        told.extend([alert for monitor, alert in alerts if await monitor.is_news(alert)])

    for start in (0, 11):
        for minutes, is_live in ((0, True), (1, False), (6, False), (7, True)):
            await after(start + minutes, is_live)
    began = [NOW + timedelta(minutes=1), NOW + timedelta(minutes=12)]
    assert told == [
        alert
        for since in began
        for alert in (GatewayAway(since, (0,), 2), GatewayReturned(since, since + timedelta(minutes=6)))
    ]
