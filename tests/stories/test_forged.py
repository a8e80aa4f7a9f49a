"""Forged custom ids: whatever they name, nothing of another server or member is seen, changed or spent."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import discord
import pytest
import simcord

from bot.domain.ids import to_base36
from bot.ui.custom_ids import Action
from tests.database import execute
from tests.kie.schema import caused
from tests.stories.components import (
    EXPIRED,
    REMIX_FORM,
    FormAnswers,
    edit,
    forge,
    new_card,
    private_answer,
    send_form,
    send_press,
)
from tests.stories.images import png
from tests.stories.quota_actions import admin_elsewhere, quota_tables
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import StoryWorld, response_of
from tests.waiting import until

SECRET = "the hidden garden behind the seventh gate"
FORM: FormAnswers = {"prompt": "somebody else's image", "amount": "500", **REMIX_FORM}
IMAGE = ("a.png", png())
UNKNOWN = [
    "easel:nonsense:7",
    "easel:draft:7",
    "easel:again:0",
    "easel:again:1y2p0ij32e8e7",
    "easel:again:zzzzzzzzzzzzz",
]
"""They look like custom ids of ours, and stand for nothing."""
FOREIGN = ["easel:again:", "easel:again:-1", "easel:again:" + "1" * 88, "easel:\u0430gain:1", "other:7", ""]
"""No custom ids of ours: tests/ui/test_custom_ids.py has more of them."""

Attack = Callable[
    [StoryWorld, simcord.MemberActor, discord.Message, Sequence[str]], Awaitable[list[simcord.InteractionResult]]
]


async def forged_press(
    world: StoryWorld, who: simcord.MemberActor, card: discord.Message, custom_ids: Sequence[str]
) -> list[simcord.InteractionResult]:
    results: list[simcord.InteractionResult] = []
    for custom_id in custom_ids:
        # A press on what the message does not carry never reaches the bot's code.
        forge(world, card, "⋯", custom_id)
        results.append(send_press(world, who, card, custom_id))
    await world.env.settle()
    return results


async def forged_modal(
    world: StoryWorld, who: simcord.MemberActor, card: discord.Message, custom_ids: Sequence[str]
) -> list[simcord.InteractionResult]:
    results = [send_form(world, who, card, custom_id, FORM) for custom_id in custom_ids]
    await world.env.settle()
    return results


async def forged_menu(
    world: StoryWorld, who: simcord.MemberActor, card: discord.Message, custom_ids: Sequence[str]
) -> list[simcord.InteractionResult]:
    """As on a private message to the attacker."""
    return await forged_press(world, who, card, [f"{custom_id}:{to_base36(who.id)}" for custom_id in custom_ids])


both_ways = pytest.mark.parametrize(
    "attack", [forged_press, forged_modal, pytest.param(forged_menu, marks=pytest.mark.long)]
)


def state(world: StoryWorld) -> dict[str, list[tuple[Any, ...]]]:
    """All that is of value in the database."""
    tables = (
        "generations",
        "tasks",
        "images",
        "drafts",
        "favourites",
        "styles",
        "reference_sets",
        "preferences",
        "erasures",
    )
    return quota_tables(world) | {name: execute(world.folder, f"SELECT * FROM {name} ORDER BY 1") for name in tables}


def known_numbers(world: StoryWorld, *more: int) -> list[int]:
    """Every number that stands for something: generations, tasks, images, drafts, and those given."""
    numbers: set[int] = set(more)
    for table in ("generations", "tasks", "drafts"):
        numbers |= {row[0] for row in state(world)[table]}
    return sorted(numbers)


def answers(attack: simcord.InteractionResult, card: discord.Message) -> list[Rendered]:
    """All that the attacker sees."""
    # To a press that only promised to look, the card itself counts as the response.
    sent: Sequence[simcord.ResponseMessage] = [*attack.followups, *([attack.response] if attack.response else [])]
    return [rendered(message) for message in sent if message.id != card.id]


async def check_every_number_fails(
    world: StoryWorld, attack: Attack, attacker: simcord.MemberActor, card: discord.Message, numbers: Sequence[int]
) -> None:
    """Each is answered, privately, and nothing is shown, changed or asked of KIE."""
    before, calls, messages = state(world), len(caused(world.kie)), len(world.messages())
    for action in Action:
        custom_ids = [f"easel:{action}:{to_base36(number)}" for number in numbers]
        results = await attack(world, attacker, card, custom_ids)
        for number, result in zip(numbers, results, strict=True):

            def finished(result: simcord.InteractionResult = result) -> list[Rendered]:
                shown = answers(result, card)
                return shown if not any(answer.thinking for answer in shown) else []

            for answer in await until(finished, what=f"an answer to {action} with {number}", within=5):
                assert answer.ephemeral, (action, number)
                assert answer.text
                assert "went wrong" not in answer.text
                assert SECRET not in answer.text
                assert answer.images == ()
            assert result.modal is None, (action, number)
    assert state(world) == before
    assert len(caused(world.kie)) == calls
    assert len(world.messages()) == messages


@both_ways
async def test_no_number_opens_what_is_in_another_server(world: StoryWorld, attack: Attack) -> None:
    """Eve manages a server of her own, where she may do anything; she knows every number of the other server."""
    hidden = await new_card(world, SECRET)
    await world.bob.context_menu(world.channel, "Edit image", await world.bob.send(world.channel, attachments=[IMAGE]))
    await world.rest()
    numbers = known_numbers(world, hidden.id, world.alice.id, world.channel.id, world.env.guild.id)
    assert len(numbers) == 7
    eve = admin_elsewhere(world)
    own = await eve.slash(eve.guild.channels["lobby"], "imagine", prompt="a plain hill")
    await world.outcome(own)

    await check_every_number_fails(world, attack, eve, response_of(own).message, numbers)


@both_ways
async def test_no_number_opens_what_another_member_did_in_private(world: StoryWorld, attack: Attack) -> None:
    await world.outcome(await world.imagine(SECRET, private=True))
    message = await world.bob.send(world.channel, attachments=[IMAGE])
    await world.alice.context_menu(world.channel, "Edit image", message)
    await world.rest()
    numbers = known_numbers(world, world.alice.id)
    card = await new_card(world, "a plain hill", by=world.bob)
    await check_every_number_fails(world, attack, world.bob, card, numbers)


async def test_ids_that_stand_for_nothing_start_nothing(world: StoryWorld) -> None:
    card = await new_card(world)
    before, calls = state(world), len(caused(world.kie))
    for press in await forged_press(world, world.bob, card, UNKNOWN):
        assert private_answer(press).text == EXPIRED
    for attack in (forged_press, forged_modal):
        for attempt in await attack(world, world.bob, card, FOREIGN):
            assert answers(attempt, card) == []
    assert state(world) == before
    assert len(caused(world.kie)) == calls


async def test_a_prompt_full_of_mentions_pings_nobody(world: StoryWorld) -> None:
    """On the card, in the modal, on a refusal and on what is made from it; every message is checked at the end."""
    role = world.env.guild.roles["Admin"]
    prompt = f"@everyone @here <@{world.bob.id}> <@!{world.admin.id}> <@&{role.id}> <#{world.channel.id}> hello"
    card = await new_card(world, prompt)
    assert "hello" in rendered(card).headline
    for label in ("Again", "2K · 7"):
        await world.outcome(await world.bob.click(card, label=label))
    await world.outcome(await edit(world, world.alice, card, prompt))
    await world.answer(await world.mention_bot(prompt, by=world.bob, attachments=[IMAGE]))

    posts = [post for post in world.messages() if post.author.id == world.env.backend.bot_user.id]
    requesters = [world.alice, world.bob, world.bob, world.alice, world.bob]
    for post, requester in zip(posts, requesters, strict=True):
        assert not post.mention_everyone
        assert post.role_mentions == []
        # A card names its requester in its small print; whether that pings is checked with every message.
        assert {user.id for user in post.mentions} <= {requester.id}
