"""/privacy: members see what is stored about them, download it, and erase it."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
import simcord

from bot.domain.erasure import ERASED_MEMBER
from bot.store.audit import audit
from bot.store.tables import metadata
from tests.database import ON_POSTGRESQL, execute, fresh_database
from tests.stories.components import EXPIRED, NOT_YOURS, custom_id_of, press_forged, private_answer
from tests.stories.images import fetched, png
from tests.stories.quota_actions import quota
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import PAID, StoryWorld, balance, bot_with, response_of
from tests.waiting import until

SECRET = "an unmistakable heron named Ottoline"
PHOTO = ("ottoline.png", png((10, 200, 90)))
NEXT_MONTH = timedelta(days=34)


async def grant(world: StoryWorld, reason: str) -> None:
    """The admin gives Alice bonus credits."""
    await quota(world, "grant", member=world.alice, credits=20, reason=reason)


async def open_panel(world: StoryWorld, member: simcord.MemberActor) -> simcord.InteractionResult:
    return await member.slash(world.channel, "privacy")


async def erase(world: StoryWorld, member: simcord.MemberActor) -> None:
    """Both presses; the bot then works on it."""
    panel = response_of(await open_panel(world, member))
    await member.click(panel, label="Erase my data…")
    await member.click(panel, label="Erase everything")
    assert rendered(panel).headline.startswith("### Erasing your data")


async def panel_once_erased(world: StoryWorld, member: simcord.MemberActor) -> Rendered:
    def is_erased() -> bool:
        return bool(execute(world.folder, "SELECT 1 FROM erasures WHERE erased_at IS NOT NULL"))

    await until(is_erased, what="the data to be erased")
    return rendered(response_of(await open_panel(world, member)))


async def erased(world: StoryWorld, member: simcord.MemberActor) -> Rendered:
    await erase(world, member)
    return await panel_once_erased(world, member)


async def months_later(world: StoryWorld) -> None:
    """The running periods are over, and the nightly look has taken place."""
    world.clock.advance(NEXT_MONTH.total_seconds())
    await world.app.eraser.work()


def places_of(world: StoryWorld, words: str) -> set[str]:
    """The tables with a row that contains these words, and the files that do."""
    tables = {
        table.name
        for table in metadata.sorted_tables
        for row in execute(world.folder, f"SELECT * FROM {table.name}")
        if words in repr(row)
    }
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    return tables | {path.name for path in files if not ON_POSTGRESQL and words.encode() in path.read_bytes()}


def kept_images(world: StoryWorld) -> int:
    if ON_POSTGRESQL:
        return len(execute(world.folder, "SELECT 1 FROM reference_images"))
    return len(list((world.folder / "references").iterdir()))


async def exported(world: StoryWorld, member: simcord.MemberActor) -> dict[str, str]:
    """The files of the export by name."""
    panel = response_of(await open_panel(world, member))
    pressed = await member.click(panel, label="Download my data")
    answer = response_of(pressed)
    assert answer.ephemeral
    (attachment,) = answer.message.attachments
    with zipfile.ZipFile(io.BytesIO(await fetched(attachment.url))) as archive:
        return {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}


async def test_an_export_has_all_of_the_members_own_and_nothing_of_others(world: StoryWorld) -> None:
    await world.delivered("a heron; =1+1", image=PHOTO)
    await world.delivered("of bob's", by=world.bob)
    await grant(world, "for the heron")
    await world.outcome(await world.imagine("in private", private=True))
    files = await exported(world, world.alice)

    requests: list[dict[str, Any]] = json.loads(files["requests.json"])
    assert [request["prompt"] for request in requests] == ["in private", "a heron; =1+1"]
    assert requests[1]["attached_images"] == ["ottoline.png"]
    assert requests[0]["link"] is None
    place = f"https://discord.com/channels/{world.env.guild.id}/{world.channel.id}/"
    assert requests[1]["link"] == requests[1]["images"][0]["link"]
    assert str(requests[1]["link"]).startswith(place)
    rows = list(csv.DictReader(io.StringIO(files["requests.csv"])))
    assert [row["prompt"] for row in rows] == ["in private", "a heron =1+1"]
    movements = list(csv.DictReader(io.StringIO(files["credits.csv"])))
    assert [(row["movement"], row["credits"], row["reason"]) for row in movements][-2:] == [
        ("grant", "20", "for the heron"),
        ("reserve", "-5", ""),
    ]
    everything = "".join(files.values())
    assert "of bob's" not in everything
    assert not {str(world.bob.id), str(world.admin.id)} & set(everything.replace('"', " ").replace(",", " ").split())


async def test_one_export_in_ten_minutes(world: StoryWorld) -> None:
    await exported(world, world.alice)
    panel = response_of(await open_panel(world, world.alice))
    again = await world.alice.click(panel, label="Download my data")
    assert world.refusal(again).text.startswith("You have just exported your data. You can do it again <t:")
    assert "0 requests" in rendered(response_of(await open_panel(world, world.bob))).text
    await exported(world, world.bob)


async def test_what_was_erased_is_nowhere(world: StoryWorld) -> None:
    await world.delivered(SECRET, image=PHOTO)
    card = world.messages()[0]
    await world.delivered("of bob's", by=world.bob, image=("other.png", png((1, 2, 3))))
    assert {"generations"} <= places_of(world, "Ottoline")
    panel = await erased(world, world.alice)

    assert "**Your 0 requests:**" in panel.text
    assert "✅ **Erased**" in panel.text
    for words in ("Ottoline", "ottoline", str(card.id)):
        await until(lambda words=words: not places_of(world, words), what=f"{words} to be gone")
    assert kept_images(world) == 1, "Bob's"
    assert places_of(world, "of bob's") >= {"generations"}
    files = {"easel.db", "easel.db-wal"}
    named = {"ledger", "ledger_totals", "generations", "tasks", "erasures"}
    assert places_of(world, str(world.alice.id)) - files == named
    assert private_answer(await world.alice.click(card, label="Again")).text == EXPIRED
    assert world.ledger(world.alice) == PAID
    assert list(audit(fresh_database(world.folder), world.clock.now())) == []

    await months_later(world)
    assert places_of(world, str(world.alice.id)) - files == set()
    assert execute(world.folder, "SELECT DISTINCT user_id FROM ledger ORDER BY user_id") == [
        (ERASED_MEMBER,),
        (world.bob.id,),
    ]
    assert list(audit(fresh_database(world.folder), world.clock.now())) == []


@bot_with(credits=5)
async def test_erasing_refills_no_credits_and_takes_the_bonus(world: StoryWorld) -> None:
    await grant(world, "for Ottoline")
    for _ in range(3):
        await world.delivered("once more")
    assert "**0** of 5 credits left today" in (await balance(world, world.alice)).text
    assert "**10 bonus credits**" in (await balance(world, world.alice)).text
    for _ in range(2):
        await erased(world, world.alice)
        shown = (await balance(world, world.alice)).text
        assert "**0** of 5 credits left today" in shown
        assert "−10 bonus credits: all data was erased" in shown
    assert "This costs 5 credits, but you have 0." in world.refusal(await world.imagine("again")).text
    assert list(audit(fresh_database(world.folder), world.clock.now())) == []

    world.clock.advance(timedelta(days=1).total_seconds())
    await world.delivered("the next day")
    await months_later(world)
    assert world.ledger(world.alice) == PAID, "what came after stays"
    assert list(audit(fresh_database(world.folder), world.clock.now())) == []


@bot_with(new_tasks=1, new_tasks_window=600)
async def test_what_waits_is_cancelled_and_what_is_made_is_finished(world: StoryWorld) -> None:
    with world.unfinished():
        first = await world.imagine(SECRET)
        await world.in_progress(first)
        second = await world.imagine(SECRET)
        panel = response_of(await open_panel(world, world.alice))
        await world.alice.click(panel, label="Erase my data…")
        assert "What hasn't started (1 request) is cancelled and refunded" in rendered(panel).text
        await world.alice.click(panel, label="Erase everything")
        assert (await world.outcome(second)).notes == ["Cancelled. Nothing was charged."]
        refused = await world.imagine("a new one")
        assert world.refusal(refused).text.startswith("Data is being erased right now.")
        waiting = rendered(response_of(await open_panel(world, world.alice)))
        assert "⏳ **Being erased**" in waiting.text
        assert waiting.buttons == ("Download my data",)
    assert len((await world.outcome(first)).images) == 1
    await world.app.eraser.work()
    await panel_once_erased(world, world.alice)
    await until(lambda: not places_of(world, "Ottoline"), what="the words to be gone")
    assert sorted(movement for movement, _ in world.ledger(world.alice)) == ["refund", "reserve", "reserve", "settle"]


async def test_the_next_process_finishes_what_was_begun(world: StoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.delivered(SECRET, image=PHOTO)

    attempts: list[object] = []

    async def die(_: object, digests: object) -> None:
        attempts.append(digests)
        raise OSError("the process was killed")

    world.expected_logs.append("erasure held up: a file cannot be removed")
    monkeypatch.setattr("bot.media.reference_cache.ReferenceCache.remove", die)
    monkeypatch.setattr("bot.generation.reference_table.ReferenceTable.remove", die)
    await erase(world, world.alice)
    await until(lambda: attempts, what="the first attempt")
    monkeypatch.undo()
    assert places_of(world, "Ottoline")
    await world.restart()
    await panel_once_erased(world, world.alice)
    await until(lambda: not places_of(world, "Ottoline"), what="the words to be gone")
    assert kept_images(world) == 0


async def test_the_panel_works_after_restarts_and_a_second_press_changes_nothing(world: StoryWorld) -> None:
    await world.delivered(SECRET)
    panel = response_of(await open_panel(world, world.alice))
    await world.restart()
    await world.alice.click(panel, label="Erase my data…")
    pressed = custom_id_of(panel, "Erase everything")
    await world.restart()
    await world.alice.click(panel, label="Erase everything")
    await panel_once_erased(world, world.alice)
    erasures = "SELECT kind, subject FROM erasures"
    for _ in range(2):
        await press_forged(world, world.alice, panel, pressed)
        assert rendered(panel).headline.startswith("### Erasing your data")
        assert execute(world.folder, erasures) == [("user", world.alice.id)]
    await panel_once_erased(world, world.alice)
    assert world.ledger(world.alice) == PAID
    assert list(audit(fresh_database(world.folder), world.clock.now())) == []


async def test_nobody_else_presses(world: StoryWorld) -> None:
    await world.delivered(SECRET)
    panel = response_of(await open_panel(world, world.alice))

    async def forged(*labels: str) -> list[str]:
        presses = [await press_forged(world, world.bob, panel, custom_id_of(panel, label)) for label in labels]
        return [private_answer(pressed).text for pressed in presses]

    assert await forged("Download my data", "Erase my data…") == [NOT_YOURS] * 2
    await world.alice.click(panel, label="Erase my data…")
    assert await forged("Erase everything", "Keep everything") == [NOT_YOURS] * 2
    await world.alice.click(panel, label="Keep everything")
    assert "**Your 1 request:**" in rendered(panel).text
    assert execute(world.folder, "SELECT 1 FROM erasures") == []


async def test_a_private_image_is_taken_back_from_those_who_repeat_it(world: StoryWorld) -> None:
    await world.delivered(SECRET, image=PHOTO)
    card = world.messages()[0]
    pressed = await world.bob.click(card, label="Again")
    await world.outcome(pressed)
    await erased(world, world.alice)

    assert kept_images(world) == 0
    await until(lambda: not places_of(world, "ottoline.png"), what="SQLite's log to be emptied")
    again = await world.bob.click(response_of(pressed), label="Again")
    assert world.refusal(again).text.startswith("The images this was made from are no longer stored.")
