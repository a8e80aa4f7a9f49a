"""The modals of editing: what they ask, and what was answered. They are found again by their custom ids alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

import discord
from discord import ui

from bot.domain.credits import PriceList
from bot.domain.generation import Source
from bot.domain.settings import PROMPT_MIN, REFERENCES_MAX, AspectRatio, Model, Resolution, Settings
from bot.ui.custom_ids import CustomId
from bot.ui.texts import editing
from bot.ui.texts.commands import model_choice

PROMPT_SHOWN_MAX = 4000
"""Discord's limit on a modal's text input; KIE takes a thousand more."""

_PROMPT, _PICTURE, _MODEL, _RATIO, _RESOLUTION, _FILES = "prompt", "picture", "model", "ratio", "resolution", "files"
_AMOUNT = "amount"

_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Form:
    """What a member sent off. What the modal did not ask is None."""

    prompt: str
    picture: str | None
    model: Model | None
    aspect_ratio: AspectRatio | None
    resolution: Resolution | None
    files: tuple[Source, ...]


def edit_modal(
    custom_id: CustomId, pictures: Sequence[Source], prompt: str, settings: Settings, prices: PriceList
) -> ui.Modal:
    """Edit one of a card's pictures: with several it asks which, in place of the shape."""
    modal = _modal(custom_id, editing.EDIT_TITLE)
    modal.add_item(_prompt(prompt, editing.PROMPT_HINT))
    if len(pictures) > 1:
        modal.add_item(_which(pictures))
    modal.add_item(_model(settings.model, prices))
    if len(pictures) <= 1:
        modal.add_item(_ratio(settings.aspect_ratio))
    modal.add_item(_resolution(settings.resolution))
    modal.add_item(_files(1))
    return _sendable(modal)


def draft_modal(custom_id: CustomId, pictures: int, prices: PriceList) -> ui.Modal:
    """Edit the pictures of any message, all of which are used."""
    settings = Settings(aspect_ratio=AspectRatio.AUTO)
    modal = _modal(custom_id, editing.EDIT_TITLE)
    modal.add_item(_prompt("", editing.pictures_hint(pictures)))
    modal.add_item(_model(settings.model, prices))
    modal.add_item(_ratio(settings.aspect_ratio))
    modal.add_item(_resolution(settings.resolution))
    if pictures < REFERENCES_MAX:
        modal.add_item(_files(pictures))
    return _sendable(modal)


def prompt_modal(custom_id: CustomId, prompt: str, settings: Settings, prices: PriceList) -> ui.Modal:
    """Try a wish that failed in other words."""
    modal = _modal(custom_id, editing.EDIT_PROMPT_TITLE)
    modal.add_item(_prompt(prompt, editing.PROMPT_ALONE_HINT))
    modal.add_item(_model(settings.model, prices))
    modal.add_item(_ratio(settings.aspect_ratio))
    modal.add_item(_resolution(settings.resolution))
    return _sendable(modal)


def which_modal(custom_id: CustomId, pictures: Sequence[Source]) -> ui.Modal:
    """Choose one of a card's pictures."""
    modal = _modal(custom_id, editing.LARGER_TITLE)
    modal.add_item(_which(pictures))
    return _sendable(modal)


def amount_modal(custom_id: CustomId, title: str, label: str) -> ui.Modal:
    """How many credits."""
    modal = _modal(custom_id, title)
    field = ui.TextInput[Any](custom_id=_AMOUNT, default="50", min_length=1, max_length=12)
    modal.add_item(ui.Label[Any](text=label, component=field))
    return _sendable(modal)


def read_amount(interaction: discord.Interaction[Any]) -> str:
    """What was typed as an amount."""
    data = cast("dict[str, Any]", interaction.data or {})
    return str(dict(_answers(data.get("components", ()))).get(_AMOUNT) or "")


