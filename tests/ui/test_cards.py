"""Every state of a card: what it says, and that it keeps within Discord's limits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any

import pytest
from discord import ui

from bot.domain.credits import KIE_PRICES, PriceList
from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.errors import ReferenceProblem, ReferenceRefused
from bot.domain.generation import Generation, Origin, Reference
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GenerationId, GuildId, MessageId, TaskId
from bot.domain.ports import Card, ImageFile
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import Failure, TaskState
from bot.ui import cards
from bot.ui.custom_ids import CustomId
from bot.ui.texts import cards as texts
from bot.ui.texts import refusals
from tests.factories import ALICE, make_generation, make_request

NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
SOON = NOW + timedelta(seconds=9)
PRICES = PriceList(KIE_PRICES)

TEXTS_MAX = 4000
ALT_TEXT_MAX = 1024
COMPONENTS_MAX = 40
CUSTOM_ID_MAX = 100
LABEL_MAX = 80
"""Discord's limits on a message of components, added up over the whole message where there are several."""
LARGEST = (1 << 63) - 1

PROMPTS = {
    "wide characters": "鷺" * 5000,
    "emoji": "🦊" * 5000,
    "markdown": "*_~|`>#" * 714 + "**",
    "newlines": "line\n" * 1000,
    "nothing but newlines and a word": "\n" * 4990 + "heron",
    "one word": "x" * 5000,
    "words": "a heron at dawn, " * 294,
    "mentions": "<@123456789012345678> @everyone " * 156,
}
every_prompt = pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS.keys())


def generation(prompt: str, *states: TaskState, **changes: Any) -> Generation:
    """A generation with the longest settings that there are."""
    references = tuple(Reference("https://kie.example/x.png", "n" * 200 + ".png") for _ in range(8))
    settings = Settings(Model.FLEX, AspectRatio.PHOTO_PORTRAIT, Resolution.TWO_K, steps=50, guidance=9.5)
    request = make_request(prompt=prompt, settings=settings, references=references)
    return make_generation(states=states, request=request, **changes)


def progress(generation: Generation, position: int | None = None) -> ui.LayoutView:
    return cards.progress_view(Card(generation, position, SOON), NOW)


def outcome(generation: Generation, images: int, *, late: bool = False, alt_text: str = "a heron") -> ui.LayoutView:
    files = [ImageFile(PurePath(f"{n}.png"), f"easel-{LARGEST}-{n}.webp", TaskId(n)) for n in range(images)]
    card = Card(generation, None, None, seconds=13.6, late=late)
    return cards.outcome_view(card, files, alt_text, PRICES)


@every_prompt
def test_every_state_keeps_within_discords_limits(prompt: str) -> None:
    waiting = generation(prompt, *[TaskState.RESERVED] * 4, id=GenerationId(LARGEST))
    failed = generation(prompt, *[TaskState.FAILED] * 4)
    reasons = sorted(Failure, key=lambda reason: -len(texts.failure(reason)))[:4]
    tasks = tuple(replace(task, failure=reason) for task, reason in zip(failed.tasks, reasons, strict=True))

    check(progress(waiting, 123_456))
    check(outcome(generation(prompt, *[TaskState.READY] * 4), 4, alt_text="x" * ALT_TEXT_MAX))
    told = outcome(replace(failed, tasks=tasks), 0)
    check(told)
    assert [texts.failure(reason) in " ".join(texts_of(told)) for reason in reasons] == [True] * 4


