"""The Compose file and the Kubernetes manifests: valid, and what they name exists in Easel."""

import subprocess
import sys
from pathlib import Path

import pytest

from bot.config import Config, load, require_secrets
from tests.deploy.files import (
    COMPOSE,
    MANIFESTS,
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


def test_the_compose_file_follows_the_specification() -> None:
    run("check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE))


def test_each_service_starts_with_settings_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in compose()["secrets"].items():
        assert secret["file"] == f"../secrets/{name}"
        (tmp_path / name).write_text(SECRET)
    roles: list[str] = []
    for service in easel_services().values():
        with monkeypatch.context() as patch:
            for name, value in environment(service, tmp_path).items():
                patch.setenv(name, value)
            config = load(None)
        require_secrets(config)
        assert config.database.password.get_secret_value() == SECRET
        assert {*service["secrets"]} == {*compose()["secrets"]}
        assert config.cluster.gateways == 1
        roles.append(config.cluster.role)
    assert sorted(roles) == ["gateway", "gateway", "worker", "worker"]


def test_ports_are_open_to_this_machine_alone_and_files_are_kept() -> None:
    published = [port for service in compose()["services"].values() for port in service.get("ports", ())]
    assert len({*published}) == 4
    for port in published:
        host, _, inside = port.rsplit(":", 2)
        assert (host, inside) == ("127.0.0.1", image().port)
    assert image().port == str(Config().web.port)
    for service in easel_services().values():
        assert f"files:{image().folder}" in service["volumes"]
        assert service["healthcheck"]["test"] == ["CMD", *image().command[:-1], "health", "--ready"]


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
