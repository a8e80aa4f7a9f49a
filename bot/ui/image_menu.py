"""An image's private menu, which only the member sees who opened it: what can be done with that image."""

from dataclasses import dataclass
from typing import Any

import discord
from discord import ui

from bot.domain.credits import PriceList
from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.errors import GenerationGone
from bot.domain.generation import Generation, Image
from bot.domain.ids import ImageId, MessageId, UserId
from bot.ui.buttons import menu_button, rows_of
from bot.ui.cards import BLURPLE, finished_view, headline, larger_price, made_with
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import leave_out_words
from bot.ui.image_reports import can_report, report_button
from bot.ui.services import Services
from bot.ui.targets import ImageTarget, can_delete, can_share, image_target_of, message_of, target_of
from bot.ui.texts import amounts
from bot.ui.texts import cards as card_texts
from bot.ui.texts import menus as texts
from bot.ui.texts.history import UNFAVOURITE
from bot.ui.viewers import viewer_of

_NOBODY = discord.AllowedMentions.none()


@dataclass(frozen=True, slots=True)
class _Menu:
    """What a menu shows: the image or card that it is about, and groups of buttons, each in rows of its own."""

    generation: Generation
    about: str
    buttons: tuple[list[ui.Button[Any]], ...]
    hint: str | None = None

    def view(self, *, words: bool) -> ui.LayoutView:
        """The message."""
        request = self.generation.request
        settings = made_with(self.generation, 1, 0, words=words)
        facts = [self.about, card_texts.member(request.account.user_id), *settings]
        text = f"{headline(self.generation, words=words)}\n{amounts.small([fact for fact in facts if fact])}"
        hint = [ui.TextDisplay[Any](f"-# {self.hint}")] if self.hint else []
        rows = [row for buttons in self.buttons for row in rows_of(buttons)]
        return finished_view(BLURPLE, ui.TextDisplay(text), *rows, *hint)


async def open_more(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """A card's last button: what it has no button for; of several images, what is about all of them."""
    target = await target_of(services.history, interaction, button)
    mine = await services.history.images_on(MessageId(message_of(interaction).id), target.generation)
    if not mine:
        raise GenerationGone
    await _send(services, interaction, ImageTarget(target.generation, mine[0]), mine, on_card=True)


async def open_image(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The button with an image's number on a card, or one of any private message of ours."""
    target = await image_target_of(services.history, interaction, button)
    await open_menu(services, interaction, target.image.id)


async def open_menu(services: Services, interaction: discord.Interaction[Any], image_id: ImageId) -> None:
    """Answer with the menu of an image. That the member may come to it is for the caller to check."""
    image, generation = await services.history.image(image_id, UserId(interaction.user.id))
    card = generation.request.destination.message_id if image.shared else image.message_id
    siblings = await services.history.images_on(card or image.message_id, generation)
    await _send(services, interaction, ImageTarget(generation, image), siblings, on_card=False)


async def _send(
    services: Services,
    interaction: discord.Interaction[Any],
    target: ImageTarget,
    siblings: list[Image],
    *,
    on_card: bool,
) -> None:
    has_edits = await services.image_history.has_edits(
        target.image, await viewer_of(services, interaction, target.image)
    )
    saved = await services.image_history.is_favourite(UserId(interaction.user.id), target.image.id)
    reports = await can_report(services, interaction, target)
    menu = _menu(
        interaction,
        target,
        siblings,
        services.prices,
        on_card=on_card,
        saved=saved,
        has_edits=has_edits,
        reports=reports,
    )
    await leave_out_words(
        lambda words: interaction.response.send_message(
            view=menu.view(words=words), ephemeral=True, allowed_mentions=_NOBODY
        )
    )


def _menu(
    interaction: discord.Interaction[Any],
    target: ImageTarget,
    siblings: list[Image],
    prices: PriceList,
    *,
    on_card: bool,
    saved: bool,
    has_edits: bool,
    reports: bool,
) -> _Menu:
    """``on_card``: beside the buttons of a card, which has those for a new image and, of several, one for each."""
    image, generation = target.image, target.generation
    whole, viewer = on_card and len(siblings) > 1, UserId(interaction.user.id)
    price = larger_price(generation, prices)
    # Of a private image that was shared, the request stays its requester's own.
    repeats = target.requester == viewer or not generation.request.destination.private
    actions = [*([Action.AGAIN] if repeats else []), Action.EDIT, Action.REMIX]
    new = [menu_button(action, image.id, viewer) for action in actions]
    if price is not None:
        new.append(menu_button(Action.LARGER, image.id, viewer, price=price))
    offered = {
        Action.FAVOURITE: not whole,
        Action.PROMPT: generation.request.prompt not in ("", LARGER_PROMPT) or generation.request.origin is not None,
        Action.ORIGINAL: not whole,
        Action.EDITS: not whole and has_edits,
        Action.SAVE: not whole,
        Action.SHARE: not whole and can_share(interaction, target),
        Action.REMOVE: (whole or image.shared or len(siblings) == 1) and can_delete(interaction, target),
    }
    more = [menu_button(action, image.id, viewer) for action, is_offered in offered.items() if is_offered]
    if saved and not whole:
        more[0].label = UNFAVOURITE
    if reports:
        more.append(report_button(image.id, viewer, of_several=whole))
    in_direct_message = interaction.guild_id is None and image.channel_id == interaction.channel_id
    number = [sibling.id for sibling in siblings].index(image.id) + 1 if image in siblings else 1
    return _Menu(
        generation,
        "" if whole else texts.position(number, len(siblings)),
        (more,) if on_card else (new, more),
        (texts.ONLY_YOU if target.hidden else texts.FORWARD) if in_direct_message else None,
    )
