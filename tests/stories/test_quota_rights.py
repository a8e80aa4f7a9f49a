"""Who may use /quota: checked at every door, at the moment of use."""

from typing import Any

import discord
import pytest

from tests.stories.managing import (
    NOT_A_MANAGER,
    give_role,
    holdings,
    open_to_everybody,
    pressed_anyway,
    quota,
    subcommands,
    take_roles,
    typed_directly,
)
from tests.stories.pressing import custom_id_of, forge, told
from tests.stories.seen import seen
from tests.stories.stage import Stage

PERIOD: dict[str, Any] = {"credits": 5, "period": "day"}


def orders(stage: Stage) -> dict[str, dict[str, Any]]:
    """Something to fill in for each subcommand that asks for it."""
    role = stage.env.guild.roles["Admin"]
    return {
        "set-default": PERIOD,
        "set-role": {"role": role, **PERIOD},
        "set-member": {"member": stage.bob, **PERIOD},
        "clear": {"member": stage.alice},
        "grant": {"member": stage.bob, "credits": 1000, "reason": "why not"},
        "reset": {"member": stage.bob},
        "pool": PERIOD,
        "settings": {"timezone": "Europe/Berlin", "manager-role": role, "requests-channel": stage.channel},
    }


async def test_members_do_not_see_the_command(stage: Stage) -> None:
    assert not [name for name in stage.bob.available_commands(stage.channel) if name.startswith("quota")]
    assert [name for name in stage.admin.available_commands(stage.channel) if name.startswith("quota")]
    assert not [name for name in stage.admin.user.available_commands() if name.startswith("quota")]


async def test_no_subcommand_obeys_a_member_who_was_let_type_it(stage: Stage) -> None:
    await quota(stage, "set-member", member=stage.alice, **PERIOD)
    open_to_everybody(stage)
    before = holdings(stage)
    tried = list(subcommands(stage))
    assert set(tried) >= {*orders(stage), "show", "log"}
    for what in tried:
        asked = await stage.bob.slash(stage.channel, f"quota {what}", **orders(stage).get(what, {}))
        assert (what, told(asked).text) == (what, NOT_A_MANAGER)
        assert asked.response is None, what

    assert holdings(stage) == before
    assert stage.channel.history(viewer=stage.alice) == []


async def test_a_member_may_not_even_look_at_their_own_rule_with_it(stage: Stage) -> None:
    open_to_everybody(stage)
    asked = await stage.bob.slash(stage.channel, "quota show", member=stage.bob)

    assert told(asked).text == NOT_A_MANAGER


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("show", {}),
        ("set-default", PERIOD),
        ("pool", PERIOD),
        ("clear", {}),
        ("log", {}),
        ("settings", {"timezone": "Europe/Berlin"}),
    ],
)
async def test_in_direct_messages_there_is_nothing_to_manage(stage: Stage, what: str, options: dict[str, Any]) -> None:
    before = holdings(stage)
    asked = await typed_directly(stage, stage.admin.user, what, **options)

    assert told(asked).text == NOT_A_MANAGER
    assert holdings(stage) == before


async def test_the_named_role_may_manage_while_one_has_it(stage: Stage) -> None:
    open_to_everybody(stage)
    helpers = stage.env.guild.create_role("Helper")
    give_role(stage, stage.bob, helpers)
    assert told(await stage.bob.slash(stage.channel, "quota show")).text == NOT_A_MANAGER
    answer = await quota(stage, "settings", manager_role=helpers)
    assert f"Quotas are managed by: Manage Server, and {helpers.mention}" in answer.text
    assert "Integrations" in answer.text
    for what in subcommands(stage):
        if what not in {"settings", "report"}:
            await quota(stage, what, by=stage.bob, **orders(stage).get(what, {}))

    take_roles(stage, stage.bob)
    before = holdings(stage)
    assert told(await stage.bob.slash(stage.channel, "quota show")).text == NOT_A_MANAGER
    assert holdings(stage) == before


async def test_naming_everyone_takes_the_role_back(stage: Stage) -> None:
    open_to_everybody(stage)
    helpers = stage.env.guild.create_role("Helper")
    give_role(stage, stage.bob, helpers)
    await quota(stage, "settings", manager_role=helpers)
    answer = await quota(stage, "settings", manager_role=stage.env.guild.default_role)

    assert "Quotas are managed by: Manage Server\n" in answer.text
    assert told(await stage.bob.slash(stage.channel, "quota show")).text == NOT_A_MANAGER


async def test_a_role_of_another_server_manages_nothing_here(stage: Stage) -> None:
    helpers = stage.env.guild.create_role("Helper")
    await quota(stage, "settings", manager_role=helpers)
    open_to_everybody(stage)

    assert told(await stage.bob.slash(stage.channel, "quota show")).text == NOT_A_MANAGER


async def test_an_administrator_and_the_owner_need_no_further_right(stage: Stage) -> None:
    chief = stage.env.guild.create_role("Chief", permissions=discord.Permissions(administrator=True))
    give_role(stage, stage.bob, chief)

    assert "may spend" in (await quota(stage, "show", by=stage.bob)).text


async def test_pages_are_turned_by_managers_alone(stage: Stage) -> None:
    page = await long_log(stage)
    older = custom_id_of(page, "Older")
    asked = await pressed_anyway(stage, stage.bob, page, older)

    assert told(asked).text == NOT_A_MANAGER
    assert "page 1" in seen(stage.channel.history(viewer=stage.admin)[-1]).text


async def test_a_page_that_was_opened_before_the_right_was_lost_turns_no_more(stage: Stage) -> None:
    page = await long_log(stage)
    take_roles(stage, stage.admin)
    asked = await stage.admin.click(page, label="Older")

    (answer,) = asked.followups or [asked.response]
    assert answer is not None
    assert seen(answer).text == NOT_A_MANAGER
    assert answer.ephemeral


@pytest.mark.parametrize("page", ["1", "zz", "1y2p0ij32e8e7"], ids=["next", "far beyond", "the largest number"])
async def test_a_forged_page_shows_a_member_nothing(stage: Stage, page: str) -> None:
    card = await long_log(stage)
    for member in ("0", "abc"):
        forge(stage, card, "Older", f"easel:log:{member}:{page}")
        asked = await pressed_anyway(stage, stage.bob, card, f"easel:log:{member}:{page}")
        assert told(asked).text == NOT_A_MANAGER


@pytest.mark.parametrize("page", ["zz", "1y2p0ij32e8e7"], ids=["far beyond", "the largest number"])
async def test_a_page_beyond_the_last_is_empty(stage: Stage, page: str) -> None:
    card = await long_log(stage)
    forge(stage, card, "Older", f"easel:log:0:{page}")
    asked = await stage.admin.click(card, label="Older")

    assert asked.response is not None
    assert "Nothing yet." in seen(asked.response).text
    assert asked.followups == []


async def long_log(stage: Stage) -> discord.Message:
    """The first page of a ledger that has two."""
    for number in range(11):
        await quota(stage, "grant", member=stage.alice, credits=1, reason=f"number {number}")
    asked = await stage.admin.slash(stage.channel, "quota log")
    assert asked.response is not None
    return asked.response.message