def read_form(interaction: discord.Interaction[Any]) -> Form:
    """What was sent off. A choice that the modal did not offer counts as none."""
    data = cast("dict[str, Any]", interaction.data or {})
    answers = dict(_answers(data.get("components", ())))
    files: dict[str, dict[str, Any]] = data.get("resolved", {}).get("attachments", {})
    return Form(
        prompt=str(answers.get(_PROMPT) or ""),
        picture=_first(answers.get(_PICTURE)),
        model=_known(Model, answers.get(_MODEL)),
        aspect_ratio=_known(AspectRatio, answers.get(_RATIO)),
        resolution=_known(Resolution, answers.get(_RESOLUTION)),
        files=tuple(
            Source(files[one]["url"], files[one]["filename"], files[one]["size"])
            for one in answers.get(_FILES) or ()
            if one in files
        ),
    )


def _modal(custom_id: CustomId, title: str) -> ui.Modal:
    return ui.Modal(title=title, custom_id=str(custom_id))


def _sendable(modal: ui.Modal) -> ui.Modal:
    # A stopped modal is not kept in memory by the library: it is read by its custom id, in any process.
    modal.stop()
    return modal


def _prompt(prompt: str, hint: str) -> ui.Label[Any]:
    field = ui.TextInput[Any](
        custom_id=_PROMPT,
        style=discord.TextStyle.paragraph,
        default=prompt[:PROMPT_SHOWN_MAX] or None,
        placeholder=editing.PROMPT_PLACEHOLDER,
        min_length=PROMPT_MIN,
        max_length=PROMPT_SHOWN_MAX,
    )
    shown = hint if len(prompt) <= PROMPT_SHOWN_MAX else editing.PROMPT_CUT_HINT
    return ui.Label[Any](text=editing.PROMPT_LABEL, description=shown, component=field)


def _which(pictures: Sequence[Source]) -> ui.Label[Any]:
    options = [
        discord.SelectOption(
            label=editing.picture_choice(number, len(pictures)), value=picture.filename, default=number == 1
        )
        for number, picture in enumerate(pictures, start=1)
    ]
    return ui.Label[Any](text=editing.PICTURE_LABEL, component=ui.Select[Any](custom_id=_PICTURE, options=options))


def _model(chosen: Model, prices: PriceList) -> ui.Label[Any]:
    options = [_option(one, model_choice(one, prices), chosen) for one in Model]
    return ui.Label[Any](text=editing.MODEL_LABEL, component=ui.Select[Any](custom_id=_MODEL, options=options))


def _ratio(chosen: AspectRatio) -> ui.Label[Any]:
    options = [_option(one, editing.ratio_option(one), chosen) for one in AspectRatio]
    return ui.Label[Any](text=editing.ASPECT_RATIO_LABEL, component=ui.Select[Any](custom_id=_RATIO, options=options))


def _resolution(chosen: Resolution) -> ui.Label[Any]:
    options = [_option(one, editing.resolution_option(one), chosen) for one in Resolution]
    return ui.Label[Any](
        text=editing.RESOLUTION_LABEL, component=ui.Select[Any](custom_id=_RESOLUTION, options=options)
    )


def _option(one: StrEnum, label: str, chosen: StrEnum) -> discord.SelectOption:
    return discord.SelectOption(label=label, value=one.value, default=one is chosen)


def _files(used: int) -> ui.Label[Any]:
    field = ui.FileUpload[Any](custom_id=_FILES, required=False, min_values=0, max_values=REFERENCES_MAX - used)
    return ui.Label[Any](text=editing.FILES_LABEL, component=field)


def _answers(components: Iterable[dict[str, Any]]) -> Iterable[tuple[str, Any]]:
    """What each field holds: a text, or a list of what was chosen."""
    for component in components:
        if "component" in component:
            yield from _answers([component["component"]])
        yield from _answers(component.get("components", ()))
        if "custom_id" in component:
            yield component["custom_id"], component.get("value", component.get("values"))


def _first(chosen: Any) -> str | None:
    match chosen:
        case [str(first), *_]:
            return first
        case _:
            return None


def _known(kind: type[_Choice], chosen: Any) -> _Choice | None:
    value = _first(chosen)
    return kind(value) if value in {one.value for one in kind} else None
