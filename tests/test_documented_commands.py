"""What pages and files for deployment tell a reader to run, to open and to look for in the log exists."""

import re
import shlex
from pathlib import Path

import pytest

from bot.cli.main import build_parser

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FILES = sorted([ROOT / "Dockerfile", *(file for file in ROOT.glob("deploy/**/*") if file.is_file())])
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
STAND_INS = {"URL": "sqlite:///new.db", "ID": "123456789012345678"}
COMMAND = re.compile(r"(?:python -m bot|run --rm (?:-v \S+ |--build )?bot) +([^`#|&;\n]+)")
TARGET = re.compile(r"(?:`|^ {4}|&& |^# +)(?:sudo )?make ([a-z-]+)", re.MULTILINE)


def heading_anchors(page: Path) -> set[str]:
    """As GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", [*PAGES, *FILES], ids=lambda file: file.name)
def test_commands_that_are_named_exist(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for line in COMMAND.findall(text):
        build_parser().parse_args([STAND_INS.get(word, word) for word in shlex.split(line)])
    assert {*TARGET.findall(text)} <= {*TARGETS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in heading_anchors(target), link


def test_events_that_the_page_on_operations_explains_exist() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in ROOT.glob("bot/**/*.py"))
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("| event |")[2].partition("## ")[0]
    events = [
        event for cell in re.findall(r"^\| (.+?) \|", table, re.MULTILINE) for event in re.findall("`(.+?)`", cell)
    ]
    assert events
    assert [event for event in events if f'"{event}' not in code] == []
