"""What Prometheus reads after a story: true figures, in a fixed number of series without ids."""

import json
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from bot.domain.ids import UserId
from bot.gateway import Shard
from bot.state_metrics import StateCollector
from bot.web.metrics import MetricsRoute
from bot.web.server import serve
from tests.stories.images import png
from tests.stories.story_world import StoryWorld, bot_with
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent
TOKEN = "a-token-for-prometheus"
Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Scraper:
    """Prometheus."""

    session: aiohttp.ClientSession
    url: str

    async def metrics(self) -> list[Metric]:
        async with self.session.get(self.url, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
            assert response.status == 200
            assert response.content_type == "text/plain"
            return list(text_string_to_metric_families(await response.text()))

    async def values(self) -> dict[Series, float]:
        """Easel's own samples."""
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for metric in await self.metrics()
            for sample in metric.samples
            if sample.name.startswith("easel_")
        }


@asynccontextmanager
async def scraping(world: StoryWorld) -> AsyncGenerator[Scraper, None]:
    client = world.app.client
    route = MetricsRoute(StateCollector(world.app, Decimal(500)), TOKEN)
    with pytest.MonkeyPatch.context() as patch:
        # simcord connects without a shard.
        patch.setattr(client.gateway, "_shards", {0: Shard(client, 0, client.gateway.turns)})
        async with (
            serve("127.0.0.1", 0, ready=dict, callback=None, metrics=route) as port,
            aiohttp.ClientSession() as session,
        ):
            yield Scraper(session, f"http://127.0.0.1:{port}/metrics")


def series(name: str, **labels: str) -> Series:
    return f"easel_{name}", frozenset(labels.items())


@bot_with(give_up_submitting=0.2)
async def test_the_figures_after_a_story(world: StoryWorld) -> None:
    async with scraping(world) as scraper:
        before = await scraper.values()
        await world.delivered("a red fox in snow", image=("fox.png", png()))
        await world.delivered("a lighthouse [moderated]", count=2)
        await world.imagine("too dear for anybody here", by=world.bob, model="flex", resolution="2K", count=4)
        await until(lambda: world.app.balance_monitor.reading, what="the balance to be read")
        after = await scraper.values()
        assert after[series("paused", reason="operator")] == 0
        await world.app.client.services.operator.pauses.pause("lunch", UserId(1))
        assert (await scraper.values())[series("paused", reason="operator")] == 1

    changes = {key: value - before[key] for key, value in after.items() if key in before and value != before[key]}
    expected = {
        series("requests_total", model="pro", result="accepted"): 2,
        series("requests_total", model="flex", result="refused"): 1,
        series("images_total", model="pro", outcome="delivered"): 1,
        series("images_total", model="pro", outcome="moderated"): 2,
        series("credits_total", movement="reserve"): 15,
        series("credits_total", movement="settle"): 5,
        series("credits_total", movement="refund"): 10,
        series("kie_answers_total", endpoint="file-stream-upload", code="200"): 1,
        series("acknowledgement_seconds_count", of="interaction"): 3,
        series("queue_wait_seconds_count"): 3,
        series("delivery_seconds_count"): 1,
    }
    assert {key: changes.get(key, 0) for key in expected} == expected
    assert changes[series("kie_answers_total", endpoint="recordInfo", code="200")] >= 3
    assert changes[series("database_transaction_seconds_count", kind="write")] > 10
    for name, value in {"queue_tasks": 0, "kie_tasks": 0, "leader": 1, "deliveries_failing": 0}.items():
        assert after[series(name)] == value
    assert after[series("child_processes")] >= 1
    assert after[series("child_processes_resident_memory_bytes")] > 1_000_000
    assert after[series("kie_balance_alert_credits")] == 500
    assert after[series("worker_up", worker="submitter")] == 1
    assert after[series("paused", reason="key_refused")] == 0


async def test_series_are_a_fixed_number_and_have_no_ids(world: StoryWorld) -> None:
    async with scraping(world) as scraper:
        await until(lambda: world.app.balance_monitor.reading, what="the balance to be read")
        before = await scraper.values()
        await world.delivered("a red fox in snow", by=world.bob)
        await world.mention_bot("a lighthouse at dawn")
        await world.rest()
        assert (await scraper.values()).keys() == before.keys()

    values = {value for _, labels in before for name, value in labels if name not in {"le", "version"}}
    assert {value for value in values if not re.fullmatch(r"[a-zA-Z_ -]{1,24}|[1-5](\d\d|xx)|\d{1,2}", value)} == set()
    assert len(before) < 600


async def test_without_the_token_nothing_is_shown(world: StoryWorld) -> None:
    async with scraping(world) as scraper:
        for sent in ({}, {"Authorization": "Bearer another"}, {"Authorization": f"Bearer {TOKEN}\xff"}):
            async with scraper.session.get(scraper.url, headers=sent) as response:
                assert (response.status, await response.text()) == (401, "")
                assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_what_processes_share_comes_from_the_one_that_leads(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scraping(world) as scraper:
        with monkeypatch.context() as patch:
            patch.setattr(world.app.pipeline.workload, "leadership", SimpleNamespace(leads=False, is_sure=False))
            values = await scraper.values()
    assert values[series("leader")] == 0
    assert series("gateway_shard_up", shard="0") in values
    shared = ("easel_queue_tasks", "easel_kie_balance", "easel_worker", "easel_paused", "easel_deliveries")
    assert [name for name, _ in values if name.startswith(shared)] == []


async def test_page_dashboard_and_alerts_name_what_there_is(world: StoryWorld) -> None:
    async with scraping(world) as scraper:
        await until(lambda: world.app.balance_monitor.reading, what="the balance to be read")
        metrics = await scraper.metrics()
    exported = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name: _labels(metric)
        for metric in metrics
        if metric.name.startswith("easel_")
    }
    rows = re.findall(r"^\| `(easel_\w+)` \| ([a-z, ]*) ?\|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    assert {name: set(re.findall(r"\w+", labels)) for name, labels in rows} == exported

    samples = {sample.name for metric in metrics for sample in metric.samples}
    dashboard = json.loads((ROOT / "deploy/grafana.json").read_text())
    assert dashboard["schemaVersion"] >= 38  # Grafana 10
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"][0]["rules"]
    assert len(rules) == 6
    assert all({"summary", "description"} <= rule["annotations"].keys() for rule in rules)
    assert _named(shown + [rule["expr"] for rule in rules]) <= samples | {"up"}


def _labels(metric: Metric) -> set[str]:
    return {name for sample in metric.samples for name in sample.labels} - {"le"}


def _named(expressions: Iterable[str]) -> set[str]:
    """The metrics in these expressions: a name before its labels."""
    return {name for expression in expressions for name in re.findall(r"(\w+)\{", expression)}
