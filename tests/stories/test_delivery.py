"""Where the outcome goes when Discord does not take it on the card, and who pays."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import discord
import pytest
import simcord

from bot.cluster.leader import Leadership
from bot.domain.delivery_errors import DeliveryFailed
from bot.domain.ports import Card, ImageFile
from bot.domain.states import TaskState
from bot.generation.late_edits import show_outcome_again
from bot.ui import message_sender
from bot.ui.cards import GREEN
from demo.kie import Code, Fail
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import PAID, REFUNDED, Movements, StoryWorld, bot_with, response_of
from tests.waiting import until

CARD = "/webhooks/*"
NOWHERE_TO_POST = "generation given up: nowhere to post it"
TOKEN_EXPIRED_AFTER = 16 * 60

pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.generation.delivery._BACKOFF", (0.01,))


async def start(world: StoryWorld, *, private: bool = False) -> simcord.InteractionResult:
    """A request of Alice's that KIE works on until :func:`finish`."""
    world.kie.script.always("recordInfo", Code(200, "success", {}))
    command = await world.imagine("a red fox", private=private)
    await world.in_progress(command)
    await world.rest()
    return command


async def finish(world: StoryWorld, movements: Movements = PAID) -> None:
    """KIE finishes; wait for the credits to come to rest."""
    world.kie.script.clear()
    await until(lambda: world.ledger(world.alice) == movements, what=f"the ledger to be {movements}")
    await world.rest()


def direct_messages(world: StoryWorld) -> list[Rendered]:
    return [rendered(message) for message in world.alice.user.dm_channel.history()]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *[(status, 0) for status in (400, 401, 403, 404, 405, 429, 500, 503)],
        *[(401, 50014), (403, 40333), (403, 1020), (429, 20028), (503, 130000)],
        *[(413, 0), (413, 40005), (400, 40005)],
    ],
)
async def test_what_may_pass_or_can_be_fixed_ends_on_the_card(world: StoryWorld, status: int, code: int) -> None:
    command = await start(world)
    world.env.inject_error("PATCH", CARD, status=status, code=code)
    await finish(world)

    assert len(rendered(response_of(command)).images) == 1
    assert len(world.messages()) == 1
    assert world.env.backend.faults == []


async def test_a_proxy_that_finds_every_size_too_large_costs_no_image(world: StoryWorld) -> None:
    command = await start(world)
    world.env.inject_error("PATCH", CARD, status=413, code=0, times=60)
    await finish(world)

    assert len(rendered(response_of(command)).images) == 1
    assert len(world.messages()) == 1
    assert world.env.backend.faults == []


