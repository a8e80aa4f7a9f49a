"""A process that ended before it had accepted a wish: the next one says so on whatever card is still there."""

import asyncio
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from pydantic import TypeAdapter

from bot.domain.generation import PendingCard
from bot.generation.pending_cards import read_pending_cards
from bot.ui.cards import RED
from tests.kie.schema import caused
from tests.stories.asked import PAID
from tests.stories.pictures import png
from tests.stories.seen import seen
from tests.stories.stage import Stage
from tests.waiting import until

INTERRUPTED = "I was restarted before I could start on this. Nothing was charged. Please send it again."
ATTACHED = [("sketch.png", png())]


def openings(stage: Stage) -> list[PendingCard]:
    """The cards that are written down."""
    return read_pending_cards(_journal(stage))


def forget_the_cards(stage: Stage) -> None:
    """As when the process ends while Discord has the cards and its answers are still on the way."""
    nameless = [
        replace(opening, destination=replace(opening.destination, message_id=None)) for opening in openings(stage)
    ]
    _journal(stage).write_bytes(b"".join(TypeAdapter(PendingCard).dump_json(opening) + b"\n" for opening in nameless))


def _journal(stage: Stage) -> Path:
    return stage.database.parent / "openings.journal"


def dying(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no wish is accepted, nor is anything said of it: it breaks off as when the process is killed."""

    async def cut_off(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(stage.app.client.services.generations, "accept", cut_off)


async def killed(stage: Stage) -> None:
    """The process ends without a word, and the next one has done what it can."""
    await stage.process.restart(stage.env)
    await until(lambda: not openings(stage), what="the cards to be seen to")
    await stage.rest()


def untouched(stage: Stage) -> None:
    """Nothing was asked of KIE, and nobody paid."""
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("known", [True, False], ids=["id known", "id unknown"])
async def test_the_answer_to_a_command_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, private: bool, known: bool
) -> None:
    dying(stage, monkeypatch)
    asked = await stage.imagine(private=private)
    assert asked.response is not None
    assert seen(asked.response).thinking
    if not known:
        forget_the_cards(stage)
    await killed(stage)

    shown = [seen(one) for one in [asked.response, *asked.followups] if not seen(one).thinking]
    assert [(one.texts, one.colour, one.ephemeral) for one in shown] == [((INTERRUPTED,), RED, private)]
    untouched(stage)
    await stage.delivered()
    assert stage.ledger(stage.alice) == PAID


async def test_when_the_token_is_dead_it_is_a_new_message(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    dying(stage, monkeypatch)
    await stage.imagine()
    await stage.env.advance_time(16 * 60)
    stage.clock.advance(16 * 60)
    await killed(stage)

    (post,) = stage.cards()
    assert post.content == f"{stage.alice.mention} {INTERRUPTED}"
    (sent,) = stage.sent("POST", f"/channels/{stage.channel.id}/messages")
    assert sent.json is not None
    assert sent.json["allowed_mentions"] == {"parse": [], "users": [stage.alice.id]}
    untouched(stage)


@pytest.mark.parametrize("found", ["private", "unknown", "gone", "closed"])
async def test_where_nothing_can_be_reached_it_is_let_go(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    dying(stage, monkeypatch)
    asked = await stage.imagine(private=found == "private")
    await stage.env.advance_time(16 * 60)
    stage.clock.advance(16 * 60)
    if found == "unknown":
        forget_the_cards(stage)
    if found == "gone":
        assert asked.response is not None
        await stage.admin.delete(asked.response)
    if found == "closed":
        stage.env.inject_error("DELETE", "/channels/*/messages/*", status=403, code=50001)
    await killed(stage)

    assert stage.sent("POST", "/messages") == []
    assert stage.env.backend.faults == []
    untouched(stage)


@pytest.mark.parametrize("known", [True, False], ids=["id known", "id unknown"])
async def test_the_answers_to_messages_say_so(stage: Stage, monkeypatch: pytest.MonkeyPatch, *, known: bool) -> None:
    dying(stage, monkeypatch)
    words = f"{stage.mention} at night"
    asked = [await who.send(stage.channel, words, attachments=ATTACHED) for who in (stage.alice, stage.bob)]
    cards = [card.id for said in asked for card in stage.answers(said)]
    if not known:
        forget_the_cards(stage)
    # However late: the bot's own message can be edited for ever.
    stage.clock.advance(24 * 3600)
    await killed(stage)

    answers = [(one.id, seen(one).texts) for said in asked for one in stage.answers(said)]
    assert answers == [(card, (INTERRUPTED,)) for card in cards]
    assert len(cards) == 2
    untouched(stage)
    again = await stage.alice.send(stage.channel, words, attachments=ATTACHED)
    assert len(seen(await stage.answer(again)).pictures) == 1


async def test_a_message_that_was_never_answered_is_let_go(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    dying(stage, monkeypatch)
    said = await stage.alice.send(stage.channel, f"{stage.mention} at night", attachments=ATTACHED)
    (card,) = stage.answers(said)
    await stage.admin.delete(card)
    await stage.bob.send(stage.channel, "nice", reply_to=said)
    await stage.bob.send(stage.channel, f"{stage.mention} hello")
    forget_the_cards(stage)
    await killed(stage)

    assert len(stage.cards()) == 4, "what was said, two messages of Bob's, and the bot's answer to the last"
    assert stage.sent("PATCH") == [], "no other answer is taken for that card"
    untouched(stage)


async def test_several_cards_are_all_seen_to(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    dying(stage, monkeypatch)
    first, second = await stage.imagine("one"), await stage.imagine("two", by=stage.bob)
    third = await stage.alice.send(stage.channel, f"{stage.mention} three", attachments=ATTACHED)
    assert first.response is not None
    await stage.admin.delete(first.response)
    await killed(stage)

    assert second.response is not None
    assert seen(second.response).texts == (INTERRUPTED,)
    assert [seen(one).texts for one in stage.answers(third)] == [(INTERRUPTED,)]


async def test_what_came_to_an_end_leaves_nothing_to_tell(stage: Stage) -> None:
    await stage.delivered()
    await stage.refusal(await stage.imagine("ab "))
    said = await stage.alice.send(stage.channel, f"{stage.mention} at night", attachments=ATTACHED)
    await stage.answer(said)
    refused = await stage.alice.send(stage.channel, f"{stage.mention} at night", attachments=[("a.png", b"no picture")])
    await stage.answer(refused)

    assert openings(stage) == []


@pytest.mark.parametrize("error", [aiohttp.ClientConnectionError(), RuntimeError("Session is closed")], ids=repr)
async def test_a_refusal_that_did_not_reach_discord_is_made_up_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def unreachable(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("bot.ui.replies.refuse", unreachable)
    if isinstance(error, RuntimeError):
        stage.expected_logs.append("an interaction failed")
    said = await stage.alice.send(stage.channel, f"{stage.mention} at night", attachments=[("a.png", b"no picture")])
    assert len(openings(stage)) == 1
    await killed(stage)

    assert [seen(one).texts for one in stage.answers(said)] == [(INTERRUPTED,)]
    untouched(stage)
