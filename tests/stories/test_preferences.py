"""/preferences: a panel that saves each choice, and what commands and messages make of it."""

from decimal import Decimal
from typing import Any

import discord
import pytest
import simcord

from bot.ui.custom_ids import Action, CustomId
from tests.database import execute
from tests.stories.components import (
    EXPIRED,
    NOT_YOURS,
    custom_id_of,
    fields_of,
    new_card,
    press_at_once,
    press_forged,
    private_answer,
    selected,
)
from tests.stories.images import png
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, balance, response_of
from tests.waiting import until

CHOICES = {"model": "flex", "aspect_ratio": "16:9", "resolution": "2K", "count": "2"}
FLEX_2K = Decimal(24)
_PLACES = ("model", "aspect_ratio", "resolution", "count", "confirm_above", "private", "ping")


async def panel_of(world: StoryWorld, member: simcord.MemberActor) -> simcord.ResponseMessage:
    return response_of(await member.slash(world.channel, "preferences"))


def select_id(member: simcord.MemberActor, name: str) -> str:
    return str(CustomId(Action.PREFER, member.id, _PLACES.index(name)))


async def prefer(
    world: StoryWorld, member: simcord.MemberActor, panel: simcord.ResponseMessage | None = None, /, **choices: str
) -> simcord.ResponseMessage:
    """Choose in the panel: values of selects, and True for switches."""
    panel = panel or await panel_of(world, member)
    for name, value in choices.items():
        await member.select(panel, values=[value], custom_id=select_id(member, name))
    return panel


def stored(world: StoryWorld) -> list[tuple[Any, ...]]:
    return execute(world.folder, "SELECT * FROM preferences")


async def test_what_is_chosen_is_used_and_options_win(world: StoryWorld) -> None:
    panel = await prefer(world, world.alice, **CHOICES)
    assert "2 × FLUX.2 Flex · 16:9 · 2K** for **48 credits" in rendered(panel).text