@pytest.mark.parametrize(
    ("states", "position", "colour", "status", "labels"),
    [
        ([TaskState.RESERVED], 3, cards.GREY, "⏳ 3rd in line", ["Cancel"]),
        ([TaskState.RESERVED], None, cards.GREY, "⏳ next in line", ["Cancel"]),
        ([TaskState.SUBMITTING], None, cards.BLURPLE, "🎨 being made", []),
        ([TaskState.RUNNING, TaskState.READY], None, cards.BLURPLE, "🎨 1 of 2 done", []),
        (
            [TaskState.RUNNING, TaskState.RESERVED],
            2,
            cards.BLURPLE,
            "🎨 0 of 2 done · ⏳ the rest are 2nd in line",
            ["Cancel"],
        ),
    ],
)
def test_a_card_in_progress_says_how_far_it_is(
    states: list[TaskState], position: int | None, colour: int, status: str, labels: list[str]
) -> None:
    view = progress(make_generation(states=states), position)

    _, small_print, shown = texts_of(view)
    assert shown == f"{status} · ready <t:{int(SOON.timestamp())}:R>"
    assert small_print.startswith(f"-# <@{ALICE.user_id}> · ")
    assert small_print.endswith(f"{5 * len(states)} credits")
    assert container(view)["accent_color"] == colour
    assert [button.label for button in buttons(view)] == labels


def test_once_the_expected_time_has_passed_it_is_any_moment() -> None:
    card = Card(make_generation(states=[TaskState.RUNNING]), None, NOW)

    assert texts_of(cards.progress_view(card, NOW))[-1] == "🎨 being made · any moment now"
    unknown = Card(make_generation(states=[TaskState.RUNNING]), None, None)
    assert texts_of(cards.progress_view(unknown, NOW))[-1] == "🎨 being made"


@pytest.mark.parametrize(
    ("states", "images", "late", "colour", "notes"),
    [
        ([TaskState.READY], 1, False, cards.GREEN, []),
        ([TaskState.READY, TaskState.READY], 2, False, cards.GREEN, []),
        (
            [TaskState.READY, TaskState.FAILED],
            1,
            False,
            cards.AMBER,
            [texts.partly(1, 2), texts.failure(Failure.BROKEN)],
        ),
        ([TaskState.READY, TaskState.CANCELLED], 1, False, cards.AMBER, [texts.partly(1, 2)]),
        ([TaskState.READY, TaskState.DELIVERED], 1, True, cards.GREEN, [texts.LATE]),
        ([TaskState.READY], 0, False, cards.RED, [texts.NOT_POSTED_HERE]),
        (
            [TaskState.READY, TaskState.READY, TaskState.FAILED],
            1,
            False,
            cards.AMBER,
            [texts.failure(Failure.BROKEN), texts.still_fetched(1)],
        ),
        ([TaskState.FAILED], 0, False, cards.RED, [f"{texts.failure(Failure.BROKEN)} Nothing was charged."]),
        ([TaskState.OVERDUE], 0, False, cards.RED, [f"{texts.failure(Failure.TOO_SLOW)} Nothing was charged."]),
        (
            [TaskState.FAILED, TaskState.FAILED, TaskState.CANCELLED],
            0,
            False,
            cards.RED,
            [f"{texts.failure(Failure.BROKEN)} Nothing was charged."],
        ),
        ([TaskState.CANCELLED, TaskState.CANCELLED], 0, False, cards.GREY, [texts.CANCELLED]),
    ],
)
def test_colour_and_notes_say_how_it_ended(
    states: list[TaskState], images: int, *, late: bool, colour: int, notes: list[str]
) -> None:
    failures = {TaskState.FAILED: Failure.BROKEN, TaskState.OVERDUE: Failure.TOO_SLOW}
    ended = make_generation(states=states)
    ended = replace(
        ended, tasks=tuple(replace(task, failure=failures.get(task.state), free=late) for task in ended.tasks)
    )
    view = outcome(ended, images, late=late)

    assert container(view)["accent_color"] == colour
    assert [line for text in texts_of(view)[2:] for line in text.splitlines()] == notes
    assert texts_of(view)[1].startswith(f"-# <@{ALICE.user_id}> · ")
    assert alt_texts(view) == ["a heron"] * images


def test_a_result_says_what_it_took() -> None:
    small_print = texts_of(outcome(make_generation(states=[TaskState.READY]), 1))[-1]

    assert small_print == f"-# <@{ALICE.user_id}> · FLUX.2 Pro · 1:1 · 1K · 14 s · 5 credits"