async def test_a_post_that_hangs_is_given_up_and_made_again(world: StoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    command = await start(world)
    open_files: Callable[[Sequence[ImageFile], str], Awaitable[list[discord.File]]] = message_sender.open_files
    hung: list[str] = []

    async def hang_once(images: Sequence[ImageFile], alt_text: str) -> list[discord.File]:
        if not hung:
            hung.append(alt_text)
            await asyncio.Event().wait()
        return await open_files(images, alt_text)

    monkeypatch.setattr("bot.ui.message_sender.open_files", hang_once)
    monkeypatch.setattr("bot.ui.message_sender._DELIVERY_TIMEOUT", 0.5)
    await finish(world)

    assert len(hung) == 1
    assert len(rendered(response_of(command)).images) == 1


async def test_what_hangs_until_the_lease_may_have_run_out_is_given_up(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process was stopped in the middle: by then another one may have finished the card."""
    command = await start(world)
    async with world.app.runtime.store.read() as tx:
        (task,) = await tx.tasks.in_states([TaskState.RUNNING])
        generation = await tx.generations.get(task.generation_id)
    assert generation is not None
    card = Card(generation, position=None, ready_at=None)
    with monkeypatch.context() as patch:
        patch.setattr(type(world.app.pipeline.workload.leadership), "while_sure", run_out)
        patch.setattr("bot.ui.message_sender._PROGRESS_TIMEOUT", 60)
        for name in ("open_files", "leave_out_words"):
            patch.setattr(f"bot.ui.message_sender.{name}", hang)
        async with asyncio.timeout(10):
            await world.app.sender.show(card)
            with pytest.raises(DeliveryFailed):
                await world.app.sender.deliver(card, [])
    await finish(world)
    assert len(rendered(response_of(command)).images) == 1


@pytest.mark.parametrize("reachable", [True, False])
async def test_an_outcome_under_progress_that_came_too_late_is_shown_again(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    """As when the process was stopped within an edit, which reaches Discord after another one's outcome."""
    monkeypatch.setattr("bot.generation.late_edits._EDITED_AFTER", 0)
    command = await start(world)
    async with world.app.runtime.store.read() as tx:
        (task,) = await tx.tasks.in_states([TaskState.RUNNING])
        generation = await tx.generations.get(task.generation_id)
    assert generation is not None
    store, sender = world.app.runtime.store, world.app.sender
    await show_outcome_again(store, sender, generation.id)
    assert not rendered(response_of(command)).images
    await finish(world)
    outcome = rendered(response_of(command))
    await sender.show(Card(generation, position=None, ready_at=None))
    assert not rendered(response_of(command)).images
    if not reachable:
        world.env.inject_error("PATCH", CARD, status=404, code=10015)
    await show_outcome_again(store, sender, generation.id)
    assert (rendered(response_of(command)) == outcome) is reachable


def run_out(_: Leadership) -> asyncio.Timeout:
    return asyncio.timeout(0)


async def hang(*_: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *[(401, 50027), (404, 10015), (404, 10008), (403, 50001)],
        *[(400, 50083), (400, 30046), (429, 30046), (429, 20022), (400, 160005), (400, 59999), (404, 19999)],
    ],
)
async def test_a_card_out_of_reach_is_posted_again_in_the_channel(world: StoryWorld, status: int, code: int) -> None:
    await start(world)
    world.env.inject_error("PATCH", CARD, status=status, code=code)
    await finish(world)

    (message,) = world.messages()
    assert len(rendered(message).images) == 1
    assert message.interaction_metadata is None


@bot_with(deadline=3600)
@pytest.mark.parametrize("expected", [False, True], ids=["unexpectedly", "as expected"])
async def test_an_expired_token_moves_the_image_to_a_new_message(world: StoryWorld, *, expected: bool) -> None:
    old = response_of(await start(world))
    edits = len(world.calls("PATCH"))
    await world.env.advance_time(TOKEN_EXPIRED_AFTER)
    if expected:
        world.clock.advance(TOKEN_EXPIRED_AFTER)
    await finish(world)

    (message,) = world.messages()
    card = rendered(message)
    assert message.id != old.id
    assert (card.headline, card.colour, len(card.images)) == ("**a red fox**", GREEN, 1)
    assert card.small_print[0] == world.alice.mention
    (post,) = world.calls("POST", f"/channels/{world.channel.id}/messages")
    assert post.json is not None
    assert post.json["allowed_mentions"] == {"parse": [], "users": [world.alice.id]}
    assert post.json["enforce_nonce"] is True
    # A token that has expired by the bot's own clock is not even tried.
    assert len(world.calls("PATCH")) == edits + (not expected)


async def test_a_clock_that_was_set_forward_ends_no_token(world: StoryWorld) -> None:
    old = response_of(await start(world))
    world.clock.set(TOKEN_EXPIRED_AFTER)
    await finish(world)

    (message,) = world.messages()
    assert (message.id, len(rendered(message).images)) == (old.id, 1)


async def test_a_card_deleted_meanwhile_is_posted_again(world: StoryWorld) -> None:
    await world.admin.delete(response_of(await start(world)))
    await finish(world)

    assert [len(rendered(message).images) for message in world.messages()] == [1]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *[(403, 50001), (403, 50013), (404, 10003)],
        *[(400, 50083), (403, 160005), (400, 30033), (400, 20009), (403, 20024), (400, 40058)],
    ],
)
async def test_a_closed_channel_is_left_for_a_direct_message(world: StoryWorld, status: int, code: int) -> None:
    await start(world)
    world.env.inject_error("PATCH", CARD, status=401, code=50027)
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=status, code=code, times=2)
    await finish(world)

    assert [len(message.images) for message in direct_messages(world)] == [1]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_a_proxy_says_of_a_channel_is_not_believed(world: StoryWorld, status: int) -> None:
    await start(world)
    world.env.inject_error("PATCH", CARD, status=401, code=50027, times=None)
    world.env.inject_error("POST", "/channels/*/messages", status=status, times=3)
    await finish(world)

    assert [len(rendered(message).images) for message in world.messages()] == [1]
    assert direct_messages(world) == []


