"""Who may use /quota: checked in every way of using it, at the moment of use."""

from typing import Any

import discord
import pytest

from tests.stories.components import custom_id_of, forge, press_forged, private_answer
from tests.stories.quota_actions import (
    NOT_A_MANAGER,
    give_role,
    let_everybody_type_it,
    quota,
    quota_in_dm,
    quota_tables,
    subcommands,
    take_roles,
)
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld, response_of

PERIOD: dict[str, Any] = {"credits": 5, "period": "day"}


def options_for(world: StoryWorld) -> dict[str, dict[str, Any]]:
    """Something to fill in for each subcommand that asks for it."""
    role = world.env.guild.roles["Admin"]
    return {
        "set-default": PERIOD,
        "set-role": {"role": role, **PERIOD},
        "set-member": {"member": world.bob, **PERIOD},
        "clear": {"member": world.alice},
        "grant": {"member": world.bob, "credits": 1000, "reason": "why not"},
        "reset": {"member": world.bob},
        "pool": PERIOD,
        "settings": {"timezone": "Europe/Berlin", "manager-role": role, "requests-channel": world.channel},
    }


async def test_members_do_not_see_the_command(world: StoryWorld) -> None:
    assert not [name for name in world.bob.available_commands(world.channel) if name.startswith("quota")]
    assert [name for name in world.admin.available_commands(world.channel) if name.startswith("quota")]
    assert not [name for name in world.admin.user.available_commands() if name.startswith("quota")]


async def test_no_subcommand_obeys_a_member_who_was_let_type_it(world: StoryWorld) -> None:
    await quota(world, "set-member", member=world.alice, **PERIOD)
    let_everybody_type_it(world)
    before = quota_tables(world)
    tried = list(subcommands(world))
    assert set(tried) >= {*options_for(world), "show", "log"}
    for subcommand in tried:
        options = options_for(world).get(subcommand, {})
        command = await world.bob.slash(world.channel, f"quota {subcommand}", **options)
        assert (subcommand, private_answer(command).text) == (subcommand, NOT_A_MANAGER)
        assert command.response is None, subcommand

    assert quota_tables(world) == before
    assert world.channel.history(viewer=world.alice) == []


@pytest.mark.parametrize(
    ("subcommand", "options"),
    [
        ("show", {}),
        ("set-default", PERIOD),
        ("pool", PERIOD),
        ("clear", {}),
        ("log", {}),
        ("settings", {"timezone": "Europe/Berlin"}),
    ],
)
async def test_in_direct_messages_there_is_nothing_to_manage(
    world: StoryWorld, subcommand: str, options: dict[str, Any]
) -> None:
    before = quota_tables(world)
    command = await quota_in_dm(world, world.admin.user, subcommand, **options)

    assert private_answer(command).text == NOT_A_MANAGER
    assert quota_tables(world) == before


async def test_the_named_role_may_manage_while_one_has_it(world: StoryWorld) -> None:
    async def bob_is_refused() -> bool:
        return private_answer(await world.bob.slash(world.channel, "quota show")).text == NOT_A_MANAGER

    let_everybody_type_it(world)
    helpers = world.env.guild.create_role("Helper")
    answer = await quota(world, "settings", manager_role=helpers)
    assert f"Quota managers: anyone with Manage Server or {helpers.mention}" in answer.text
    assert "Integrations" in answer.text
    assert await bob_is_refused(), "he does not have the role"
    give_role(world, world.bob, helpers)
    for subcommand in subcommands(world):
        if subcommand not in {"settings", "report"}:
            await quota(world, subcommand, by=world.bob, **options_for(world).get(subcommand, {}))

    take_roles(world, world.bob)
    assert await bob_is_refused(), "he has lost the role"
    give_role(world, world.bob, helpers)
    answer = await quota(world, "settings", manager_role=world.env.guild.default_role)
    assert "Quota managers: anyone with Manage Server\n" in answer.text
    assert await bob_is_refused(), "the role has lost the right"


async def test_an_administrator_and_the_owner_need_no_further_right(world: StoryWorld) -> None:
    chief = world.env.guild.create_role("Chief", permissions=discord.Permissions(administrator=True))
    give_role(world, world.bob, chief)

    assert "credits a day" in (await quota(world, "show", by=world.bob)).text


async def test_pages_are_turned_by_managers_alone(world: StoryWorld) -> None:
    page = await long_log(world)
    for custom_id in (custom_id_of(page, "Older"), "easel:log:0:zz", "easel:log:abc:1y2p0ij32e8e7"):
        forge(world, page, "Older", custom_id)
        assert private_answer(await press_forged(world, world.bob, page, custom_id)).text == NOT_A_MANAGER
    assert "page 1" in rendered(world.channel.history(viewer=world.admin)[-1]).text


async def test_a_page_that_was_opened_before_the_right_was_lost_cannot_be_turned(world: StoryWorld) -> None:
    page = await long_log(world)
    take_roles(world, world.admin)

    assert private_answer(await world.admin.click(page, label="Older")).text == NOT_A_MANAGER


@pytest.mark.parametrize("page", ["zz", "1y2p0ij32e8e7"], ids=["far beyond", "the largest number"])
async def test_a_page_beyond_the_last_is_empty(world: StoryWorld, page: str) -> None:
    card = await long_log(world)
    forge(world, card, "Older", f"easel:log:0:{page}")
    pressed = await world.admin.click(card, label="Older")

    assert "Nothing yet." in rendered(response_of(pressed)).text
    assert pressed.followups == []


async def long_log(world: StoryWorld) -> discord.Message:
    """The first page of a log that has two."""
    for number in range(11):
        await quota(world, "grant", member=world.alice, credits=1, reason=f"number {number}")
    return response_of(await world.admin.slash(world.channel, "quota log")).message
