"""The image, the systemd unit and the release workflow: pinned, and true to the version and the CHANGELOG."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from bot import VERSION
from tests.deploy.files import DEPLOY, RELEASE, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
CHANGELOG = ROOT / "CHANGELOG.md"
UNIT = DEPLOY / "easel.service"
BASH, SYSTEMD = shutil.which("bash") or "", shutil.which("systemd-analyze") or ""


def test_the_image_has_one_base_by_its_digest() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    ((name, _),) = [base.split("@sha256:") for base in bases if base != "base"]
    assert re.search(rf"^FROM {name}@sha256:[0-9a-f]{{64}} AS base$", DOCKERFILE, re.MULTILINE)
    assert f'image.base.name="{name}"' in DOCKERFILE


def test_the_image_names_its_licence_and_contains_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f'org.opencontainers.image.licenses="{project["license"]}"' in DOCKERFILE
    assert f"org.opencontainers.image.licenses={project['license']}" in RELEASE.read_text()
    assert "COPY LICENSE" in DOCKERFILE
    assert "!LICENSE" in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_workflow_pins_each_action_by_its_commit() -> None:
    used = re.findall(r"uses: (.*)", RELEASE.read_text())
    assert len(used) > 5
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", action), action


def test_the_newest_section_of_the_changelog_is_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\] - (.+)$", CHANGELOG.read_text(), re.MULTILINE)
    assert headings[0][0] == VERSION
    assert re.fullmatch(r"unreleased|20\d\d-\d\d-\d\d", headings[0][1])


def test_a_release_needs_its_tag_and_a_date_and_has_its_section_as_notes(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "__init__.py").write_text((ROOT / "bot" / "__init__.py").read_text())
    (step,) = [step for step in yaml.safe_load(RELEASE.read_text())["jobs"]["release"]["steps"] if "awk" in str(step)]

    def succeeds(tag: str, date: str, registry: str = "registry.example") -> bool:
        (tmp_path / "CHANGELOG.md").write_text(
            f"# Changelog\n\n## [{VERSION}] - {date}\n\nNew.\n\n## [0.0.1] - 2026-01-01\n\nOld.\n"
        )
        given = {"GITHUB_REF_NAME": tag, "GITHUB_REPOSITORY": "Owner/Easel", "GITHUB_OUTPUT": str(tmp_path / "output")}
        given["REGISTRY"] = registry
        command = [BASH, "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(command, cwd=tmp_path, env={**os.environ, **given}, check=False).returncode == 0

    assert not succeeds(f"v{VERSION}", "unreleased")
    assert not succeeds("v99.0.0", "2026-12-01")
    assert not succeeds(f"v{VERSION}", "2026-12-01", registry="")
    assert succeeds(f"v{VERSION}", "2026-12-01")
    assert (tmp_path / "notes.md").read_text().split() == ["New."]
    assert (tmp_path / "output").read_text() == "image=registry.example/owner/easel\n"


def unit() -> dict[str, list[str]]:
    """The unit's settings, each of which may be given several times."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if not line.startswith(("#", "[")) and "=" in line:
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_systemd_leaves_the_decoders_what_they_confine_themselves_with() -> None:
    """Without these, systemd's own list refuses Landlock, and decoders would run without it."""
    calls = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"}
    assert {*unit()["SystemCallFilter"][-1].split()} == calls
    assert unit()["RestartPreventExitStatus"] == [str(os.EX_CONFIG)]
    assert unit()["ExecStart"][0].split()[1:] == ["-m", "bot", "run"]


@pytest.mark.skipif(not SYSTEMD, reason="systemd is not here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    text = UNIT.read_text().replace(unit()["ExecStart"][0].split()[0], "/bin/true")
    copy.write_text(text.replace("WorkingDirectory=/opt/easel", "WorkingDirectory=/"))
    command = [SYSTEMD, "verify", "--man=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert UNIT.name not in done.stderr
