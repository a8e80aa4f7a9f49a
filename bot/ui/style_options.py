"""The options of commands that name a style or a reference set: what they offer, and what was chosen."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import discord
from discord import app_commands

from bot.domain.builtin_styles import BUILT_IN
from bot.domain.credits import Account, Credits, PriceList
from bot.domain.errors import NotAManager, StoreUnavailable
from bot.domain.preferences import Preferences
from bot.domain.settings import COUNT_MAX, REFERENCES_MAX, Model, Resolution, Settings
from bot.domain.style_errors import TooManyWithSet
from bot.domain.styles import ReferenceSet, Saved, Shared, Style
from bot.generation.preferences import MemberPreferences
from bot.generation.reference_sets import ReferenceSets
from bot.generation.styles import Styles
from bot.quota.service import QuotaService
from bot.ui.interactions import account_of, check_manager
from bot.ui.texts import styles as texts

_CHOICES_MAX: Final = 25
"""Discord's limit on an autocompletion."""
_SECONDS: Final = 2.0
"""Discord waits three seconds for the choices."""

_Interaction = discord.Interaction[Any]
_Choices = list[app_commands.Choice[str]]


class StyleOptions:
    """Serves ``style`` and ``references`` of /imagine, and the names that /style and /references take."""

    def __init__(
        self,
        styles: Styles,
        sets: ReferenceSets,
        quotas: QuotaService,
        preferences: MemberPreferences,
        prices: PriceList,
    ) -> None:
        self._styles = styles
        self._sets = sets
        self._quotas = quotas
        self._preferences = preferences
        self._prices = prices

    async def offer_styles(self, interaction: _Interaction, typed: str) -> _Choices:
        """Autocompletion: what can be used here, each with what the image costs with the options chosen so far."""
        found, preferences = list(BUILT_IN), Preferences()
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                account = account_of(interaction)
                found, preferences = await self._styles.visible(account), await self._preferences.of(account.user_id)
        priced = [(texts.style_choice(style, self._price(interaction, style, preferences)), style) for style in found]
        return _choices(priced, typed)

    async def offer_sets(self, interaction: _Interaction, typed: str) -> _Choices:
        """Autocompletion: the sets that can be used here."""
        found: list[ReferenceSet] = []
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                found = await self._sets.visible(account_of(interaction))
        return _choices([(texts.set_choice(saved), saved) for saved in found], typed)

    async def offer_own_styles(self, interaction: _Interaction, typed: str) -> _Choices:
        """Autocompletion: the styles that the member may change here."""
        return await self._own(interaction, self._styles.visible, typed)

    async def offer_own_sets(self, interaction: _Interaction, typed: str) -> _Choices:
        """Autocompletion: the sets that the member may change here."""
        return await self._own(interaction, self._sets.visible, typed)

    async def style(self, interaction: _Interaction, text: str | None) -> Style | None:
        """The chosen style; raises NoSuchStyle."""
        return None if text is None else await self._styles.find(account_of(interaction), text)

    async def reference_set(
        self, interaction: _Interaction, text: str | None, style: Style | None, attached: int
    ) -> ReferenceSet | None:
        """The chosen set, else the style's; raises NoSuchSet, or TooManyWithSet with so many images attached."""
        if text is not None:
            saved = await self._sets.find(account_of(interaction), text)
        elif style is not None and style.reference_set is not None:
            saved = await self._sets.get(style.reference_set)
        else:
            saved = None
        if saved is not None and attached + len(saved.images) > REFERENCES_MAX:
            raise TooManyWithSet(saved.name, len(saved.images), attached)
        return saved

    async def _own(
        self, interaction: _Interaction, visible: Callable[[Account], Awaitable[Sequence[Saved]]], typed: str
    ) -> _Choices:
        """What may be changed: one's own, and the server's by those who may manage."""
        found: list[Saved] = []
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                mine = {Shared.OWN}
                with suppress(NotAManager):
                    await check_manager(self._quotas, interaction)
                    mine.add(Shared.SERVER)
                found = [one for one in await visible(account_of(interaction)) if one.owner.shared in mine]
        return _choices([(texts.named(one), one) for one in found], typed)

    def _price(self, interaction: _Interaction, style: Style, preferences: Preferences) -> Credits:
        """What /imagine costs with this style. What is typed into other options need not be valid yet."""
        typed, preferred = vars(interaction.namespace), preferences.settings(has_images=False)
        model = next((one for one in Model if one == typed.get("model")), style.model or preferred.model)
        resolution = next((one for one in Resolution if one == typed.get("resolution")), preferred.resolution)
        count = next((one for one in range(1, COUNT_MAX + 1) if one == typed.get("count")), preferences.images)
        return self._prices.of(Settings(model, resolution=resolution)) * count


def _choices(labelled: Sequence[tuple[str, Saved]], typed: str) -> _Choices:
    wanted = typed.strip().casefold()
    matching = [
        (label, saved) for label, saved in labelled if wanted in label.casefold() or wanted == saved.choice.casefold()
    ]
    return [app_commands.Choice(name=label, value=saved.choice) for label, saved in matching[:_CHOICES_MAX]]
