"""Every button and form there is: pressed by the wrong person, twice in the next process, and on a deleted message.

Forged custom ids of every action are in test_forged.py.
"""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import simcord
from discord import app_commands

from bot.config.sections import AssistantConfig
from bot.domain.errors import DraftGone, NotAManager, QuestionGone
from bot.domain.ids import ReferenceSetId, UserId
from bot.domain.image_reports import NotAModerator
from bot.domain.styles import Owner, ReferenceSet, SavedImage
from bot.quota.servers import PAGE
from bot.store.audit import audit
from bot.ui import questions
from bot.ui.custom_ids import Action
from bot.ui.texts.refusals import refusal
from demo.assistant import AssistantStandIn
from demo.kie import Http429
from tests.database import execute
from tests.stories.components import (
    NOT_YOURS,
    FormAnswers,
    Message,
    custom_id_of,
    menu_of,
    new_card,
    send_form,
    send_press,
)
from tests.stories.operator_setup import FORBIDDEN, OperatorSetup
from tests.stories.quota_actions import ask_for_more, quota, refused, request_cards, requests_go_to
from tests.stories.rendered import Rendered, rendered
from tests.stories.restartable_bot import BotOptions
from tests.stories.story_world import StoryWorld, response_of
from tests.stories.test_image_reports import moderated, report
from tests.stories.test_preferences import custom_id, open_panel, prefer
from tests.stories.test_prompt_helper import THREE
from tests.stories.test_styles import ANY, add_style
from tests.waiting import until

NOT_A_MODERATOR = refusal(NotAModerator())
NOT_A_MANAGER, NO_DRAFT, NO_QUESTION = refusal(NotAManager()), refusal(DraftGone()), refusal(QuestionGone())
EVERYBODY = None
"""Whoever presses does it for themselves."""
NAMED = {"name": "Red", "template": "{prompt} in red", **ANY}
EDIT_FORM: FormAnswers = {"prompt": "at night", "model": ["pro"], "ratio": ["auto"], "options": []}
REMIX_FORM: FormAnswers = {**EDIT_FORM, "ratio": ["1:1"], "count": ["1"]}
ONE, TWO = {"generations": 1, "posts": 1}, {"generations": 2, "posts": 2}


@dataclass(frozen=True)
class Row:
    """What a button or form does when its member uses it twice at once, and what others read."""

    action: Action
    twice: Mapping[str, int]
    others: str | None = NOT_YOURS


