"""`python -m bot user` and `server`: what they ask the bot for, and the whole of an export, while the bot runs."""

import json
import random
import zipfile
from argparse import Namespace
from pathlib import Path

import pytest

from bot.cli.main import main
from bot.cli.privacy import perform
from bot.config import Config
from bot.config.sections import DatabaseConfig
from bot.domain.erasure import ErasureKind
from bot.domain.errors import OperatorError
from bot.domain.generation import Image
from bot.domain.ids import ChannelId, ImageId, MessageId
from bot.domain.states import TaskState
from bot.maintenance.export import write_export
from bot.store.store import Store
from tests.database import execute, fresh_database, sqlite_only
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import bring, keep


def config_of(folder: Path) -> Config:
    return Config(database=DatabaseConfig(url=fresh_database(folder), folder=str(folder)))


async def requests_of_alice(store: Store, number: int, length: int = 0) -> None:
    chance = random.Random(1)
    for place in range(number):
        prompt = "".join(chr(chance.randrange(0x4E00, 0x9FA0)) for _ in range(length)) or "a heron"
        generation = await keep(store, make_generation(request=make_request(prompt=f"{prompt} {place}")))
        async with store.write() as tx:
            await bring(tx, generation.tasks[0], TaskState.DELIVERED)
            image = ImageId(generation.tasks[0].id)
            posted = Image(image, generation.id, None, ChannelId(5), MessageId(image), "easel.png", NOW)
            await tx.images.add([posted])


async def test_an_export_holds_the_members_whole_history(store: Store, tmp_path: Path) -> None:
    await requests_of_alice(store, 3)
    await keep(store, make_generation(request=make_request(account=BOB)))
    file = tmp_path / "alice.zip"
    exported = await write_export(store, ALICE.user_id, file)

    assert (exported.requests, exported.total) == (3, 3)
    with zipfile.ZipFile(file) as archive:
        requests = json.loads(archive.read("requests.json"))
        movements = archive.read("credits.csv").decode().splitlines()
    assert [request["prompt"] for request in requests] == ["a heron 2", "a heron 1", "a heron 0"]
    assert requests[0]["images"][0]["outcome"] == "delivered"
    assert len(movements) == 1 + 3, "a header, and no settlements, which move nothing"


async def test_what_is_too_large_for_discord_is_shortened_to_the_newest(store: Store, tmp_path: Path) -> None:
    await requests_of_alice(store, 30, length=1_000)
    file = tmp_path / "alice.zip"
    whole = await write_export(store, ALICE.user_id, file)
    limit = file.stat().st_size // 3
    shortened = await write_export(store, ALICE.user_id, file, max_bytes=limit)

    assert whole.requests == 30
    assert 0 < shortened.requests < 15
    assert limit / 3 < file.stat().st_size <= limit
    with zipfile.ZipFile(file) as archive:
        requests = json.loads(archive.read("requests.json"))
    assert [request["prompt"].split()[-1] for request in requests[:2]] == ["29", "28"]


@pytest.mark.parametrize("kind", ErasureKind)
def test_an_erasure_is_left_to_the_bot(tmp_path: Path, kind: ErasureKind, capsys: pytest.CaptureFixture[str]) -> None:
    config = config_of(tmp_path)
    for _ in range(2):
        assert perform(Namespace(command=kind.value, action="erase", id=1 << 60), config) == 0
    assert execute(tmp_path, "SELECT kind, subject FROM erasures") == [(kind.value, 1 << 60)]
    assert f"The bot will erase the data of {kind.value} {1 << 60}" in capsys.readouterr().out


def test_an_export_is_written_to_a_new_file(tmp_path: Path) -> None:
    def export(file: Path) -> int:
        return perform(Namespace(command="user", action="export", id=1 << 60, file=file), config_of(tmp_path))

    file = tmp_path / "export.zip"
    assert export(file) == 0
    assert zipfile.is_zipfile(file)
    written = file.read_bytes()
    with pytest.raises(OperatorError, match=r"export\.zip already exists"):
        export(file)
    assert file.read_bytes() == written
    with pytest.raises(OperatorError, match="cannot be written"):
        export(tmp_path / "no" / "a.zip")


@sqlite_only
def test_a_missing_database_is_named(tmp_path: Path) -> None:
    config = Config(database=DatabaseConfig(url=f"sqlite:///{tmp_path}/none.db"))
    with pytest.raises(OperatorError, match=r"none\.db does not exist"):
        perform(Namespace(command="user", action="erase", id=1 << 60), config)


@pytest.mark.parametrize("action", ["export", "erase"])
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///{folder}/notes.db", "cannot be read: file is not a database"),
        ("postgresql://easel@/easel?host={folder}", "easel on .* cannot be reached: .*No such file"),
    ],
)
def test_a_database_that_is_none_or_has_stopped_is_one_sentence(
    tmp_path: Path, url: str, message: str, action: str
) -> None:
    (tmp_path / "notes.db").write_text("# Not a database\n" * 100)
    config = Config(database=DatabaseConfig(url=url.format(folder=tmp_path)))
    with pytest.raises(OperatorError, match=message):
        perform(Namespace(command="user", action=action, id=1 << 60, file=None), config)


@pytest.mark.parametrize("text", ["alice", "5", "-1", str(1 << 63)])
def test_what_is_no_id_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["user", "erase", text])
    assert "is not a Discord id" in capsys.readouterr().err or text == "-1"
