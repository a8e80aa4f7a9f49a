"""Styles: a server's, members' own and those that are built in."""

from dataclasses import replace

from bot.domain.builtin_styles import BUILT_IN
from bot.domain.credits import Account
from bot.domain.ids import StyleId
from bot.domain.privacy_errors import BeingErased
from bot.domain.prompts import WORDS, readable_prompt, without_spoiler_marks
from bot.domain.style_errors import BadTemplate, NameTaken, NoSuchSet, NoSuchStyle, TooManyStyles
from bot.domain.styles import (
    SERVER_STYLES_MAX,
    STYLES_MAX,
    TEMPLATE_MAX,
    Owner,
    Shared,
    Style,
    find,
    owners,
    valid_name,
)
from bot.runtime import Runtime


class Styles:
    """Finds and changes them. Who may change a server's is checked by those who call."""

    def __init__(self, runtime: Runtime) -> None:
        self._store = runtime.store
        self._new_id = runtime.new_id

    async def of(self, *owners: Owner) -> list[Style]:
        """The styles of these, by name."""
        async with self._store.read() as tx:
            return await tx.styles.of(*owners)

    async def visible(self, account: Account) -> list[Style]:
        """What a member can use here: the server's, then their own, then those that are built in."""
        saved = await self.of(*owners(account))
        return [*sorted(saved, key=lambda style: style.owner.shared is Shared.OWN), *BUILT_IN]

    async def find(self, account: Account, text: str) -> Style:
        """The style that an option names; raises NoSuchStyle."""
        style = find(await self.visible(account), text)
        if style is None:
            raise NoSuchStyle(text.partition(":")[2] or text)
        return style

    async def get(self, style_id: StyleId) -> Style:
        """Anybody's style that is not built in; raises NoSuchStyle."""
        async with self._store.read() as tx:
            style = await tx.styles.get(style_id)
        if style is None:
            raise NoSuchStyle("")
        return style

    async def save(self, account: Account, style: Style) -> Style:
        """Add a style, whose id is then 0, or change it; returns it as it was stored.

        A template that does not say where the words go has them at its beginning. Raises NameMissing, NameTaken,
        BadTemplate, TooManyStyles, NoSuchStyle, NoSuchSet or BeingErased.
        """
        style = replace(style, name=valid_name(style.name), template=_template(style.template))
        limit = STYLES_MAX if style.owner.shared is Shared.OWN else SERVER_STYLES_MAX
        async with self._store.write() as tx:
            if await tx.erasures.blocks(account):
                raise BeingErased
            others = [other for other in await tx.styles.of(style.owner) if other.id != style.id]
            if any(other.key == style.key for other in others):
                raise NameTaken(style.name)
            if not style.id:
                if len(others) >= limit:
                    raise TooManyStyles(limit)
                style = replace(style, id=StyleId(self._new_id()))
            elif await tx.styles.get(style.id) is None:
                raise NoSuchStyle(style.name)
            if style.reference_set is not None:
                saved = await tx.reference_sets.get(style.reference_set)
                if saved is None or saved.owner != style.owner:
                    raise NoSuchSet("")
            await tx.styles.put(style)
        return style

    async def remove(self, style: Style) -> None:
        """Delete a style; raises NoSuchStyle. What was made with it keeps its template."""
        async with self._store.write() as tx:
            if not await tx.styles.remove(style.id):
                raise NoSuchStyle(style.name)


def _template(text: str) -> str:
    template, _ = without_spoiler_marks(readable_prompt(text))
    places = template.count(WORDS)
    if places == 0:
        template = f"{WORDS}\n{template}".strip()
    if places > 1 or len(template) > TEMPLATE_MAX or template == WORDS:
        raise BadTemplate(places, len(template))
    return template
