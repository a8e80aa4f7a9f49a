"""Prometheus itself reads the dashboard's queries and the alerts, which fire when they should."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing; Debian's package prometheus has it")
TROUBLES: dict[str, dict[str, str]] = {
    "EaselDown": {"up": "0x30"},
    "EaselGatewayAway": {"easel_gateway_shard_up{shard='0'}": "1x30", "easel_gateway_shard_up{shard='1'}": "0x30"},
    "EaselKieRefuses": {
        "easel_kie_answers_total{code='500', endpoint='createTask'}": "0+6x30",
        "easel_kie_answers_total{code='200', endpoint='recordInfo'}": "0+4x30",
    },
    "EaselBalanceLow": {"easel_kie_balance_credits": "499x30", "easel_kie_balance_alert_credits": "500x30"},
    "EaselQueueSlow": {"easel_queue_oldest_seconds": "0+60x30"},
    "EaselResultsStuck": {"easel_database_errors_total{kind='write'}": "0+1x30"},
}
"""What each alert fires for after half an hour."""


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run([PROMTOOL or "", *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def write(file: Path, content: dict[str, Any]) -> Path:
    file.write_text(json.dumps(content))  # JSON is YAML
    return file


def test_the_dashboards_queries_are_valid(tmp_path: Path) -> None:
    panels = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    queries = [target["expr"].replace("$__rate_interval", "5m") for panel in panels for target in panel["targets"]]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    promtool("check", "rules", write(tmp_path / "rules.yml", {"groups": [{"name": "dashboard", "rules": rules}]}))


def test_each_alert_fires_and_no_other(tmp_path: Path) -> None:
    def series(name: str) -> str:
        metric, _, labels = name.partition("{")
        return f"{metric}{{job='easel', instance='a', {labels or '}'}"

    tests = [
        {
            "interval": "1m",
            "input_series": [
                {"series": series(name), "values": values} for name, values in ({"up": "1x30"} | trouble).items()
            ],
            "promql_expr_test": [
                {
                    "expr": "count by (alertname) (ALERTS{alertstate='firing'})",
                    "eval_time": "30m",
                    "exp_samples": [{"labels": f"{{alertname='{alert}'}}", "value": 1}],
                }
            ],
        }
        for alert, trouble in TROUBLES.items()
    ]
    rules = [str(DEPLOY / "alerts.yml")]
    promtool("test", "rules", write(tmp_path / "test.yml", {"rule_files": rules, "tests": tests}))
