"""/preferences: one private panel, which saves each choice at once."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import discord
from discord import ui

from bot.domain.credits import Credits, PriceList
from bot.domain.errors import GenerationGone
from bot.domain.ids import UserId
from bot.domain.preferences import Preferences
from bot.domain.settings import COUNT_MAX, AspectRatio, Model, Resolution
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.interactions import edit_answer, owner_of
from bot.ui.services import Services
from bot.ui.texts import preferences as texts
from bot.ui.texts.amounts import number

_CONFIRM_ABOVE: Final = tuple(map(Credits, (0, 5, 10, 20, 50, 100)))


class Preference(StrEnum):
    """A field of :class:`Preferences`."""

    MODEL = "model"
    SHAPE = "aspect_ratio"
    SIZE = "resolution"
    COUNT = "count"
    CONFIRM = "confirm_above"
    PRIVATE = "private"
    PING = "ping"


_ALL: Final = tuple(Preference)
_SWITCHES: Final = {Preference.PRIVATE: "Private", Preference.PING: "Ping"}
_VALUES: Final[Mapping[Preference, Mapping[str, object]]] = {
    Preference.MODEL: {model.value: model for model in Model},
    Preference.SHAPE: {ratio.value: ratio for ratio in AspectRatio if ratio is not AspectRatio.AUTO},
    Preference.SIZE: {resolution.value: resolution for resolution in Resolution},
    Preference.COUNT: {str(count): count for count in range(1, COUNT_MAX + 1)},
    Preference.CONFIRM: {number(amount): amount for amount in _CONFIRM_ABOVE},
}
"""What each select offers beside the bot's default, by the values that Discord sends."""


def panel(user: UserId, chosen: Preferences, prices: PriceList) -> ui.LayoutView:
    """What a member has chosen, with everything that can be."""
    labels = {
        Preference.MODEL: texts.models(prices),
        Preference.SHAPE: texts.shapes(),
        Preference.SIZE: texts.sizes(),
        Preference.COUNT: texts.counts(COUNT_MAX),
        Preference.CONFIRM: texts.confirmations(_CONFIRM_ABOVE),
    }
    price = prices.of(chosen.settings(has_images=False)) * chosen.images
    switches = [_switch(user, preference, on=getattr(chosen, preference)) for preference in _SWITCHES]
    return finished_view(
        BLURPLE,
        ui.TextDisplay(texts.TITLE),
        *(ui.ActionRow[Any](_select(user, each, chosen, options)) for each, options in labels.items()),
        ui.ActionRow[Any](*switches),
        ui.TextDisplay(texts.SWITCHES),
        ui.Separator[Any](),
        ui.TextDisplay(texts.result(chosen, price)),
    )


async def choose(services: Services, interaction: discord.Interaction[Any], select: CustomId) -> None:
    """Something was selected."""
    preference = _preference(select.extra, of=_VALUES)
    match (interaction.data or {}).get("values"):
        case [str(value)] if value == texts.DEFAULT or value in _VALUES[preference]:
            await _save(services, interaction, select, preference, _VALUES[preference].get(value))
        case _:
            raise GenerationGone


async def switch(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """A switch was pressed: twice in a row it does the same."""
    place, on = divmod(button.extra, 2)
    await _save(services, interaction, button, _preference(place, of=_SWITCHES), bool(on))


async def _save(
    services: Services, interaction: discord.Interaction[Any], item: CustomId, preference: Preference, value: object
) -> None:
    user = owner_of(interaction, item)
    await interaction.response.defer()
    chosen = await services.preferences.change(user, **{preference.value: value})
    await edit_answer(interaction, lambda _words: panel(user, chosen, services.prices))


def _preference(place: int, *, of: Mapping[Preference, object]) -> Preference:
    if place >= len(_ALL) or _ALL[place] not in of:
        raise GenerationGone
    return _ALL[place]


def _select(
    user: UserId, preference: Preference, chosen: Preferences, labels: Sequence[tuple[str, str]]
) -> ui.Select[Any]:
    value = getattr(chosen, preference)
    shown = number(value) if isinstance(value, Credits) else str(value)
    selected = texts.DEFAULT if value is None else shown
    options = [discord.SelectOption(label=label, value=value, default=value == selected) for value, label in labels]
    return ui.Select(custom_id=str(CustomId(Action.PREFER, user, _ALL.index(preference))), options=options)


def _switch(user: UserId, preference: Preference, *, on: bool) -> ui.Button[Any]:
    return ui.Button(
        label=texts.switch(_SWITCHES[preference], on=on),
        style=discord.ButtonStyle.success if on else discord.ButtonStyle.secondary,
        custom_id=str(CustomId(Action.SWITCH, user, 2 * _ALL.index(preference) + (not on))),
    )
