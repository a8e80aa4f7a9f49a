"""Modals: what they ask, and what was submitted. Their custom ids alone tell what to do with an answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar, cast

import discord
from discord import ui

from bot.domain.credits import Credits, PriceList
from bot.domain.generation import GenerationRequest, Source
from bot.domain.ids import UserId
from bot.domain.image_reports import REASON_MAX
from bot.domain.settings import COUNT_MAX, PROMPT_MIN, REFERENCES_MAX, AspectRatio, Model, Resolution, Settings
from bot.ui.custom_ids import Action, CustomId, in_thousandths, price_in_text, prices_of_text
from bot.ui.message_images import submitted_source
from bot.ui.prompts import typed_prompt
from bot.ui.texts import forms as texts
from bot.ui.texts.amounts import shortened
from bot.ui.texts.commands import aspect_ratio_choice, model_choice, resolution_choice
from bot.ui.texts.forms import PROMPT_SHOWN_MAX

_PROMPT, _MODEL, _RATIO, _RESOLUTION, _FILES = "prompt", "model", "ratio", "resolution", "files"
_OPTIONS, _IMPROVE = "options", "improve"
_COUNT, _AMOUNT, _REASON = "count", "amount", "reason"
_COUNTS = range(1, COUNT_MAX + 1)
_PRICED = tuple((model, resolution) for model in Model for resolution in Resolution)
_AMOUNT_SUGGESTED = "50"
_AMOUNT_LENGTH_MAX = 12

_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Form:
    """What a member submitted. What the modal did not ask is None."""

    prompt: str
    model: Model | None
    aspect_ratio: AspectRatio | None
    resolution: Resolution | None
    count: int | None
    files: tuple[Source, ...]
    improve: Credits | None = None
    """The member wants to choose from other words first, at this price that they saw."""
    prices: Mapping[tuple[Model, Resolution], Credits] = field(default_factory=dict[tuple[Model, Resolution], Credits])
    """What one image costs, as the modal showed it; empty for one of an earlier version."""


def edit_modal(
    custom_id: CustomId, settings: Settings, prices: PriceList, *, improve: Credits | None = None
) -> ui.Modal:
    """Edit one image of ours: what to change is left to write.

    ``improve``: the price of the prompt helper, which the member can ask for; None without one.
    """
    return _modal(
        _with_prices(custom_id, prices),
        texts.EDIT_TITLE,
        _prompt("", texts.change_hint(1)),
        *_settings(settings, prices, improve=improve),
        _files(used=1),
    )


def draft_modal(
    custom_id: CustomId, images: int, settings: Settings, prices: PriceList, *, improve: Credits | None = None
) -> ui.Modal:
    """Edit the images of any message, all of which are used; ``improve`` as for :func:`edit_modal`."""
    files = [_files(used=images)] if images < REFERENCES_MAX else []
    fields = _settings(settings, prices, improve=improve)
    return _modal(
        _with_prices(custom_id, prices), texts.EDIT_TITLE, _prompt("", texts.change_hint(images)), *fields, *files
    )


def remix_modal(
    custom_id: CustomId,
    request: GenerationRequest,
    prices: PriceList,
    *,
    dropped: int = 0,
    improve: Credits | None = None,
) -> ui.Modal:
    """A new request from the words and settings of an earlier one.

    ``dropped`` references are somebody else's; ``improve`` as for :func:`edit_modal`.
    """
    failed = custom_id.action is Action.EDIT_PROMPT
    return _modal(
        _with_prices(custom_id, prices),
        texts.EDIT_PROMPT_TITLE if failed else texts.REMIX_TITLE,
        _prompt(request.prompt, texts.without_images(dropped) if dropped else texts.PROMPT_HINT, texts.NEW_PLACEHOLDER),
        *_settings(request.settings, prices, improve=improve),
        _count(request.count),
    )


def amount_modal(custom_id: CustomId, title: str, label: str) -> ui.Modal:
    """Ask for an amount of credits."""
    field = ui.TextInput[Any](custom_id=_AMOUNT, default=_AMOUNT_SUGGESTED, min_length=1, max_length=_AMOUNT_LENGTH_MAX)
    return _modal(custom_id, title, ui.Label[Any](text=label, component=field))


def reason_modal(custom_id: CustomId, title: str, label: str, hint: str) -> ui.Modal:
    """Ask for a reason, which may be left out."""
    field = ui.TextInput[Any](
        custom_id=_REASON, style=discord.TextStyle.paragraph, required=False, max_length=REASON_MAX
    )
    return _modal(custom_id, title, ui.Label[Any](text=label, description=hint, component=field))


def read_reason(interaction: discord.Interaction[Any]) -> str:
    """What was typed as a reason, on one line."""
    answers, _ = submitted_answers(interaction)
    return shortened(str(answers.get(_REASON) or ""), REASON_MAX)


def read_amount(interaction: discord.Interaction[Any]) -> str:
    """What was typed as an amount."""
    answers, _ = submitted_answers(interaction)
    return str(answers.get(_AMOUNT) or "")


def read_form(interaction: discord.Interaction[Any]) -> Form:
    """What was submitted. A choice that the modal did not offer counts as none."""
    answers, attachments = submitted_answers(interaction)
    owner = UserId(interaction.user.id)
    return Form(
        prompt=typed_prompt(interaction, str(answers.get(_PROMPT) or "")),
        model=_known(Model, answers.get(_MODEL)),
        aspect_ratio=_known(AspectRatio, answers.get(_RATIO)),
        resolution=_size(answers),
        count=next((number for number in _COUNTS if str(number) == _first(answers.get(_COUNT))), None),
        files=tuple(
            submitted_source(attachments[file_id], owner)
            for file_id in answers.get(_FILES) or ()
            if file_id in attachments
        ),
        improve=_improve(_ticked(answers) or ()),
        prices=_prices(str((interaction.data or {}).get("custom_id"))),
    )


def _with_prices(custom_id: CustomId, prices: PriceList) -> CustomId:
    return replace(custom_id, text="-".join(price_in_text(prices.prices[of]) for of in _PRICED))


def _modal(custom_id: CustomId, title: str, *fields: ui.Label[Any]) -> ui.Modal:
    modal = ui.Modal(title=title, custom_id=str(custom_id))
    for one in fields:
        modal.add_item(one)
    modal.stop()  # else discord.py keeps the modal in memory until it is submitted
    return modal


def _settings(chosen: Settings, prices: PriceList, *, improve: Credits | None) -> list[ui.Label[Any]]:
    size = _resolution(chosen.resolution, improve=improve)
    return [_model(chosen.model, prices), _ratio(chosen.aspect_ratio), size]


def _prompt(prompt: str, hint: str, placeholder: str = texts.PROMPT_PLACEHOLDER) -> ui.Label[Any]:
    field = ui.TextInput[Any](
        custom_id=_PROMPT,
        style=discord.TextStyle.paragraph,
        default=prompt[:PROMPT_SHOWN_MAX] or None,
        placeholder=placeholder,
        min_length=PROMPT_MIN,
        max_length=PROMPT_SHOWN_MAX,
    )
    description = hint if len(prompt) <= PROMPT_SHOWN_MAX else texts.PROMPT_CUT_HINT
    return ui.Label[Any](text=texts.PROMPT, description=description, component=field)


def _model(chosen: Model, prices: PriceList) -> ui.Label[Any]:
    return _select(_MODEL, texts.MODEL, [_option(model, model_choice(model, prices), chosen) for model in Model])


def _ratio(chosen: AspectRatio) -> ui.Label[Any]:
    options = [_option(ratio, aspect_ratio_choice(ratio), chosen) for ratio in AspectRatio]
    return _select(_RATIO, texts.ASPECT_RATIO, options)


def _resolution(chosen: Resolution, *, improve: Credits | None) -> ui.Label[Any]:
    """The size; with a prompt helper one box to tick of two, since a modal holds five fields."""
    if improve is not None:
        larger, asked = Resolution.TWO_K, chosen is Resolution.TWO_K
        boxes = [
            discord.CheckboxGroupOption(label=resolution_choice(larger), value=larger.value, default=asked),
            discord.CheckboxGroupOption(
                label=texts.improve(improve),
                value=f"{_IMPROVE}.{in_thousandths(improve)}" if improve else _IMPROVE,
                description=texts.IMPROVE_HINT,
            ),
        ]
        group = ui.CheckboxGroup[Any](custom_id=_OPTIONS, required=False, min_values=0, options=boxes)
        return ui.Label[Any](text=texts.OPTIONS, component=group)
    options = [_option(resolution, resolution_choice(resolution), chosen) for resolution in Resolution]
    return _select(_RESOLUTION, texts.RESOLUTION, options)


def _count(chosen: int) -> ui.Label[Any]:
    options = [
        discord.SelectOption(label=texts.images(number), value=str(number), default=number == chosen)
        for number in _COUNTS
    ]
    return _select(_COUNT, texts.COUNT, options)


def _select(custom_id: str, label: str, options: list[discord.SelectOption]) -> ui.Label[Any]:
    return ui.Label[Any](text=label, component=ui.Select[Any](custom_id=custom_id, options=options))


def _option(choice: StrEnum, label: str, chosen: StrEnum) -> discord.SelectOption:
    return discord.SelectOption(label=label, value=choice.value, default=choice is chosen)


def _files(*, used: int) -> ui.Label[Any]:
    field = ui.FileUpload[Any](custom_id=_FILES, required=False, min_values=0, max_values=REFERENCES_MAX - used)
    return ui.Label[Any](text=texts.FILES, component=field)


def _size(answers: Mapping[str, Any]) -> Resolution | None:
    """Of a form with boxes to tick, 1K unless the other is ticked."""
    if (ticked := _ticked(answers)) is not None:
        return Resolution.TWO_K if Resolution.TWO_K.value in ticked else Resolution.ONE_K
    return _known(Resolution, answers.get(_RESOLUTION))


def _prices(custom_id: str) -> Mapping[tuple[Model, Resolution], Credits]:
    parsed = CustomId.parse(custom_id)
    prices = prices_of_text(parsed.text) if parsed is not None else []
    return dict(zip(_PRICED, prices, strict=True)) if len(prices) == len(_PRICED) else {}


def _improve(ticked: Iterable[Any]) -> Credits | None:
    """The price that stood on the box, if it is ticked."""
    for box in ticked:
        name, _, price = str(box).partition(".")
        if name == _IMPROVE:
            return Credits(price) / 1000 if price.isascii() and price.isdecimal() else Credits(0)
    return None


def _ticked(answers: Mapping[str, Any]) -> list[Any] | None:
    ticked: Any = answers.get(_OPTIONS)
    return cast("list[Any]", ticked) if isinstance(ticked, list) else None


def submitted_answers(interaction: discord.Interaction[Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The answers by their fields' custom ids, and the attachments by their ids."""
    data = cast("dict[str, Any]", interaction.data or {})
    return dict(_answers(data.get("components", ()))), data.get("resolved", {}).get("attachments", {})


def _answers(components: Iterable[dict[str, Any]]) -> Iterable[tuple[str, Any]]:
    """What each field holds: a text, or a list of choices."""
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
    return kind(value) if value in {choice.value for choice in kind} else None
