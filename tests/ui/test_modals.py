"""The modals, within Discord's limits; and what is read of answers, however malformed."""

from collections.abc import Callable
from itertools import product
from typing import Any

import discord
import pytest
from discord import ui
from simcord.enums import InteractionType
from simcord.interactions import base_payload

from bot.domain.credits import KIE_PRICES, Credits, PriceList
from bot.domain.generation import Source
from bot.domain.ids import UserId
from bot.domain.settings import REFERENCES_MAX, AspectRatio, Model, Resolution, Settings
from bot.ui.custom_ids import Action, CustomId
from bot.ui.modals import Form, amount_modal, draft_modal, edit_modal, read_form, remix_modal
from bot.ui.texts import quota
from tests.factories import make_request
from tests.ui.messages import MessageMaker

ID = CustomId(Action.EDIT, (1 << 63) - 1)
PROMPTS = ["", "a red fox", "鷺" * 5000, "🦊" * 5000]
PRICES = PriceList(KIE_PRICES)
ALL_SETTINGS = [Settings(*chosen) for chosen in product(Model, AspectRatio, Resolution)]

EVERY: dict[str, Callable[[str, Settings], ui.Modal]] = {
    "edit": lambda _prompt, settings: edit_modal(ID, settings, PRICES),
    "edit, improved": lambda _prompt, settings: edit_modal(ID, settings, PRICES, improve=Credits(10_000)),
    "remix": lambda prompt, settings: remix_modal(
        ID, make_request(prompt=prompt, settings=settings), PRICES, dropped=8
    ),
    "remix, improved": lambda prompt, settings: remix_modal(
        ID, make_request(prompt=prompt, settings=settings), PRICES, improve=Credits(10_000)
    ),
    "seven images, improved": lambda _prompt, settings: draft_modal(ID, 7, settings, PRICES, improve=Credits(10_000)),
    "amount": lambda _prompt, _settings: amount_modal(ID, quota.AMOUNT_TITLE, quota.AMOUNT_LABEL),
    "one image": lambda _prompt, settings: draft_modal(ID, 1, settings, PRICES),
    "seven images": lambda _prompt, settings: draft_modal(ID, 7, settings, PRICES),
    "eight images": lambda _prompt, settings: draft_modal(ID, 8, settings, PRICES),
}


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=str)
@pytest.mark.parametrize("kind", EVERY)
def test_a_modal_keeps_within_discords_limits(kind: str, settings: Settings) -> None:
    for prompt in PROMPTS:
        check(EVERY[kind](prompt, settings).to_dict())


@pytest.mark.parametrize("images", range(1, REFERENCES_MAX + 1))
def test_a_draft_takes_as_many_files_as_there_is_room_for(images: int) -> None:
    fields = {field["custom_id"]: field for field in fields_of(draft_modal(ID, images, Settings(), PRICES).to_dict())}

    assert fields.get("files", {"max_values": 0})["max_values"] == REFERENCES_MAX - images


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=str)
def test_a_modal_shows_the_settings_as_chosen(settings: Settings) -> None:
    modal = remix_modal(ID, make_request(settings=settings, count=3), PRICES).to_dict()
    fields = {field["custom_id"]: field for field in fields_of(modal)}
    selected = [
        [option["value"] for option in fields[name]["options"] if option["default"]]
        for name in ("model", "ratio", "resolution", "count")
    ]

    assert selected == [[settings.model], [settings.aspect_ratio], [settings.resolution], ["3"]]


async def test_what_was_answered_is_read(messages: MessageMaker) -> None:
    answers = [
        label({"type": 4, "custom_id": "prompt", "value": "make it blue"}),
        label({"type": 3, "custom_id": "model", "values": ["flex"]}),
        label({"type": 3, "custom_id": "ratio", "values": ["16:9"]}),
        label({"type": 3, "custom_id": "resolution", "values": ["2K"]}),
        label({"type": 3, "custom_id": "count", "values": ["3"]}),
        label({"type": 19, "custom_id": "files", "values": ["2", "1"]}),
    ]
    files = {str(n): {"id": str(n), "url": f"https://cdn/{n}", "filename": f"{n}.png", "size": n} for n in (1, 2)}

    assert await read(messages, answers, {"attachments": files}) == Form(
        "make it blue",
        Model.FLEX,
        AspectRatio.WIDE,
        Resolution.TWO_K,
        3,
        tuple(Source(f"https://cdn/{n}", f"{n}.png", n, UserId(messages.alice.id)) for n in (2, 1)),
    )


