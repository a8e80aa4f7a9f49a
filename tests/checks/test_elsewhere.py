"""Whether the checks of KIE, the database and the machine find what is wrong, each thing by itself."""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from unittest.mock import create_autospec

import pytest
from aiohttp.test_utils import unused_port

from bot.checks.lines import CheckOutcome
from bot.checks.machine import check_clock
from bot.web.server import serve
from demo.kie import Code
from tests.checks.surroundings import Break, Surroundings, setting

NAMES = {
    *("token", "application", "message content", "install link", "servers", "operator.guild"),
    *("operator.alert_channel", "KIE key", "KIE credits", "upload host", "result hosts"),
    *("assistant", "database", "disk", "file modes", "backup", "port", "callbacks", "clock"),
}


def _no_credits(world: Surroundings) -> None:
    world.kie.balance = Decimal("4.5")


def _refused(world: Surroundings) -> None:
    world.kie.script.always("credit", Code(403, "IP not in the whitelist"))


def _damage(world: Surroundings) -> None:
    (world.folder / "easel.db").write_bytes(b"this is not a database" * 400)


def _later_version(world: Surroundings) -> None:
    with closing(sqlite3.connect(world.folder / "easel.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def _open_to_others(world: Surroundings) -> None:
    for name in ("easel.db", "easel-1.db", "easel.db.lock"):
        (world.folder / name).touch()
        (world.folder / name).chmod(0o644)


async def test_everything_works(surroundings: Surroundings) -> None:
    surroundings.kie.balance = Decimal(1240)
    before = (surroundings.folder / "easel.db").read_bytes()
    lines = {line.name: line for line in await surroundings.check()}
    assert {*lines} == NAMES
    assert {name for name, line in lines.items() if line.outcome is CheckOutcome.SKIPPED} == {
        "assistant",
        "backup",
        "callbacks",
    }
    assert await surroundings.failures() == []
    assert lines["KIE credits"].detail == (
        "1,240 credits: 248 images with FLUX.2 Pro 1K (177 with Pro 2K, 88 with Flex 1K, 51 with Flex 2K)"
    )
    assert (surroundings.folder / "easel.db").read_bytes() == before


@pytest.mark.parametrize(
    ("breaks", "name", "detail", "fix"),
    [
        (setting("kie.api_key", ""), "KIE key", "kie.api_key is missing", "set it in"),
        (setting("kie.api_key", "another-key"), "KIE key", "KIE refused it", "https://kie.ai/api-key"),
        (
            _refused,
            *("KIE key", "KIE refused the account (code 403)", "addresses that may use the key"),
        ),
        (
            setting("kie.base_url", "http://127.0.0.1:1"),
            "KIE key",
            "KIE cannot be reached (no connection to 127.0.0.1:1: ",
            "kie.base_url",
        ),
        (_no_credits, "KIE credits", "4.5 credits, which is not enough for one image", "top up"),
        (setting("kie.upload_url", "http://127.0.0.1:1"), "upload host", "cannot be reached", "kie.upload_url"),
        (setting("kie.result_hosts", ["127.0.0.1:1"]), "result hosts", "127.0.0.1:1 cannot", "kie.result_hosts"),
        (_damage, "database", "is damaged: file is not a database", "db restore"),
        (_later_version, "database", "a later version of Easel (schema 9999)", "use that version"),
        (_open_to_others, "file modes", "other users can read /", "db check"),
        (
            setting("database.url", "postgresql://easel@127.0.0.1:1/easel"),
            *("database", "easel on 127.0.0.1 cannot be reached", "database.url"),
        ),
        (setting("web.host", "192.0.2.1"), "port", "192.0.2.1:0 cannot be used", "web.host"),
        (setting("web.host", "a..b"), "port", "this machine has no such address", "web.host"),
        (setting("kie.callback_url", "https://example.org"), "callbacks", "kie.callback_key is missing", "set it"),
    ],
)
async def test_what_is_wrong_is_found(
    surroundings: Surroundings, breaks: Break, name: str, detail: str, fix: str
) -> None:
    breaks(surroundings)
    (line,) = await surroundings.failures()
    assert line.name == name
    assert detail in line.detail
    assert fix in line.fix


async def test_a_database_that_does_not_exist_yet_is_none_of_these(surroundings: Surroundings) -> None:
    surroundings.settings["database"]["url"] = f"sqlite:///{surroundings.folder}/new/easel.db"
    lines = {line.name: line.detail for line in await surroundings.check()}
    assert "does not exist yet: the first start creates it" in lines["database"]
    assert not (surroundings.folder / "new").exists()


async def test_a_full_disk_and_a_database_of_another_user(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=100_000_000)
    monkeypatch.setattr(shutil, "disk_usage", create_autospec(shutil.disk_usage, return_value=usage))
    monkeypatch.setattr(os, "access", create_autospec(os.access, return_value=False))
    disk = {line.name: line.detail for line in await surroundings.failures()}
    assert disk.keys() == {"database", "disk"}
    assert disk["disk"].startswith("100.0 MB free")
    assert "cannot be written by this user" in disk["database"]


async def test_a_domain_says_nothing_while_none_of_its_hosts_is_known(surroundings: Surroundings) -> None:
    surroundings.settings["kie"]["result_hosts"] = [".results.invalid"]
    (line,) = [line for line in await surroundings.check() if line.name == "result hosts"]
    assert line.outcome is CheckOutcome.SKIPPED
    surroundings.settings["kie"]["result_hosts"] = ["results.invalid"]
    (line,) = await surroundings.failures()
    assert line.detail == "results.invalid cannot be reached: the name results.invalid cannot be resolved"


async def test_the_age_of_the_newest_backup(surroundings: Surroundings) -> None:
    (surroundings.folder / "backups").mkdir(mode=0o700)
    for days in (9, 3):
        made = datetime.now(UTC) - timedelta(days=days)
        (surroundings.folder / "backups" / f"easel-{made:%Y%m%dT%H%M%SZ}.db").touch(0o600)
    (line,) = await surroundings.failures()
    assert (line.name, line.detail.endswith("backups is 3 days old")) == ("backup", True)
    surroundings.settings["backup"] = {"every": 0}
    assert await surroundings.failures() == []


async def test_a_port_of_another_program_and_of_a_running_bot(surroundings: Surroundings) -> None:
    surroundings.settings["web"]["port"] = int(surroundings.kie.base_url.rpartition(":")[2])
    (line,) = await surroundings.failures()
    assert (line.name, line.fix) == ("port", "stop that program, or set another web.port")
    async with serve("127.0.0.1", 0, ready=dict, callback=None) as port:
        surroundings.settings["web"]["port"] = port
        surroundings.settings["kie"] |= {"callback_url": f"http://127.0.0.1:{port}", "callback_key": "test-hmac-key"}
        lines = {line.name: line.detail for line in await surroundings.check()}
        assert await surroundings.failures() == []
    assert lines["port"].endswith("is in use by a running Easel")
    assert lines["callbacks"].endswith("reaches this bot")


@pytest.mark.parametrize("reached", [True, False])
async def test_whether_a_callback_would_arrive(surroundings: Surroundings, reached: bool) -> None:
    port = unused_port()
    url = f"http://127.0.0.1:{port}" if reached else surroundings.kie.base_url
    surroundings.settings["web"]["port"] = port
    surroundings.settings["kie"] |= {"callback_url": url, "callback_key": "test-hmac-key"}
    failures = {line.name: line for line in await surroundings.failures()}
    assert failures.keys() == (set() if reached else {"callbacks"})
    if not reached:
        assert "something else answers 404" in failures["callbacks"].detail
        assert failures["callbacks"].fix == f"have {url} forwarded to 127.0.0.1:{port}"
        surroundings.settings["kie"]["callback_url"] = "http://127.0.0.1:1"
        (line,) = await surroundings.failures()
        assert "http://127.0.0.1:1/kie/callback/0 cannot be reached from this machine" in line.detail


@pytest.mark.parametrize(
    ("ahead", "outcome", "detail"),
    [
        (None, CheckOutcome.SKIPPED, "not compared"),
        (-1.4, CheckOutcome.OK, "the same as Discord's"),
        (31.0, CheckOutcome.OK, "31 s ahead of Discord's"),
        (-412.2, CheckOutcome.FAILED, "412 s behind Discord's"),
        (61.0, CheckOutcome.FAILED, "61 s ahead of Discord's"),
    ],
)
def test_the_clock(ahead: float | None, outcome: CheckOutcome, detail: str) -> None:
    line = check_clock(ahead)
    assert line.outcome is outcome
    assert line.detail.startswith(detail)
