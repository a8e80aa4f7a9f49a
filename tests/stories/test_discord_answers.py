"""What Discord may answer to the post that ends a wish: where the picture goes then, and who pays."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from operator import attrgetter

import discord
import pytest
import simcord

from bot.domain.ports import Card, ImageFile
from bot.ui import message_sender
from demo.kie import Code
from tests.stories.asked import PAID
from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage
from tests.waiting import until

IN_VAIN = [("reserve", Decimal(-5)), ("goodwill", Decimal(5))]
CARD, CHANNEL = "/webhooks/*", "/channels/{channel}/messages"

pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.generation.delivery._BACKOFF", (0.01,))


async def painting(stage: Stage, *, private: bool = False) -> simcord.InteractionResult:
    """A wish of Alice's that KIE is at, until :func:`finish`."""
    stage.kie.script.always("recordInfo", Code(200, "success", {}))
    asked = await stage.imagine("a red fox", private=private)
    response = asked.response
    assert response is not None
    await until(lambda: "🎨" in seen(response).text and not seen(response).buttons, what="KIE to paint")
    await stage.rest()
    return asked


async def finish(stage: Stage, paid: list[tuple[str, Decimal]]) -> None:
    """KIE finishes; wait for the credits to come to rest."""
    stage.kie.script.clear()
    await until(lambda: stage.ledger(stage.alice) == paid, what=f"the ledger to be {paid}")
    await stage.rest()


def letters(stage: Stage) -> list[Seen]:
    return [seen(one) for one in stage.alice.user.dm_channel.history()]


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, 0), (429, 0), (413, 40005), (400, 40005)],
)
async def test_what_may_pass_or_be_mended_ends_on_the_card(stage: Stage, status: int, code: int) -> None:
    asked = await painting(stage)
    stage.env.inject_error("PATCH", CARD, status=status, code=code)
    await finish(stage, PAID)

    assert asked.response is not None
    assert len(seen(asked.response).pictures) == 1
    assert len(stage.cards()) == 1
    assert stage.env.backend.faults == []


async def test_a_post_that_hangs_is_given_up_and_made_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = await painting(stage)
    opened: Callable[[Card, Sequence[ImageFile]], Awaitable[list[discord.File]]] = attrgetter("_files")(message_sender)
    hung: list[Card] = []

    async def hang_once(card: Card, images: Sequence[ImageFile]) -> list[discord.File]:
        if not hung:
            hung.append(card)
            await asyncio.Event().wait()
        return await opened(card, images)

    monkeypatch.setattr("bot.ui.message_sender._files", hang_once)
    monkeypatch.setattr("bot.ui.message_sender._DELIVER_SECONDS", 0.5)
    await finish(stage, PAID)

    assert len(hung) == 1
    assert asked.response is not None
    assert len(seen(asked.response).pictures) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 50027), (404, 10015), (404, 10008), (403, 50001)],
    ids=["invalid token", "unknown webhook", "unknown message", "missing access"],
)
async def test_a_card_out_of_reach_is_posted_anew_in_the_channel(stage: Stage, status: int, code: int) -> None:
    await painting(stage)
    stage.env.inject_error("PATCH", CARD, status=status, code=code)
    await finish(stage, PAID)

    (post,) = stage.cards()
    assert len(seen(post).pictures) == 1
    assert post.interaction_metadata is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, 50001), (403, 50013), (404, 10003)],
    ids=["missing access", "missing permissions", "unknown channel"],
)
async def test_a_closed_channel_is_left_for_a_direct_message(stage: Stage, status: int, code: int) -> None:
    await painting(stage)
    stage.env.inject_error("PATCH", CARD, status=401, code=50027)
    stage.env.inject_error("POST", CHANNEL.format(channel=stage.channel.id), status=status, code=code)
    await finish(stage, PAID)

    assert [len(one.pictures) for one in letters(stage)] == [1]


@pytest.mark.parametrize("gone", ["channel", "server"])
async def test_what_was_deleted_meanwhile_is_left_for_a_direct_message(stage: Stage, gone: str) -> None:
    await painting(stage)
    await stage.env.advance_time(16 * 60)
    backend = stage.env.backend
    deleted: Callable[[], None] = {
        "channel": lambda: backend.delete_channel(stage.channel.id),
        "server": lambda: backend.remove_guild(stage.env.guild.id),
    }[gone]
    deleted()
    await finish(stage, PAID)

    assert [len(one.pictures) for one in letters(stage)] == [1]


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
async def test_whom_nothing_reaches_is_told_at_the_next_command(stage: Stage, *, private: bool) -> None:
    stage.expected_logs.append("generation given up: nowhere to post it")
    await painting(stage, private=private)
    stage.env.inject_error("PATCH", CARD, status=401, code=50027, times=None)
    stage.env.inject_error("POST", "/channels/*/messages", status=403, code=50007, times=None)
    await finish(stage, IN_VAIN)
    stage.env.backend.faults.clear()

    assert letters(stage) == []
    asked = await stage.alice.slash(stage.channel, "balance")
    (handed_over,) = await until(lambda: asked.followups, what="the picture")
    assert len(seen(handed_over).pictures) == 1


async def test_a_post_that_discord_finds_wrong_is_told_in_words_and_kept(stage: Stage) -> None:
    stage.expected_logs.append("generation given up: nowhere to post it")
    asked = await painting(stage)
    stage.env.inject_error("PATCH", CARD, status=400, code=50035)
    await finish(stage, IN_VAIN)

    assert asked.response is not None
    assert seen(asked.response).texts[-1] == "The picture could not be posted here. Nothing was charged."
    again = await stage.alice.slash(stage.channel, "balance")
    (handed_over,) = await until(lambda: again.followups, what="the picture")
    assert len(seen(handed_over).pictures) == 1


@pytest.mark.parametrize(("status", "code"), [(500, 0), (404, 10008)])
async def test_progress_that_cannot_be_shown_changes_nothing(stage: Stage, status: int, code: int) -> None:
    stage.kie.script.always("recordInfo", Code(200, "success", {}))
    stage.env.inject_error("PATCH", CARD, status=status, code=code, times=None)
    asked = await stage.imagine("a red fox")
    await until(lambda: len(stage.kie.tasks) == 1, what="KIE to be asked")
    await stage.rest()
    stage.env.backend.faults.clear()
    await finish(stage, PAID)

    assert asked.response is not None
    assert len(seen(asked.response).pictures) == 1
