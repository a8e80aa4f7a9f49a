"""Compose files, Kubernetes manifests and the release workflow: valid, and what they name exists in Easel."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bot.config import Config, load, require_secrets
from tests.deploy.files import (
    CLUSTER,
    COMPOSE,
    DEPLOY,
    MANIFESTS,
    RELEASE,
    ROOT,
    SECRETS,
    compose,
    easel_services,
    environment,
    image,
    manifest,
    manifests,
)

KUBERNETES = ("1.31", "1.37")
SECRET = "a-secret-in-a-file"


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_manifests_follow_kubernetes_schemas(version: str) -> None:
    run("kubernetes_validate", "--strict", "--kubernetes-version", version, *map(str, MANIFESTS))


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("compose-spec", COMPOSE),
        ("compose-spec", CLUSTER),
        ("github-workflows", RELEASE),
        ("dependabot", ROOT / ".github" / "dependabot.yml"),
    ],
)
def test_a_file_follows_its_schema(schema: str, file: Path) -> None:
    run("check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file))


@pytest.mark.parametrize(("file", "roles"), [(COMPOSE, ["all"]), (CLUSTER, ["gateway", "gateway", "worker", "worker"])])
def test_each_service_starts_with_settings_that_exist(
    file: Path, roles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, secret in compose(file)["secrets"].items():
        assert secret["file"] == f"../secrets/{name}"
        (tmp_path / name).write_text(SECRET)
    found: list[str] = []
    for service in easel_services(file).values():
        with monkeypatch.context() as patch:
            for name, value in environment(service, tmp_path).items():
                patch.setenv(name, value)
            config = load(None)
        require_secrets(config)
        assert config.database.password.get_secret_value() == (SECRET if file == CLUSTER else "")
        assert {*service["secrets"]} == {*compose(file)["secrets"]}
        assert config.cluster.gateways == 1
        found.append(config.cluster.role)
    assert sorted(found) == roles


@pytest.mark.parametrize("file", [COMPOSE, CLUSTER])
def test_ports_are_open_to_this_machine_alone_and_files_are_kept(file: Path) -> None:
    services = compose(file)["services"]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert len({*published}) == len(published)
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert image().port == str(Config().web.port)
    for service in easel_services(file).values():
        assert [port.rsplit(":")[-1] for port in service["ports"]] == [image().port]
        volume = next(volume for volume in service["volumes"] if volume.endswith(f":{image().folder}"))
        assert volume.partition(":")[0] in compose(file)["volumes"]
        assert service["healthcheck"]["test"] == ["CMD", *image().command[:-1], "health", "--ready"]


def test_prometheus_and_grafana_find_the_bot_and_their_files() -> None:
    services = compose(COMPOSE)["services"]
    monitoring = [service for service in services.values() if service.get("profiles") == ["monitoring"]]
    assert len(monitoring) == 2
    for service in monitoring:
        for volume in service["volumes"]:
            name = volume.partition(":")[0]
            assert (DEPLOY / name).is_file() if name.startswith("./") else name in compose(COMPOSE)["volumes"]
    prometheus = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = prometheus["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"bot:{services['bot']['environment']['EASEL__METRICS__PORT']}"]}]
    assert all((DEPLOY / name).is_file() for name in prometheus["rule_files"])
    for config in compose(COMPOSE)["configs"].values():
        assert yaml.safe_load(config["content"])["apiVersion"] == 1


def test_the_configuration_of_the_pods_is_valid(tmp_path: Path) -> None:
    secrets = manifest("Secret")["stringData"]
    for name, secret in secrets.items():
        (tmp_path / name).write_text(secret)
    file = tmp_path / "config.toml"
    file.write_text(manifest("ConfigMap")["data"]["config.toml"].replace(f"{SECRETS}/easel", str(tmp_path)))
    config = load(file)
    require_secrets(config)
    assert config.database.password.get_secret_value() == secrets["database_password"]
    assert manifest("Deployment", "easel-gateway")["spec"]["replicas"] == config.cluster.gateways + 1


@pytest.mark.parametrize("role", ["gateway", "worker"])
def test_a_pod_runs_as_the_image_is_made(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = manifest("Deployment", f"easel-{role}")
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert {str(pod["spec"]["securityContext"][name]) for name in ("runAsUser", "runAsGroup", "fsGroup")} == {
        image().user
    }
    assert [str(port["containerPort"]) for port in container["ports"]] == [image().port]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert {container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness")} == {"/healthz"}

    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"config": "/app/config.toml", "secrets": f"{SECRETS}/easel", "files": image().folder}
    assert (volumes["config"]["configMap"]["name"], volumes["secrets"]["secret"]["secretName"]) == ("easel", "easel")

    for setting in container["env"]:
        monkeypatch.setenv(setting["name"], setting["value"])
    monkeypatch.setenv("EASEL__DATABASE__URL", "postgresql://easel@database/easel")
    assert load(None).cluster.role == role

    labels = pod["metadata"]["labels"]
    budgets = [one["spec"] for one in manifests() if one["kind"] == "PodDisruptionBudget"]
    assert [budget["maxUnavailable"] for budget in budgets if budget["selector"]["matchLabels"] == labels] == [1]
    assert manifest("Service")["spec"]["selector"].items() <= labels.items()