TABLE = {
    "cancel": Row(Action.CANCEL, {"changes": 1}),
    "again on a card": Row(Action.AGAIN, TWO, EVERYBODY),
    "again in a menu": Row(Action.AGAIN, TWO),
    "edit on a card": Row(Action.EDIT, {}, EVERYBODY),
    "edit in a menu": Row(Action.EDIT, {}),
    "edit form": Row(Action.EDIT, TWO, EVERYBODY),
    "edit form of a menu": Row(Action.EDIT, TWO),
    "remix on a card": Row(Action.REMIX, {}, EVERYBODY),
    "remix in a menu": Row(Action.REMIX, {}),
    "remix form": Row(Action.REMIX, TWO, EVERYBODY),
    "2K on a card": Row(Action.LARGER, TWO, EVERYBODY),
    "2K in a menu": Row(Action.LARGER, TWO),
    "edit prompt": Row(Action.EDIT_PROMPT, {}, EVERYBODY),
    "edit prompt form": Row(Action.EDIT_PROMPT, TWO, EVERYBODY),
    "more": Row(Action.MORE, {}, EVERYBODY),
    "number on a card": Row(Action.IMAGE, {}, EVERYBODY),
    "number in the history": Row(Action.IMAGE, {}),
    "favourite": Row(Action.FAVOURITE, {}),
    "favourite in the answer to save": Row(Action.FAVOURITE, {}),
    "full prompt": Row(Action.PROMPT, {}),
    "original file": Row(Action.ORIGINAL, {}),
    "save as references": Row(Action.SAVE, {}),
    "save form": Row(Action.SAVE, {"reference_sets": 1}),
    "report": Row(Action.REPORT, {}),
    "report form": Row(Action.REPORT, {"image_reports": 1}),
    "delete a reported image": Row(Action.DELETE_REPORTED, {"posts": -1}, NOT_A_MODERATOR),
    "refund a reported image": Row(Action.REFUND_REPORTED, {"changes": 1}, NOT_A_MANAGER),
    "dismiss a report": Row(Action.DISMISS_REPORT, {}, NOT_A_MODERATOR),
    "share": Row(Action.SHARE, {"posts": 1}),
    "edits": Row(Action.EDITS, {}),
    "before and after": Row(Action.COMPARE, {}),
    "delete in a menu": Row(Action.REMOVE, {}),
    "delete, asked": Row(Action.DELETE, {"posts": -1}),
    "keep, asked": Row(Action.CLOSE, {}),
    "delete on a failed card": Row(Action.DELETE, {"posts": -1}),
    "yes to a reply": Row(Action.CONFIRM, {"generations": 1, "drafts": -1}),
    "no to a reply": Row(Action.DISMISS, {"drafts": -1, "posts": -1}),
    "yes to a command": Row(Action.CONFIRM, {"drafts": -1, **ONE}),
    "no to a command": Row(Action.DISMISS, {"drafts": -1}),
    "wording": Row(Action.WORDING, ONE, NO_DRAFT),
    "edit image form": Row(Action.DRAFT, TWO, NO_DRAFT),
    "credit log": Row(Action.LOG, {}, NOT_A_MANAGER),
    "servers": Row(Action.SERVERS, {}, FORBIDDEN),
    "ask for more": Row(Action.ASK, {"credit_requests": 1}),
    "approve": Row(Action.APPROVE, {}, NOT_A_MANAGER),
    "approve form": Row(Action.APPROVE, {"changes": 1}, NOT_A_MANAGER),
    "decline": Row(Action.DENY, {"changes": 1}, NOT_A_MANAGER),
    "export": Row(Action.EXPORT, {}),
    "erase": Row(Action.ERASE, {}),
    "erase everything": Row(Action.ERASE_ALL, {"erasures": 1}),
    "keep my data": Row(Action.KEEP, {}),
    "history": Row(Action.HISTORY, {}),
    "style form": Row(Action.STYLE, {"styles": 1}, EVERYBODY),
    "styles": Row(Action.STYLES, {}, EVERYBODY),
    "sets": Row(Action.SETS, {}, EVERYBODY),
    "references form": Row(Action.REFERENCES, {"reference_sets": 1}, NO_DRAFT),
    "preference": Row(Action.PREFER, {"preferences": 1}),
    "switch": Row(Action.SWITCH, {}),
    "help": Row(Action.HELP, {}, NOT_A_MANAGER),
}
"""A new action needs an entry, and a place in :func:`lay_out`."""


@dataclass(frozen=True)
class Place:
    """Where a member has a button or form."""

    of: simcord.MemberActor
    message: Message
    custom_id: str
    form: FormAnswers | None = None
    chosen: tuple[str, ...] | None = None

    @property
    def at(self) -> tuple[int, int]:
        """The channel and the message."""
        message = self.message
        return message.channel_id if isinstance(message, simcord.ResponseMessage) else message.channel.id, message.id

    def use(self, world: StoryWorld, by: simcord.MemberActor | None = None) -> simcord.InteractionResult:
        """Its member, or somebody else; the bot has not seen it yet."""
        if self.form is not None:
            return send_form(world, by or self.of, self.message, self.custom_id, self.form)
        return send_press(world, by or self.of, self.message, self.custom_id, self.chosen)


ONCE_ONLY = {
    **dict.fromkeys(("cancel", "yes to a reply"), "posts"),
    **dict.fromkeys(("favourite", "favourite in the answer to save"), "favourites"),
}
"""What one press changes that two do not: an outcome whose card is gone is posted anew, and a second press undoes."""
TABLES = (
    *("generations", "drafts", "favourites", "ledger", "rules", "servers", "credit_requests", "styles"),
    *("reference_sets", "preferences", "erasures", "image_reports"),
)


@pytest.fixture
async def assistant() -> AsyncGenerator[AssistantStandIn, None]:
    async with AssistantStandIn(json.dumps(THREE)) as assistant:
        yield assistant


