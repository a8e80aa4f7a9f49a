"""The modals, within Discord's limits; and what is read of answers, whoever wrote them."""

from collections.abc import Callable
from itertools import product
from typing import Any

import discord
import pytest
from discord import ui
from simcord.enums import InteractionType
from simcord.interactions import base_payload

from bot.domain.credits import KIE_PRICES, PriceList
from bot.domain.generation import Source
from bot.domain.settings import REFERENCES_MAX, AspectRatio, Model, Resolution, Settings
from bot.ui.custom_ids import Action, CustomId
from bot.ui.modals import Form, draft_modal, edit_modal, prompt_modal, read_form, which_modal
from tests.ui.sights import Sights

ID = CustomId(Action.EDIT, (1 << 63) - 1)
PROMPTS = ["", "a red fox", "鷺" * 5000, "🦊" * 5000]
NAMES = [Source("https://cdn.discordapp.com/x", f"easel-{(1 << 63) - 1}-{n}.webp") for n in range(4)]
PRICES = PriceList(KIE_PRICES)
ALL_SETTINGS = [Settings(*one) for one in product(Model, AspectRatio, Resolution)]

EVERY: dict[str, Callable[[str, Settings], ui.Modal]] = {
    "edit": lambda prompt, settings: edit_modal(ID, NAMES[:1], prompt, settings, PRICES),
    "edit one of four": lambda prompt, settings: edit_modal(ID, NAMES, prompt, settings, PRICES),
    "other words": lambda prompt, settings: prompt_modal(ID, prompt, settings, PRICES),
    "larger": lambda _prompt, _settings: which_modal(ID, NAMES),
    "one picture": lambda _prompt, _settings: draft_modal(ID, 1, PRICES),
    "seven pictures": lambda _prompt, _settings: draft_modal(ID, 7, PRICES),
    "eight pictures": lambda _prompt, _settings: draft_modal(ID, 8, PRICES),
}


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=str)
@pytest.mark.parametrize("kind", EVERY)
def test_a_modal_keeps_within_discords_limits(kind: str, settings: Settings) -> None:
    for prompt in PROMPTS:
        check(EVERY[kind](prompt, settings).to_dict())


@pytest.mark.parametrize("pictures", range(1, REFERENCES_MAX + 1))
def test_a_draft_takes_as_many_files_as_there_is_room_for(pictures: int) -> None:
    fields = {field["custom_id"]: field for field in inside(draft_modal(ID, pictures, PRICES).to_dict())}

    assert fields.get("files", {"max_values": 0})["max_values"] == REFERENCES_MAX - pictures


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=str)
def test_a_modal_shows_the_settings_as_chosen(settings: Settings) -> None:
    fields = {field["custom_id"]: field for field in inside(prompt_modal(ID, "a red fox", settings, PRICES).to_dict())}
    shown = [[option["value"] for option in fields[name]["options"] if option["default"]] for name in OFFERED]

    assert shown == [[settings.model], [settings.aspect_ratio], [settings.resolution]]


OFFERED = ("model", "ratio", "resolution")


async def test_what_was_answered_is_read(sights: Sights) -> None:
    answers = [
        label({"type": 4, "custom_id": "prompt", "value": "make it blue"}),
        label({"type": 3, "custom_id": "picture", "values": ["b.png"]}),
        label({"type": 3, "custom_id": "model", "values": ["flex"]}),
        label({"type": 3, "custom_id": "ratio", "values": ["16:9"]}),
        label({"type": 3, "custom_id": "resolution", "values": ["2K"]}),
        label({"type": 19, "custom_id": "files", "values": ["2", "1"]}),
    ]
    files = {str(n): {"id": str(n), "url": f"https://cdn/{n}", "filename": f"{n}.png", "size": n} for n in (1, 2)}

    assert await read(sights, answers, {"attachments": files}) == Form(
        "make it blue",
        "b.png",
        Model.FLEX,
        AspectRatio.WIDE,
        Resolution.TWO_K,
        (Source("https://cdn/2", "2.png", 2), Source("https://cdn/1", "1.png", 1)),
    )


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
        [{"type": 19, "custom_id": "files", "values": []}],
        [{"type": 19, "custom_id": "files", "values": ["404"]}],
        [{"type": 19, "custom_id": "files"}],
    ],
)
async def test_what_was_not_asked_or_offered_counts_as_nothing(sights: Sights, answers: list[dict[str, Any]]) -> None:
    assert await read(sights, answers) == NOTHING
    assert await read(sights, [label(one) for one in answers]) == NOTHING
    assert await read(sights, [{"type": 1, "components": answers}]) == NOTHING


async def read(sights: Sights, answers: list[dict[str, Any]], resolved: dict[str, Any] | None = None) -> Form:
    """What is read of a modal that was sent off so."""
    data: dict[str, Any] = {"custom_id": str(ID), "components": answers}
    if resolved is not None:
        data["resolved"] = resolved
    forms: list[Form] = []

    async def on_interaction(interaction: discord.Interaction[Any]) -> None:
        forms.append(read_form(interaction))

    sights.env.bot.event(on_interaction)
    _, payload = base_payload(
        sights.env.backend,
        type=InteractionType.MODAL_SUBMIT,
        channel_id=sights.channel.id,
        guild_id=sights.env.guild.id,
        user_id=sights.alice.id,
        data=data,
    )
    sights.env.backend.emit("INTERACTION_CREATE", payload)
    await sights.env.settle()
    (form,) = forms
    return form


def label(component: dict[str, Any]) -> dict[str, Any]:
    return {"type": 18, "id": 1, "component": component}


def inside(modal: dict[str, Any]) -> list[dict[str, Any]]:
    return [one["component"] for one in modal["components"]]


def check(modal: dict[str, Any]) -> None:
    """Hold a modal to Discord's limits, as it goes over the wire."""
    assert 1 <= len(modal["title"]) <= 45
    assert 1 <= len(modal["custom_id"]) <= 100
    assert 1 <= len(modal["components"]) <= 5
    for one in modal["components"]:
        assert 1 <= len(one["label"]) <= 45
        assert len(one.get("description") or "") <= 100
    ids = [field["custom_id"] for field in inside(modal)]
    assert len(set(ids)) == len(ids)
    for field in inside(modal):
        assert 1 <= len(field["custom_id"]) <= 100
        assert len(field.get("placeholder") or "") <= 100
        if field["type"] == discord.ComponentType.text_input.value:
            assert len(field.get("value") or "") <= field["max_length"] <= 4000
        if field["type"] == discord.ComponentType.file_upload.value:
            assert 0 <= field["min_values"] <= field["max_values"] <= 10
        check_options(field.get("options") or [])


def check_options(options: list[dict[str, Any]]) -> None:
    """At most 25, with one chosen beforehand, so that nobody has to choose."""
    if options:
        assert len(options) <= 25
        assert [option["default"] for option in options].count(True) == 1
        assert len({option["value"] for option in options}) == len(options)
    for option in options:
        assert 1 <= len(option["label"]) <= 100
        assert 1 <= len(option["value"]) <= 100
        assert len(option.get("description") or "") <= 100