@pytest.mark.parametrize(
    ("ticked", "resolution", "improve"),
    [
        ([], Resolution.ONE_K, None),
        (["2K"], Resolution.TWO_K, None),
        (["improve", 7], Resolution.ONE_K, Credits(0)),
        (["2K", "improve.2500"], Resolution.TWO_K, Credits("2.5")),
        (["improve.-1", "improved"], Resolution.ONE_K, Credits(0)),
        ("improve", None, None),
        (7, None, None),
    ],
)
async def test_boxes_that_were_ticked_are_read(
    messages: MessageMaker, ticked: Any, resolution: Resolution | None, *, improve: Credits | None
) -> None:
    form = await read(messages, [label({"type": 22, "custom_id": "options", "values": ticked})])

    assert (form.resolution, form.improve) == (resolution, improve)


NOTHING = Form("", None, None, None, None, ())


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [{}],
        [{"type": 18}],
        [{"type": 10, "id": 1}],
        [{"type": 4, "custom_id": "prompt"}],
        [{"type": 4, "custom_id": "prompt", "value": None}],
        [{"type": 4, "custom_id": "other", "value": "x"}],
        [{"type": 3, "custom_id": "model", "values": []}],
        [{"type": 3, "custom_id": "model", "values": ["gpt"]}],
        [{"type": 3, "custom_id": "model", "value": "flex"}],
        [{"type": 3, "custom_id": "ratio", "values": [17]}],
        [{"type": 3, "custom_id": "resolution", "values": [None, "2K"]}],
        [{"type": 3, "custom_id": "count", "values": ["5"]}],
        [{"type": 19, "custom_id": "files", "values": ["404"]}],
        [{"type": 19, "custom_id": "files"}],
    ],
)
async def test_what_was_not_asked_or_offered_counts_as_nothing(
    messages: MessageMaker, answers: list[dict[str, Any]]
) -> None:
    assert await read(messages, answers) == NOTHING
    assert await read(messages, [label(answer) for answer in answers]) == NOTHING
    assert await read(messages, [{"type": 1, "components": answers}]) == NOTHING


async def read(messages: MessageMaker, answers: list[dict[str, Any]], resolved: dict[str, Any] | None = None) -> Form:
    """What is read of a modal that was submitted so."""
    data: dict[str, Any] = {"custom_id": str(ID), "components": answers}
    if resolved is not None:
        data["resolved"] = resolved
    forms: list[Form] = []

    async def on_interaction(interaction: discord.Interaction[Any]) -> None:
        forms.append(read_form(interaction))

    messages.env.bot.event(on_interaction)
    _, payload = base_payload(
        messages.env.backend,
        type=InteractionType.MODAL_SUBMIT,
        channel_id=messages.channel.id,
        guild_id=messages.env.guild.id,
        user_id=messages.alice.id,
        data=data,
    )
    messages.env.backend.emit("INTERACTION_CREATE", payload)
    await messages.env.settle()
    (form,) = forms
    return form


def label(component: dict[str, Any]) -> dict[str, Any]:
    return {"type": 18, "id": 1, "component": component}


def fields_of(modal: dict[str, Any]) -> list[dict[str, Any]]:
    return [label["component"] for label in modal["components"]]


def check(modal: dict[str, Any]) -> None:
    """Hold a modal to Discord's limits, as it goes over the wire."""
    assert 1 <= len(modal["title"]) <= 45
    assert 1 <= len(modal["custom_id"]) <= 100
    assert 1 <= len(modal["components"]) <= 5
    for component in modal["components"]:
        assert 1 <= len(component["label"]) <= 45
        assert len(component.get("description") or "") <= 100
    ids = [field["custom_id"] for field in fields_of(modal)]
    assert len(set(ids)) == len(ids)
    for field in fields_of(modal):
        assert 1 <= len(field["custom_id"]) <= 100
        assert len(field.get("placeholder") or "") <= 100
        if field["type"] == discord.ComponentType.text_input.value:
            assert len(field.get("value") or "") <= field["max_length"] <= 4000
        if field["type"] == discord.ComponentType.file_upload.value:
            assert 0 <= field["min_values"] <= field["max_values"] <= 10
        if field["type"] == discord.ComponentType.checkbox_group.value:
            assert all(len(box.get("description") or "") <= 100 for box in field["options"])
        else:
            check_options(field.get("options") or [])


def check_options(options: list[dict[str, Any]]) -> None:
    """At most 25, with one selected beforehand, so that nobody has to choose."""
    if options:
        assert len(options) <= 25
        assert [option["default"] for option in options].count(True) == 1
        assert len({option["value"] for option in options}) == len(options)
    for option in options:
        assert 1 <= len(option["label"]) <= 100
        assert 1 <= len(option["value"]) <= 100