@pytest.mark.parametrize("private", [False, True], ids=["in the channel", "directly"])
async def test_a_failure_in_a_new_message_pings_its_requester(world: StoryWorld, *, private: bool) -> None:
    world.kie.script.next_tasks(Fail("422", "flagged as sensitive"))
    await start(world, private=private)
    world.env.inject_error("PATCH", CARD, status=400, code=50083)
    await finish(world, REFUNDED)
    await until(lambda: direct_messages(world) or world.messages(), what="the failure")

    (card,) = direct_messages(world) if private else [rendered(message) for message in world.messages()]
    assert card.notes == ["The safety filter blocked this. Try rewording it. Nothing was charged."]
    assert card.small_print[0] == world.alice.mention
    (post,) = world.calls("POST", "/messages")
    assert post.json is not None
    assert post.json["allowed_mentions"] == {"parse": [], "users": [world.alice.id]}


@pytest.mark.parametrize("place", ["deleted channel", "deleted server", "private"])
async def test_a_place_that_is_gone_or_was_private_is_left_for_a_direct_message(world: StoryWorld, place: str) -> None:
    await start(world, private=place == "private")
    await world.env.advance_time(TOKEN_EXPIRED_AFTER)
    if place == "deleted channel":
        world.env.backend.delete_channel(world.channel.id)
    if place == "deleted server":
        world.env.backend.remove_guild(world.env.guild.id)
    await finish(world)

    assert [len(message.images) for message in direct_messages(world)] == [1]
    if place == "private":
        assert world.messages() == []


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
async def test_whom_nothing_reaches_gets_it_at_the_next_command(world: StoryWorld, *, private: bool) -> None:
    world.expected_logs.append(NOWHERE_TO_POST)
    await start(world, private=private)
    world.env.inject_error("PATCH", CARD, status=401, code=50027, times=None)
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=50007, times=None)
    await finish(world, PAID[:1])
    await until(world.undelivered, what="the image to wait for a command")
    await world.rest()
    world.env.backend.faults.clear()

    assert direct_messages(world) == []
    assert await handed_over(world)


async def test_a_post_that_discord_finds_invalid_is_told_in_words_and_kept(world: StoryWorld) -> None:
    world.expected_logs.append(NOWHERE_TO_POST)
    command = await start(world)
    world.env.inject_error("PATCH", CARD, status=400, code=50035, times=2)
    world.env.inject_error("POST", "/channels/*/messages", status=400, code=50035, times=2)
    await finish(world, PAID[:1])
    await until(world.undelivered, what="the image to wait for a command")
    await world.rest()

    assert rendered(response_of(command)).notes == [
        "I couldn't post the image here. You'll get it with your next command and pay for it only then."
    ]
    assert await handed_over(world)
    await world.rest()
    assert world.ledger(world.alice) == PAID


@pytest.mark.parametrize(("status", "code"), [(500, 0), (404, 10008)])
async def test_progress_that_cannot_be_shown_changes_nothing(world: StoryWorld, status: int, code: int) -> None:
    with world.unfinished():
        world.env.inject_error("PATCH", CARD, status=status, code=code, times=None)
        command = await world.imagine("a red fox")
        await until(lambda: len(world.kie.tasks) == 1, what="KIE to be asked")
        await world.rest()
        world.env.backend.faults.clear()
    await finish(world)

    assert len(rendered(response_of(command)).images) == 1


async def handed_over(world: StoryWorld) -> bool:
    """Whether Alice's next command brings the image."""
    command = await world.alice.slash(world.channel, "balance")
    (message,) = await until(lambda: command.followups, what="the image")
    return len(rendered(message).images) == 1
