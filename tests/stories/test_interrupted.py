"""A process that ended before it had accepted a request: the next one says so on any card that it can reach."""

import asyncio
from itertools import count

import aiohttp
import discord
import pytest

from bot.domain.generation import PendingCard
from bot.domain.ids import MessageId
from bot.ui import interrupted
from bot.ui.cards import RED
from bot.ui.texts.cards import INTERRUPTED
from tests.stories.images import png
from tests.stories.pending_cards import forget_message_ids, pending_cards
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, response_of
from tests.waiting import until

ATTACHED = [("sketch.png", png())]
NOT_AN_IMAGE = [("a.png", b"no image")]


@pytest.fixture
def dying(world: StoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is accepted and nothing is said of it: it breaks off as when the process is killed."""

    async def cut_off(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(world.app.client.services.generations, "accept", cut_off)
    monkeypatch.setattr("bot.ui.interrupted._LOOK_AGAIN", 0)


async def kill(world: StoryWorld) -> None:
    """The process ends without a word, and the next one has done what it can."""
    await world.bot.restart(world.env)
    await until(lambda: not pending_cards(world), what="the cards to be seen to")
    await world.rest()


@pytest.mark.usefixtures("dying")
@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("known", [True, False], ids=["id known", "id unknown"])
async def test_the_answer_to_a_command_says_so(world: StoryWorld, *, private: bool, known: bool) -> None:
    command = await world.imagine(private=private)
    assert rendered(response_of(command)).thinking
    if not known:
        forget_message_ids(world)
    await kill(world)

    answers = [rendered(message) for message in [response_of(command), *command.followups]]
    (card,) = [answer for answer in answers if not answer.thinking]
    assert (card.texts[0], card.colour, card.ephemeral) == (INTERRUPTED, RED, private)
    assert card.small_print == [world.alice.mention]
    world.check_nothing_started()
    await world.delivered()
    assert world.ledger(world.alice) == PAID


@pytest.mark.usefixtures("dying")
async def test_when_the_token_has_expired_it_is_a_new_message(world: StoryWorld) -> None:
    await world.imagine()
    await world.env.advance_time(16 * 60)
    world.clock.advance(16 * 60)
    await kill(world)

    (message,) = world.messages()
    assert message.content == f"{world.alice.mention} {INTERRUPTED}"
    (sent,) = world.calls("POST", f"/channels/{world.channel.id}/messages")
    assert sent.json is not None
    assert sent.json["allowed_mentions"] == {"parse": [], "users": [world.alice.id]}
    world.check_nothing_started()


@pytest.mark.usefixtures("dying")
@pytest.mark.parametrize("obstacle", ["private", "unknown", "gone", "closed"])
async def test_where_nothing_can_be_reached_it_is_let_go(world: StoryWorld, obstacle: str) -> None:
    command = await world.imagine(private=obstacle == "private")
    await world.env.advance_time(16 * 60)
    world.clock.advance(16 * 60)
    if obstacle == "unknown":
        forget_message_ids(world)
    if obstacle == "gone":
        await world.admin.delete(response_of(command))
    if obstacle == "closed":
        world.env.inject_error("*", "/channels/*/messages*", status=403, code=50001, times=2)
    await kill(world)

    assert len(world.calls("POST", "/messages")) == (obstacle == "closed")
    assert world.env.backend.faults == []
    world.check_nothing_started()


@pytest.mark.usefixtures("dying")
@pytest.mark.parametrize("known", [True, False], ids=["id known", "id unknown"])
async def test_the_answers_to_messages_say_so(world: StoryWorld, *, known: bool) -> None:
    messages = [await world.mention_bot("at night", by=who, attachments=ATTACHED) for who in (world.alice, world.bob)]
    cards = [card.id for message in messages for card in world.answers(message)]
    if not known:
        forget_message_ids(world)
    # However late: the bot's own message can be edited for ever.
    world.clock.advance(24 * 3600)
    await kill(world)

    answers = [(answer.id, rendered(answer).texts[0]) for message in messages for answer in world.answers(message)]
    assert answers == [(card, INTERRUPTED) for card in cards]
    assert len(cards) == 2
    world.check_nothing_started()
    assert len(rendered(await world.answer(await world.mention_bot("at night", attachments=ATTACHED))).images) == 1


@pytest.mark.usefixtures("dying")
async def test_a_card_that_a_hung_process_posts_late_is_found(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    message, find, looks = await world.mention_bot("at night", attachments=ATTACHED), interrupted.find_card, count()

    async def late(client: discord.Client, pending: PendingCard) -> MessageId | None:
        return await find(client, pending) if next(looks) else None

    monkeypatch.setattr(interrupted, "find_card", late)
    forget_message_ids(world)
    await kill(world)

    assert [rendered(answer).texts[0] for answer in world.answers(message)] == [INTERRUPTED]


@pytest.mark.usefixtures("dying")
async def test_a_message_that_was_never_answered_is_let_go(world: StoryWorld) -> None:
    message = await world.mention_bot("at night", attachments=ATTACHED)
    (card,) = world.answers(message)
    await world.admin.delete(card)
    await world.bob.send(world.channel, "nice", reply_to=message)
    await world.mention_bot("help", by=world.bob)
    forget_message_ids(world)
    await kill(world)

    assert len(world.messages()) == 4, "Alice's message, two of Bob's, and the bot's answer to the last"
    assert world.calls("PATCH") == [], "no other answer is taken for that card"
    world.check_nothing_started()


@pytest.mark.usefixtures("dying")
async def test_several_cards_are_all_seen_to(world: StoryWorld) -> None:
    first, second = await world.imagine("one"), await world.imagine("two", by=world.bob)
    third = await world.mention_bot("three", attachments=ATTACHED)
    await world.admin.delete(response_of(first))
    await kill(world)

    assert rendered(response_of(second)).texts[0] == INTERRUPTED
    assert [rendered(answer).texts[0] for answer in world.answers(third)] == [INTERRUPTED]


async def test_what_came_to_an_end_leaves_nothing_pending(world: StoryWorld) -> None:
    await world.delivered()
    world.refusal(await world.imagine("ab "))
    for attached in (ATTACHED, NOT_AN_IMAGE):
        await world.answer(await world.mention_bot("at night", attachments=attached))

    assert pending_cards(world) == []


@pytest.mark.parametrize("error", [aiohttp.ClientConnectionError(), RuntimeError("Session is closed")], ids=repr)
async def test_a_refusal_that_did_not_reach_discord_is_made_up_for(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def unreachable(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("bot.ui.replies.refuse", unreachable)
    if isinstance(error, RuntimeError):
        world.expected_logs.append("unexpected error")
    message = await world.mention_bot("at night", attachments=NOT_AN_IMAGE)
    assert len(pending_cards(world)) == 1
    await kill(world)

    assert [rendered(answer).texts[0] for answer in world.answers(message)] == [INTERRUPTED]
    world.check_nothing_started()