@pytest.fixture
def bot_options(assistant: AssistantStandIn) -> BotOptions:
    endpoint = {"base_url": assistant.base_url, "api_key": "an assistant's key", "model": "small"}
    return BotOptions(
        credits=10_000, open_generations=1000, new_tasks=1000, assistant=AssistantConfig.model_validate(endpoint)
    )


@pytest.fixture(autouse=True)
def lasting_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine a test takes longer than the minute after which a question goes away."""
    monkeypatch.setattr(questions, "QUESTION_LIFE", timedelta(days=1))


async def lay_out(world: StoryWorld, ops: OperatorSetup) -> dict[str, Place]:
    """Every button and form, in the hands of the member whose it is."""
    await ops.restart()
    alice, bob, admin, guild = world.alice, world.bob, world.admin, world.env.guild
    carol, dave, erin, frank = [
        guild.add_member(world.env.create_user(name)) for name in ("carol", "dave", "erin", "frank")
    ]
    places: dict[str, Place] = {}

    def put(of: simcord.MemberActor, message: Message, labels: Mapping[str, str]) -> None:
        for name, label in labels.items():
            places[name] = Place(of, message, custom_id_of(message, label))

    def put_form(name: str, opened: simcord.InteractionResult, answers: FormAnswers, **where: Any) -> None:
        assert opened.modal is not None, name
        places[name] = replace(Place(alice, card, opened.modal["custom_id"], answers), **where)

    card = await new_card(world)
    made = await alice.submit_modal(await alice.click(card, label="Edit"), dict(EDIT_FORM))
    await world.outcome(made)
    grid = await new_card(world, count=3)
    secret = await world.imagine("a secret garden", private=True)
    await world.outcome(secret)
    failed, other_failed = [await new_card(world, "something [broken]") for _ in range(2)]

    on_card = {"again on a card": "Again", "edit on a card": "Edit", "remix on a card": "Remix"}
    put(alice, card, {**on_card, "2K on a card": "2K · 7", "more": "⋯"})
    put(alice, grid, {"number on a card": "2"})
    put(alice, failed, {"edit prompt": "Edit prompt"})
    put(alice, other_failed, {"delete on a failed card": "Delete"})
    put_form("edit form", await alice.click(card, label="Edit"), EDIT_FORM)
    put_form("remix form", await alice.click(card, label="Remix"), REMIX_FORM)
    put_form("edit prompt form", await alice.click(failed, label="Edit prompt"), REMIX_FORM, message=failed)

    menu = await menu_of(world, alice, grid, "1")
    in_menu = {"again in a menu": "Again", "edit in a menu": "Edit", "remix in a menu": "Remix"}
    put(alice, menu, {**in_menu, "2K in a menu": "2K · 7", "favourite": "⭐ Favourite"})
    put_form("edit form of a menu", await alice.click(menu, label="Edit"), EDIT_FORM, message=menu)
    menu = await menu_of(world, alice, response_of(made))
    put(alice, menu, {"full prompt": "Full prompt", "original file": "Original file"})
    put(alice, menu, {"edits": "Edits", "delete in a menu": "Delete"})
    put(alice, await menu_of(world, alice, menu, "Edits"), {"before and after": "Before and after"})
    put(alice, await menu_of(world, alice, menu, "Delete"), {"delete, asked": "Delete"})
    put(alice, await menu_of(world, alice, menu, "Delete"), {"keep, asked": "Keep"})
    put(alice, await menu_of(world, alice, response_of(secret)), {"share": "Share"})
    listed = response_of(await alice.slash(world.channel, "history"))
    put(alice, listed, {"history": "Older", "number in the history": "1"})
    saved = response_of(await alice.context_menu(world.channel, "Save image", grid))
    put(alice, saved, {"favourite in the answer to save": "⭐ 2"})
    menu = await menu_of(world, alice, grid, "3")
    put(alice, menu, {"save as references": "Save as references"})
    put_form("save form", await alice.click(menu, label="Save as references"), {"name": "Fox"}, message=menu)

    moderators = await moderated(world)
    verdicts = {"delete a reported image": "Delete", "refund a reported image": "Refund · 5 credits"}
    for name, label in {**verdicts, "dismiss a report": "Dismiss"}.items():
        await report(world, bob, await new_card(world))
        put(admin, moderators.history()[-1], {name: label})
    menu = await menu_of(world, bob, card)
    put(bob, menu, {"report": "Report"})
    put_form("report form", await bob.click(menu, label="Report"), {"reason": "no"}, of=bob, message=menu)

    answer = await world.answer(await world.mention_bot("a hill"))
    for name, by, label in (("yes to a reply", alice, "Edit · 5 credits"), ("no to a reply", frank, "No")):
        (question,) = world.answers(await by.send(world.channel, "lovely", reply_to=answer))
        places[name] = Place(by, question, custom_id_of(question, label))
    await prefer(world, bob, {"confirm_above": "0"})
    for name, label in (("yes to a command", "Make · 5 credits"), ("no to a command", "No")):
        question = response_of(await world.imagine("a dear one", by=bob))
        places[name] = Place(bob, question, custom_id_of(question, label))
    opened = await alice.click(card, label="Edit")
    improved = await alice.submit_modal(opened, {**EDIT_FORM, "options": ["improve"]})
    await until(lambda: "1" in rendered(response_of(improved)).buttons, what="the wordings")
    put(alice, response_of(improved), {"wording": "1"})
    put_form("edit image form", await alice.context_menu(world.channel, "Edit image", card), EDIT_FORM)

    await requests_go_to(world)
    for member in (carol, dave, erin):
        await quota(world, "set-member", member=member, period="none")
    put(carol, await refused(world, by=carol), {"ask for more": "Ask for more"})
    for member in (dave, erin):
        await ask_for_more(world, by=member)
    first, second = request_cards(world)[-2:]
    put(admin, first, {"approve": "Approve", "decline": "Decline"})
    opened = await admin.click(second, label="Approve")
    put_form("approve form", opened, {"amount": "5"}, of=admin, message=second)

    panel = response_of(await frank.slash(world.channel, "privacy"))
    put(frank, panel, {"export": "Download my data", "erase": "Erase my data…"})
    for name, label in (("erase everything", "Erase everything"), ("keep my data", "Keep everything")):
        panel = response_of(await frank.slash(world.channel, "privacy"))
        await frank.click(panel, label="Erase my data…")
        places[name] = Place(frank, panel, custom_id_of(panel, label))
    await add_style(world, alice)
    put(alice, response_of(await alice.slash(world.channel, "style list")), {"styles": "Next"})
    async with world.app.runtime.store.write() as tx:
        for number in range(1, 10):
            image = SavedImage(f"{number}.png", str(number), 1000)
            owned = Owner.member(UserId(dave.id))
            await tx.reference_sets.put(ReferenceSet(owned, f"Set {number}", ReferenceSetId(number), (image,)))
    put(dave, response_of(await dave.slash(world.channel, "references list")), {"sets": "Next"})
    put_form("style form", await alice.slash(world.channel, "style add"), NAMED)
    put_form("references form", await alice.context_menu(world.channel, "Save as references", card), {"name": "Cat"})
    panel = await open_panel(world, carol)
    places["preference"] = Place(carol, panel, custom_id(carol, "model"), chosen=("flex",))
    put(carol, panel, {"switch": "Ping: off"})
    put(admin, response_of(await admin.slash(world.channel, "help")), {"help": "For admins"})
    put(admin, response_of(await admin.slash(world.channel, "quota log")), {"credit log": "Older"})
    owner = world.env.create_user("owner")
    for number in range(PAGE):
        world.env.create_guild(f"Guild {number}", owner=owner)
    put(ops.operator, response_of(await ops.operator.slash(world.channel, "ops servers")), {"servers": "Next"})
    await world.rest()
    world.kie.script.always("createTask", Http429())
    waiting = await world.imagine("waiting")
    await until(lambda: "Cancel" in rendered(response_of(waiting)).buttons, what="the button")
    put(alice, response_of(waiting), {"cancel": "Cancel"})
    assert set(places) == set(TABLE)
    return places


def test_every_action_has_an_entry() -> None:
    assert {row.action for row in TABLE.values()} == set(Action)


def state(world: StoryWorld) -> dict[str, list[tuple[Any, ...]]]:
    """All that members and admins can change."""
    return {table: execute(world.folder, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}


def counts(world: StoryWorld) -> Counter[str]:
    """How many rows there are, posts, and movements of credits that are not the usual ones of an image."""
    counted = Counter({table: len(rows) for table, rows in state(world).items() if table != "ledger"})
    query = "SELECT count(*) FROM ledger WHERE movement NOT IN ('reserve', 'settle')"
    ((counted["changes"],),) = execute(world.folder, query)
    counted["posts"] = sum(not message.flags.ephemeral for message in world.messages())
    return counted


def answers(used: simcord.InteractionResult, place: Place) -> list[Rendered]:
    """What is seen besides the message with the button."""
    sent = [*used.followups, *([used.response] if used.response else [])]
    return [rendered(message) for message in sent if message.id != place.message.id]


async def handled(world: StoryWorld, *presses: simcord.InteractionResult) -> None:
    """Wait until the bot has done what it does at once."""
    await world.env.settle()
    await until(
        lambda: not any(used.response is not None and rendered(used.response).thinking for used in presses),
        what="an answer",
    )
    await world.rest()


@pytest.mark.long
async def test_somebody_else_changes_nothing(world: StoryWorld, ops: OperatorSetup) -> None:
    """What anybody may press costs the one who does."""
    places = await lay_out(world, ops)
    world.expected_errors.append(app_commands.CheckFailure)
    for name, row in sorted(TABLE.items(), key=lambda item: item[1].others is EVERYBODY):
        place, before = places[name], state(world)
        other = world.alice if place.of is world.bob else world.bob
        paid = world.ledger(place.of)
        used = place.use(world, by=other)
        await handled(world, used)
        if row.others is EVERYBODY:
            assert world.ledger(place.of) == paid, name
        else:
            (answer,) = answers(used, place)
            assert (answer.text, answer.ephemeral, used.modal) == (row.others, True, None), name
            assert state(world) == before, name
    world.kie.script.clear()
    await paid_for(world)


@pytest.mark.long
async def test_twice_at_once_in_the_next_process(world: StoryWorld, ops: OperatorSetup) -> None:
    places = await lay_out(world, ops)
    await world.restart()
    for name, row in TABLE.items():
        place, before = places[name], counts(world)
        both = [place.use(world) for _ in range(2)]
        await handled(world, *both)
        if name == "cancel":
            world.kie.script.clear()
        after = counts(world)
        assert {what: after[what] - before[what] for what in after if after[what] != before[what]} == row.twice, name
        assert not any("went wrong" in answer.text for used in both for answer in answers(used, place)), name
    await paid_for(world)


@pytest.mark.long
async def test_on_a_message_that_was_just_deleted(world: StoryWorld, ops: OperatorSetup) -> None:
    places = await lay_out(world, ops)
    for name, row in TABLE.items():
        place, before = places[name], counts(world)
        channel, message = place.at
        stored = world.env.backend.messages[channel]
        used = place.use(world)
        deleted = stored.pop(message)
        await handled(world, used)
        # Other buttons are on the same message.
        stored[message] = deleted
        if name == "cancel":
            world.kie.script.clear()
        after = counts(world)
        more = {what for what in after if abs(after[what] - before[what]) > abs(row.twice.get(what, 0))}
        assert more <= {ONCE_ONLY.get(name)}, name
        assert not any("went wrong" in answer.text for answer in answers(used, place)), name
    await paid_for(world)


async def paid_for(world: StoryWorld) -> None:
    """Each image was posted and paid, or refunded."""
    ends = "SELECT count(*) FROM ledger WHERE task_id IS NOT NULL AND movement {} 'reserve'"

    def ended() -> bool:
        return execute(world.folder, ends.format("=")) == execute(world.folder, ends.format("<>"))

    await until(ended, within=30, what="the end of every image")
    await world.rest()
    assert list(audit(world.bot.config.database.url, world.clock.now())) == []
