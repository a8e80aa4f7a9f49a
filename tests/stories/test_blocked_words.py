"""Words that Discord refuses, by AutoMod for example: everything goes on without them."""

from decimal import Decimal
from typing import Any

import pytest
from simcord.backend import Backend
from simcord.backend.errors import BackendError

from bot.ui.cards import GREEN, RED
from bot.ui.texts.cards import PROMPT_HIDDEN
from tests.stories.components import fields_of, new_card
from tests.stories.quota_actions import quota
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import PAID, REFUNDED, StoryWorld, balance
from tests.waiting import until

PROMPT = "a red fox"
HIDDEN = f"**{PROMPT_HIDDEN}**"
REASON_HIDDEN = "reason not shown because Discord blocks it"


class Filter:
    """Refuses every message and form that contains the word, in the text, an image's description or a file's name."""

    word = "fox"
    code = 200000

    def check(self, backend: Backend, method: str, _path: str) -> None:
        body: Any = backend.http_requests[-1].json
        if method in {"POST", "PATCH"} and self.word in str(body):
            raise BackendError(400, self.code, "Message was blocked by automatic moderation")


@pytest.fixture(autouse=True)
def blocked(monkeypatch: pytest.MonkeyPatch) -> Filter:
    blocked = Filter()
    monkeypatch.setattr("simcord.http.router._check_faults", blocked.check)
    return blocked


def is_without_words(card: Rendered) -> bool:
    return card.headline == HIDDEN and [image.alt_text for image in card.images] == ["image"]


@pytest.mark.parametrize("code", [200000, 200001, 240000, 50035, 20009])
async def test_a_card_goes_on_without_its_prompt(world: StoryWorld, blocked: Filter, code: int) -> None:
    blocked.code = code
    with world.unfinished():
        command = await world.imagine(PROMPT)
        progress = rendered(await world.in_progress(command))
    card = await world.outcome(command)

    assert progress.headline == HIDDEN
    assert is_without_words(card)
    assert card.colour == GREEN
    assert len(world.messages()) == 1
    assert world.ledger(world.alice) == PAID


async def test_so_does_the_answer_to_a_message(world: StoryWorld) -> None:
    message = await world.mention_bot(PROMPT)

    assert is_without_words(rendered(await world.answer(message)))
    assert world.ledger(world.alice) == PAID


async def test_so_does_an_edit_of_an_edit_and_its_form(world: StoryWorld, blocked: Filter) -> None:
    blocked.word = "nothing of the kind"
    card = await new_card(world, PROMPT)
    blocked.word = "fox"
    opened = await world.alice.click(card, label="Edit")
    form = {"prompt": "at night", "model": ["pro"], "ratio": ["auto"], "resolution": ["1K"]}
    edit = await world.outcome(await world.alice.submit_modal(opened, form))

    assert fields_of(opened)["prompt"].get("value", "") == ""
    assert is_without_words(edit), "the description names the first prompt too"
    assert sorted(world.ledger(world.alice)) == sorted(PAID + PAID)


async def test_a_failure_is_told_without_the_prompt(world: StoryWorld) -> None:
    card = await world.delivered(f"{PROMPT} [broken]")

    assert (card.headline, card.colour) == (HIDDEN, RED)
    assert card.notes == ["Something went wrong at the image service. Try again. Nothing was charged."]
    assert world.ledger(world.alice) == REFUNDED


async def test_a_new_message_names_and_pings_the_requester_alone(world: StoryWorld) -> None:
    with world.unfinished():
        await world.in_progress(await world.imagine(PROMPT))
        await world.env.advance_time(16 * 60)
    await until(lambda: world.ledger(world.alice) == PAID, what="the image to be paid")
    await world.rest()

    (message,) = world.messages()
    assert is_without_words(rendered(message))
    assert rendered(message).small_print[0] == world.alice.mention
    post = world.calls("POST", f"/channels/{world.channel.id}/messages")[-1]
    assert post.json is not None
    assert post.json["allowed_mentions"] == {"parse": [], "users": [world.alice.id]}


async def test_an_undelivered_image_is_handed_over(world: StoryWorld, blocked: Filter) -> None:
    world.expected_logs.append("generation given up: nowhere to post it")
    with world.unfinished():
        await world.in_progress(await world.imagine(PROMPT))
        blocked.word = "components"
    await until(world.undelivered, what="the image to wait for a command")
    await world.rest()
    blocked.word = "fox"
    command = await world.alice.slash(world.channel, "balance")
    (handed,) = await until(lambda: command.followups, what="the image")
    await world.rest()

    assert [image.alt_text for image in rendered(handed).images] == ["image"]
    assert rendered(handed).headline == HIDDEN
    assert world.ledger(world.alice) == PAID


async def test_a_refusal_that_names_a_file_is_told_without_the_name(world: StoryWorld) -> None:
    attached = [("fox.png", b"no image at all")]
    answer = rendered(await world.answer(await world.mention_bot("at night", attachments=attached)))
    command = await world.imagine("at night", image=attached[0])

    for refusal in (answer, world.refusal(command)):
        assert refusal.text.startswith("Discord blocked the words in this. Nothing was charged. Try rewording it.")
    world.check_nothing_started()


async def test_an_admins_reason_is_left_out_and_the_grant_made_once(world: StoryWorld) -> None:
    granted = await quota(world, "grant", member=world.alice, credits=5, reason="for the fox")
    shown = [granted, await quota(world, "log"), await balance(world, world.alice)]

    assert [REASON_HIDDEN in answer.text for answer in shown] == [True] * 3, shown
    assert world.ledger(world.alice) == [("grant", Decimal(5))]