@pytest.mark.parametrize(
    ("settings", "images", "labels"),
    [
        (Settings(), 1, ["Again", "Edit", "Remix", "2K · 7", "⋯"]),
        (Settings(Model.FLEX), 1, ["Again", "Edit", "Remix", "2K · 24", "⋯"]),
        (Settings(Model.FLEX), 4, ["1", "2", "3", "4", "Again", "Remix", "⋯"]),
        (Settings(resolution=Resolution.TWO_K), 1, ["Again", "Edit", "Remix", "⋯"]),
        (Settings(), 0, ["Again", "Edit prompt", "Delete"]),
    ],
)
def test_an_outcome_offers_what_can_be_done_with_it(settings: Settings, images: int, labels: list[str]) -> None:
    states = [TaskState.READY] * images or [TaskState.CANCELLED]
    ended = make_generation(states=states, request=make_request(settings=settings))
    shown = buttons(outcome(ended, images))

    assert [button.label for button in shown] == labels
    carried = [CustomId.parse(button.custom_id or "") for button in shown]
    numbers = list(range(images)) if images > 1 else []
    assert [custom_id.number for custom_id in carried if custom_id] == numbers + [ended.id] * (
        len(labels) - len(numbers)
    )


@pytest.mark.parametrize(("guild", "place"), [(GuildId(900), "900"), (DIRECT_MESSAGES, "@me")])
@pytest.mark.parametrize(("references", "more"), [(1, ""), (3, " and 2 more")])
def test_an_edit_links_what_it_came_from(guild: GuildId, place: str, references: int, more: str) -> None:
    origin = Origin(ChannelId(5), MessageId(6), None)
    images = (Reference("https://kie.example/x.png", "x.png"),) * references
    request = make_request(account=replace(ALICE, guild_id=guild), origin=origin, references=images)
    view = outcome(make_generation(states=[TaskState.READY], request=request), 1)

    shown = texts_of(view)[-1].replace("\N{NO-BREAK SPACE}", " ")
    assert shown.endswith(f" · edit of [this image](https://discord.com/channels/{place}/5/6){more}")
    assert "from" not in shown, "said once"
    failed = outcome(make_generation(states=[TaskState.FAILED], request=request), 0)
    assert "from" in texts_of(failed)[1], "there is no link"


def test_the_instruction_behind_2k_is_not_shown() -> None:
    done = make_generation(states=[TaskState.READY], request=make_request(prompt=LARGER_PROMPT))

    for view in (progress(done), outcome(done, 1)):
        assert texts_of(view)[0] == "**same image, redrawn in 2K**"


def test_cards_without_a_generation_name_the_requester() -> None:
    refusal = refusals.refusal(ReferenceRefused("x" * 300, ReferenceProblem.NOT_AN_IMAGE))
    user = ALICE.user_id
    for view in (cards.received_view(user), cards.interrupted_view(user), cards.refusal_view(user, refusal)):
        check(view)
        assert texts_of(view)[-1] == f"-# <@{user}>"


def check(view: ui.LayoutView) -> None:
    """Hold a card to Discord's limits, as it goes over the wire."""
    assert view.total_children_count <= COMPONENTS_MAX
    shown = texts_of(view)
    assert all(shown)
    assert sum(map(len, shown)) <= TEXTS_MAX
    for alt_text in alt_texts(view):
        assert 0 < len(alt_text) <= ALT_TEXT_MAX
    for button in buttons(view):
        assert 1 <= len(button.custom_id or "") <= CUSTOM_ID_MAX
        assert 1 <= len(button.label or "") <= LABEL_MAX
    assert "\n" not in shown[0]


def container(view: ui.LayoutView) -> dict[str, Any]:
    (only,) = view.to_components()
    return only


def texts_of(view: ui.LayoutView) -> list[str]:
    displays = [item.content for item in view.walk_children() if isinstance(item, ui.TextDisplay)]
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in displays]


def buttons(view: ui.LayoutView) -> Sequence[ui.Button[Any]]:
    return [item for item in view.walk_children() if isinstance(item, ui.Button)]


def alt_texts(view: ui.LayoutView) -> list[str]:
    galleries = [item for item in view.walk_children() if isinstance(item, ui.MediaGallery)]
    return [image.description or "" for gallery in galleries for image in gallery.items]
