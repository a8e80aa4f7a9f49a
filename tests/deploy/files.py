"""What deploy/ and the Dockerfile say."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
CLUSTER = DEPLOY / "compose-cluster.yaml"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
SECRETS = "/run/secrets"


@dataclass(frozen=True, slots=True)
class Image:
    """The user, and the command as a container engine puts it together."""

    user: str
    command: list[str]
    folder: str
    port: str


def image() -> Image:
    text = (ROOT / "Dockerfile").read_text()

    def said(pattern: str) -> str:
        found = re.search(pattern, text, re.MULTILINE)
        assert found is not None, pattern
        return found[1]

    command = [*json.loads(said(r"^ENTRYPOINT (.*)")), *json.loads(said(r"^CMD (.*)"))]
    return Image(said(r"--uid (\d+)"), command, said(r"^VOLUME (.*)"), said(r"^EXPOSE (.*)"))


def compose(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text())


def easel_services(file: Path) -> dict[str, dict[str, Any]]:
    """The services that run Easel's image."""
    return {name: service for name, service in compose(file)["services"].items() if service["image"] == "easel"}


def environment(service: dict[str, Any], secrets: Path) -> dict[str, str]:
    """A service's, with its secrets in another folder."""
    return {name: str(value).replace(SECRETS, str(secrets)) for name, value in service["environment"].items()}


def manifests() -> list[dict[str, Any]]:
    return [manifest for file in MANIFESTS for manifest in yaml.safe_load_all(file.read_text())]


def manifest(kind: str, name: str = "easel") -> dict[str, Any]:
    (found,) = (one for one in manifests() if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found
