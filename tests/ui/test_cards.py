from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import PurePath
from typing import Any

import pytest
from discord import ui

from bot.domain.credits import Allowance, Balance, Period
from bot.domain.errors import ReferenceProblem, ReferenceRefused
from bot.domain.generation import Generation, Origin, Reference
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GenerationId, GuildId, ImageId, MessageId, TaskId
from bot.domain.ports import Card, ImageFile
from bot.domain.rework import LARGER_PROMPT
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import Failure, TaskState
from bot.ui import cards
from bot.ui.custom_ids import CustomId
from bot.ui.texts import cards as texts
from bot.ui.texts import refusals
from tests.factories import ALICE, make_generation, make_request

NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
BALANCE = Balance(Allowance(Decimal(1_000_000), Period.MONTH), Decimal("0.125"), NOW + timedelta(days=9))

TEXTS_MAX = 4000
ALT_TEXT_MAX = 1024
LARGEST = (1 << 63) - 1
COMPONENTS_MAX = 40
CUSTOM_ID_MAX = 100
LABEL_MAX = 80
"""Discord's limits on a message of components, added up over the whole message where there are several."""

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
    references = tuple(Reference("https://kie.example/x.png", "n" * 200 + ".png") for _ in range(8))
    settings = Settings(Model.FLEX, AspectRatio.PHOTO_PORTRAIT, Resolution.TWO_K, steps=50, guidance=9.5)
    request = make_request(prompt=prompt, settings=settings, references=references)
    return make_generation(states=states, request=request, **changes)


def images(count: int) -> list[ImageFile]:
    return [
        ImageFile(PurePath("spool", f"{n}.png"), f"easel-{(1 << 63) - 1}-{n}.webp", TaskId(n)) for n in range(count)
    ]


@every_prompt
def test_a_waiting_card_keeps_within_discords_limits(prompt: str) -> None:
    waiting = generation(prompt, *[TaskState.RESERVED] * 4, id=GenerationId((1 << 63) - 1))
    view = cards.progress_view(Card(waiting, 123_456, NOW))

    check(view)
    assert [item.label for item in buttons(view)] == ["Cancel"]


@every_prompt
def test_a_full_card_keeps_within_discords_limits(prompt: str) -> None:
    done = generation(prompt, *[TaskState.READY] * 4)
    view = cards.outcome_view(Card(done, None, None, seconds=86_400.4), images(4))

    check(view)
    assert len(alt_texts(view)) == 4


@every_prompt
def test_a_card_of_four_different_failures_keeps_within_discords_limits(prompt: str) -> None:
    failed = generation(prompt, *[TaskState.FAILED] * 4)
    reasons = sorted(Failure, key=lambda reason: -len(texts.failure(reason)))[:4]
    tasks = tuple(replace(task, failure=reason) for task, reason in zip(failed.tasks, reasons, strict=True))
    view = cards.outcome_view(Card(replace(failed, tasks=tasks), None, None, seconds=12), [])

    check(view)
    assert [texts.failure(reason) in " ".join(words(view)) for reason in reasons] == [True] * 4


def test_a_card_names_its_requester_and_what_was_paid() -> None:
    done = make_generation(states=[TaskState.READY])
    view = cards.outcome_view(Card(done, None, None, seconds=13.6), images(1))

    assert words(view)[-1] == (f"-# <@{ALICE.user_id}> · flux-2 pro · 1:1 · 1K · 14 s · 5 credits")


@pytest.mark.parametrize(
    ("states", "pictures", "late", "colour"),
    [
        ([TaskState.READY], 1, False, cards.GREEN),
        ([TaskState.READY, TaskState.READY], 2, False, cards.GREEN),
        ([TaskState.READY, TaskState.FAILED], 1, False, cards.AMBER),
        ([TaskState.READY, TaskState.CANCELLED], 1, False, cards.AMBER),
        ([TaskState.READY, TaskState.DELIVERED], 1, True, cards.GREEN),
        ([TaskState.FAILED], 0, False, cards.RED),
        ([TaskState.OVERDUE], 0, False, cards.RED),
        ([TaskState.FAILED, TaskState.CANCELLED], 0, False, cards.RED),
        ([TaskState.CANCELLED, TaskState.CANCELLED], 0, False, cards.GREY),
    ],
)
def test_the_colour_tells_how_it_ended(states: list[TaskState], pictures: int, *, late: bool, colour: int) -> None:
    ended = make_generation(states=states)
    failures = {TaskState.FAILED: Failure.BROKEN, TaskState.OVERDUE: Failure.TOO_SLOW}
    ended = replace(ended, tasks=tuple(replace(task, failure=failures.get(task.state)) for task in ended.tasks))
    view = cards.outcome_view(Card(ended, None, None, seconds=1, late=late), images(pictures))

    assert container(view)["accent_color"] == colour


