"""Who may use /quota: checked in every way of using it, at the moment of use."""

from typing import Any

import discord
import pytest
import simcord

from bot.domain.credits import Credits
from bot.domain.errors import GrantToOneself, ManagerLimitReached, NeedsManageServer
from bot.ui.texts.refusals import refusal
from tests.stories.components import custom_id_of, forge, press_forged, private_answer
from tests.stories.quota_actions import (
    NOT_A_MANAGER,
    approve,
    give_role,
    let_everybody_type_it,
    quota,
    quota_in_dm,
    quota_tables,
    request_card,
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
        "clear": {"member": world.alice, "server": "pool"},
        "grant": {"member": world.alice, "credits": 20, "reason": "why not"},
        "reset": {"member": world.bob},
        "pool": PERIOD,
        "settings": {"timezone": "Europe/Berlin", "manager-role": role, "manager-limit": 9, "stop-requests": True},
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
    for subcommand in ("show", "log", "settings"):
        await quota(world, subcommand, by=world.bob)
    await quota(world, "grant", by=world.bob, **options_for(world)["grant"])

    take_roles(world, world.bob)
    assert await bob_is_refused(), "he has lost the role"
    give_role(world, world.bob, helpers)
    answer = await quota(world, "settings", manager_role=world.env.guild.default_role)
    assert "Quota managers: anyone with Manage Server\n" in answer.text
    assert await bob_is_refused(), "the role has lost the right"


async def manager_by_role(world: StoryWorld, limit: float = 30) -> None:
    """Make Bob a quota manager without Manage Server."""
    let_everybody_type_it(world)
    helpers = world.env.guild.create_role("Helper")
    give_role(world, world.bob, helpers)
    await quota(world, "settings", manager_role=helpers, manager_limit=limit)


async def test_a_manager_by_role_changes_no_limit_and_no_setting(world: StoryWorld) -> None:
    await manager_by_role(world)
    role = world.env.guild.roles["Helper"]
    await quota(world, "set-member", member=world.bob, credits=1, period="day")
    before = quota_tables(world)
    attempts: list[tuple[str, dict[str, Any]]] = [
        *((name, options) for name, options in options_for(world).items() if name != "grant"),
        *((f"set-{kind}", {"period": "unlimited", **who}) for kind, who in limits_of(world, role)),
        ("pool", {"period": "unlimited"}),
        ("clear", {"member": world.bob}),
        ("reset", {"member": world.alice}),
        *(("settings", {name: value}) for name, value in (("manager-limit", 1000000), ("timezone", "Asia/Tokyo"))),
    ]
    for subcommand, options in attempts:
        command = await world.bob.slash(world.channel, f"quota {subcommand}", **options)
        text = rendered(command.followups[0] if command.followups else response_of(command)).text
        assert (subcommand, text) == (subcommand, refusal(NeedsManageServer()))

    assert quota_tables(world) == before


def limits_of(world: StoryWorld, role: simcord.RoleHandle) -> list[tuple[str, dict[str, Any]]]:
    """Whom the commands that set a limit can be about."""
    return [("default", {}), ("role", {"role": role}), ("member", {"member": world.bob})]


async def test_a_manager_by_role_grants_to_others_and_so_much_per_month(world: StoryWorld) -> None:
    await manager_by_role(world)
    carol = world.env.guild.add_member(world.env.create_user("carol"))

    async def grant(amount: float, member: simcord.MemberActor = world.alice) -> str:
        options = {"member": member, "credits": amount, "reason": "why not"}
        command = await world.bob.slash(world.channel, "quota grant", **options)
        return rendered(command.followups[0] if command.followups else response_of(command)).text

    assert await grant(1, world.bob) == refusal(GrantToOneself())
    assert (await grant(30.001)).startswith("Quota managers can grant 30 credits a month, and you have 30 left;")
    assert "got 20 bonus credits" in await grant(20)
    card = await request_card(world, by=carol)
    opened = await world.bob.click(card, label="Approve")
    over = private_answer(await world.bob.submit_modal(opened, {"amount": "10.5"}))
    assert "and you have 10 left; nothing was granted." in over.text
    assert [movement for movement, _ in world.ledger(carol)] == []
    await approve(world, card, "10", by=world.bob)
    assert [movement for movement, _ in world.ledger(carol)] == ["grant"]
    assert "and you have 0 left" in await grant(0.001)
    await quota(world, "settings", manager_limit=0)
    assert await grant(0.001) == refusal(ManagerLimitReached(Credits(0), Credits(0), world.clock.now()))
    await quota(world, "settings", manager_limit=30)
    await quota(world, "grant", member=carol, credits=1000, reason="by Manage Server")
    world.clock.advance(32 * 24 * 3600)
    assert "got 30 bonus credits" in await grant(30)


async def test_a_manager_by_role_approves_no_request_of_their_own(world: StoryWorld) -> None:
    await manager_by_role(world)
    card = await request_card(world, by=world.bob)
    opened = await world.bob.click(card, label="Approve")
    answer = private_answer(await world.bob.submit_modal(opened, {"amount": "5"}))

    assert answer.text == refusal(GrantToOneself())
    assert world.ledger(world.bob) == []
    await approve(world, card, "1000")
    assert [movement for movement, _ in world.ledger(world.bob)] == ["grant"], "it can still be decided by others"


async def test_an_administrator_whose_other_rights_discord_does_not_spell_out_is_one(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit = world.env.backend.emit

    def bare(event: str, payload: Any, *others: Any, **options: Any) -> None:
        if event == "INTERACTION_CREATE":
            payload["member"]["permissions"] = "8"
        emit(event, payload, *others, **options)

    monkeypatch.setattr(world.env.backend, "emit", bare)
    await quota(world, "set-default", period="unlimited")
    assert "unlimited credits" in (await quota(world, "show")).text


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
