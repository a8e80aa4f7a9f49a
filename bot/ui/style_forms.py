"""The windows in which a style is written and references get a name; their custom ids tell what they are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import discord
from discord import ui

from bot.domain.credits import PriceList
from bot.domain.ids import ReferenceSetId, StyleId, from_base36, to_base36
from bot.domain.settings import AspectRatio, Model
from bot.domain.styles import NAME_MAX, TEMPLATE_MAX, Owner, ReferenceSet, Shared, Style
from bot.ui.custom_ids import CustomId
from bot.ui.modals import submitted_answers
from bot.ui.texts import styles as texts
from bot.ui.texts.commands import aspect_ratio_choice, model_choice

_NAME, _TEMPLATE, _MODEL, _RATIO, _SET, _WHOSE = "name", "template", "model", "ratio", "set", "whose"
_ANY = "any"
_SHAPES = tuple(ratio for ratio in AspectRatio if ratio is not AspectRatio.AUTO)


@dataclass(frozen=True, slots=True)
class SetForm:
    """What was submitted about images to be saved."""

    name: str
    shared: Shared


def style_modal(
    custom_id: CustomId, title: str, style: Style | None, sets: Sequence[ReferenceSet], prices: PriceList
) -> ui.Modal:
    """Write a style, or change one; ``sets`` are those that it can have."""
    models = [(model.value, model_choice(model, prices)) for model in Model]
    shapes = [(ratio.value, aspect_ratio_choice(ratio)) for ratio in _SHAPES]
    names = [(to_base36(one.id), texts.named(one)) for one in sets]
    chosen_set = to_base36(style.reference_set) if style and style.reference_set else None
    fields = [
        _name(style.name if style else ""),
        ui.Label[Any](
            text=texts.TEMPLATE,
            description=texts.TEMPLATE_HINT,
            component=ui.TextInput[Any](
                custom_id=_TEMPLATE,
                style=discord.TextStyle.paragraph,
                default=style.template if style else None,
                placeholder=texts.TEMPLATE_PLACEHOLDER,
                min_length=1,
                max_length=TEMPLATE_MAX,
            ),
        ),
        _select(_MODEL, texts.MODEL, texts.ANY_MODEL, models, style.model if style else None),
        _select(_RATIO, texts.SHAPE, texts.ANY_SHAPE, shapes, style.aspect_ratio if style else None),
    ]
    if names:
        fields.append(_select(_SET, texts.SETS, texts.NO_SET, names, chosen_set))
    return _modal(custom_id, title, fields)


def set_modal(custom_id: CustomId, *, for_server: bool) -> ui.Modal:
    """Name the images of a message; who may manage the server's is asked for whom."""
    fields = [_name("", texts.SET_NAME_HINT)]
    if for_server:
        options = [
            discord.SelectOption(label=label, value=shared.value, default=shared is Shared.OWN)
            for shared, label in texts.WHOSE_CHOICES.items()
        ]
        fields.append(ui.Label[Any](text=texts.SAVE_FOR, component=ui.Select[Any](custom_id=_WHOSE, options=options)))
    return _modal(custom_id, texts.SAVE_TITLE, fields)


def read_style(interaction: discord.Interaction[Any], style_id: StyleId, owner: Owner) -> Style:
    """What was submitted. A choice that the window did not offer counts as none."""
    answers, _ = submitted_answers(interaction)
    model, ratio = _chosen(answers.get(_MODEL)), _chosen(answers.get(_RATIO))
    return Style(
        owner=owner,
        name=str(answers.get(_NAME) or ""),
        id=style_id,
        template=str(answers.get(_TEMPLATE) or ""),
        model=next((one for one in Model if one == model), None),
        aspect_ratio=next((one for one in _SHAPES if one == ratio), None),
        reference_set=_set_id(_chosen(answers.get(_SET))),
    )


def read_set(interaction: discord.Interaction[Any]) -> SetForm:
    """What was submitted."""
    answers, _ = submitted_answers(interaction)
    shared = Shared.SERVER if _chosen(answers.get(_WHOSE)) == Shared.SERVER else Shared.OWN
    return SetForm(str(answers.get(_NAME) or ""), shared)


def _name(default: str, hint: str = texts.NAME_HINT) -> ui.Label[Any]:
    field = ui.TextInput[Any](custom_id=_NAME, default=default or None, min_length=1, max_length=NAME_MAX)
    return ui.Label[Any](text=texts.NAME, description=hint, component=field)


def _select(
    custom_id: str, label: str, nothing: str, options: Sequence[tuple[str, str]], chosen: str | None
) -> ui.Label[Any]:
    listed = [(_ANY, nothing), *options]
    known = chosen if chosen in {value for value, _ in options} else _ANY
    offered = [discord.SelectOption(label=name, value=value, default=value == known) for value, name in listed]
    return ui.Label[Any](text=label, component=ui.Select[Any](custom_id=custom_id, options=offered))


def _modal(custom_id: CustomId, title: str, fields: Sequence[ui.Label[Any]]) -> ui.Modal:
    modal = ui.Modal(title=title, custom_id=str(custom_id))
    for field in fields:
        modal.add_item(field)
    modal.stop()  # else discord.py keeps the modal in memory until it is submitted
    return modal


def _chosen(values: Any) -> str:
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else _ANY


def _set_id(text: str) -> ReferenceSetId | None:
    if text == _ANY:
        return None
    try:
        return ReferenceSetId(from_base36(text))
    except ValueError:
        return None