@pytest.mark.parametrize("settings", [Settings(*one) for one in product(Model, AspectRatio, Resolution)], ids=str)
def test_every_outcome_keeps_within_discords_limits(settings: Settings) -> None:
    origin = Origin(ChannelId(LARGEST), MessageId(LARGEST), ImageId(LARGEST))
    account = replace(ALICE, guild_id=GuildId(LARGEST))
    request = make_request(account=account, prompt=PROMPTS["markdown"], settings=settings, origin=origin)
    done = make_generation(states=[TaskState.READY] * 4, request=request, id=GenerationId(LARGEST))
    for count in (0, 1, 4):
        check(cards.outcome_view(Card(done, None, None, seconds=1), images(count)))


@pytest.mark.parametrize(
    ("resolution", "pictures", "labels"),
    [
        (Resolution.ONE_K, 1, ["Again", "Edit", "2K", "Delete"]),
        (Resolution.TWO_K, 1, ["Again", "Edit", "Delete"]),
        (Resolution.ONE_K, 0, ["Again", "Edit prompt", "Delete"]),
        (Resolution.TWO_K, 0, ["Again", "Edit prompt", "Delete"]),
    ],
)
def test_an_outcome_offers_what_can_be_done_with_it(resolution: Resolution, pictures: int, labels: list[str]) -> None:
    request = make_request(settings=Settings(resolution=resolution))
    ended = make_generation(states=[TaskState.READY if pictures else TaskState.CANCELLED], request=request)
    view = cards.outcome_view(Card(ended, None, None, seconds=1), images(pictures))

    assert [item.label for item in buttons(view)] == labels
    carried = [CustomId.parse(item.custom_id or "") for item in buttons(view)]
    assert [one.number for one in carried if one] == [ended.id] * len(labels)


@pytest.mark.parametrize(("guild", "where"), [(GuildId(900), "900"), (DIRECT_MESSAGES, "@me")])
def test_an_edit_links_what_it_came_from(guild: GuildId, where: str) -> None:
    origin = Origin(ChannelId(5), MessageId(6), None)
    request = make_request(account=replace(ALICE, guild_id=guild), origin=origin)
    done = make_generation(states=[TaskState.READY], request=request)
    view = cards.outcome_view(Card(done, None, None, seconds=1), images(1))

    assert words(view)[-1].endswith(f" · edit of [this picture](https://discord.com/channels/{where}/5/6)")


def test_the_prompt_behind_2k_is_not_shown() -> None:
    done = make_generation(states=[TaskState.READY], request=make_request(prompt=LARGER_PROMPT))

    assert words(cards.progress_view(Card(done, 1, None, None)))[0] == "**the same picture, larger**"
    view = cards.outcome_view(Card(done, None, None, seconds=1), images(1))
    assert words(view)[0] == "**the same picture, larger**"


def test_the_cards_of_a_reply_keep_within_discords_limits() -> None:
    check(cards.looking_view())
    check(cards.refusal_view(refusals.refusal(ReferenceRefused("x" * 300, ReferenceProblem.NOT_AN_IMAGE))))


def test_nothing_to_cancel_means_no_button() -> None:
    running = make_generation(states=[TaskState.RUNNING, TaskState.READY])
    view = cards.progress_view(Card(running, None, NOW))

    assert buttons(view) == []
    assert words(view)[-1] == f"🎨 painting · 1 of 2 ready · expected {texts.relative(NOW)}"
    assert container(view)["accent_color"] == cards.BLURPLE


def test_a_card_that_waits_is_grey() -> None:
    waiting = make_generation(states=[TaskState.RESERVED])
    view = cards.progress_view(Card(waiting, 3, NOW))

    assert container(view)["accent_color"] == cards.GREY
    assert words(view)[-1] == f"⏳ 3rd in line · expected {texts.relative(NOW)}"


def check(view: ui.LayoutView) -> None:
    """Hold a card to Discord's limits, as it goes over the wire."""
    assert view.total_children_count <= COMPONENTS_MAX
    written = words(view)
    assert all(written)
    assert sum(map(len, written)) <= TEXTS_MAX
    for alt_text in alt_texts(view):
        assert 0 < len(alt_text) <= ALT_TEXT_MAX
    for button in buttons(view):
        assert 1 <= len(button.custom_id or "") <= CUSTOM_ID_MAX
        assert 1 <= len(button.label or "") <= LABEL_MAX
    assert "\n" not in written[0]


def container(view: ui.LayoutView) -> dict[str, Any]:
    (only,) = view.to_components()
    return only


def words(view: ui.LayoutView) -> list[str]:
    return [item.content for item in view.walk_children() if isinstance(item, ui.TextDisplay)]


def buttons(view: ui.LayoutView) -> list[ui.Button[Any]]:
    return [item for item in view.walk_children() if isinstance(item, ui.Button)]


def alt_texts(view: ui.LayoutView) -> list[str]:
    def described() -> Iterator[str]:
        for gallery in view.walk_children():
            if isinstance(gallery, ui.MediaGallery):
                for item in gallery.items:
                    yield item.description or ""

    return list(described())
