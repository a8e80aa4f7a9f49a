"""Styles: saved in a window, offered with their price, sent to KIE around the member's words, kept with the request."""

import pytest
import simcord

from bot.domain.builtin_styles import BUILT_IN
from bot.domain.ids import to_base36
from demo.kie import Fail
from tests.database import execute
from tests.stories.components import (
    EXPIRED,
    custom_id_of,
    edit,
    fields_of,
    forge,
    forge_modal,
    menu_of,
    new_card,
    press,
    private_answer,
    selected,
)
from tests.stories.kie_calls import task_bodies
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with, response_of

TEMPLATE = "A linocut of {prompt}, two colours"
ANY = {"model": ["any"], "ratio": ["any"]}
NOT_A_MANAGER = "Only this server's quota managers can do that. Ask an admin."
SERVER = {"for": "server"}
RICH = bot_with(credits=500)


async def add_style(
    world: StoryWorld,
    by: simcord.MemberActor,
    name: str = "Linocut",
    template: str = TEMPLATE,
    options: dict[str, str] | None = None,
    **answers: list[str],
) -> str:
    """What the member reads who saves a style by its window; ``options`` are the command's."""
    opened = await by.slash(world.channel, "style add", **(options or {}))
    return private_answer(await by.submit_modal(opened, {"name": name, "template": template, **ANY, **answers})).text


async def offered(world: StoryWorld, by: simcord.MemberActor, typed: str = "", **filled: object) -> list[str]:
    """What the option ``style`` of /imagine offers, in words."""
    return [choice["name"] for choice in await by.autocomplete(world.channel, "imagine", "style", typed, **filled)]


def prompts(world: StoryWorld) -> list[str]:
    """What KIE was sent, oldest first."""
    return [body["input"]["prompt"] for body in task_bodies(world.kie)]


def settings_of(world: StoryWorld) -> tuple[str, str]:
    """Model and shape of the newest task."""
    body = task_bodies(world.kie)[-1]
    return body["model"], body["input"]["aspect_ratio"]


@RICH
async def test_a_style_stays_with_what_was_made_with_it(world: StoryWorld) -> None:
    saved = await add_style(world, world.alice, model=["flex"], ratio=["16:9"])
    assert saved.startswith("**Linocut** is saved for you, in every server")
    assert saved.endswith("An image at 1K then costs 14 credits.")
    world.kie.script.next_tasks(Fail("422", "flagged as sensitive"))
    card = await new_card(world, "a red fox", style="own:Linocut")
    assert "a red fox" not in rendered(card).text, "what was blocked is not for others to read"
    assert "style: Linocut" in rendered(card).small_print
    assert settings_of(world) == ("flux-2/flex-text-to-image", "16:9")

    opened = await world.alice.slash(world.channel, "style edit", name="own:Linocut")
    fields = fields_of(opened)
    assert [fields[name]["value"] for name in ("name", "template")] == ["Linocut", TEMPLATE]
    assert [selected(fields[name]) for name in ("model", "ratio")] == [["flex"], ["16:9"]]
    await world.restart()
    changed = {"name": "Woodcut", "template": "A woodcut of {prompt}", **ANY}
    assert "**Woodcut** is saved" in private_answer(await world.alice.submit_modal(opened, changed)).text
    removed = await world.alice.slash(world.channel, "style remove", name="own:woodcut")
    assert private_answer(removed).text == "**Woodcut** was removed."
    await world.restart()

    again = await press(world, world.bob, card, "Again")
    assert again.headline == "**a red fox**"
    assert "style: Linocut" in again.small_print
    assert [image.alt_text for image in again.images] == ["a red fox"]
    words = await world.alice.click(card, label="Edit prompt")
    assert fields_of(words)["prompt"]["value"] == "a red fox"
    others = {"prompt": "a hare", "model": ["flex"], "ratio": ["16:9"], "resolution": ["1K"], "count": ["1"]}
    await world.outcome(await world.alice.submit_modal(words, others))
    assert prompts(world) == [
        *["A linocut of a red fox, two colours"] * 2,
        "A linocut of a hare, two colours",
    ]


@RICH
async def test_the_price_that_is_offered_is_the_price_that_is_paid(world: StoryWorld) -> None:
    await add_style(world, world.alice, model=["flex"], ratio=["16:9"])
    await add_style(world, world.admin, "House", "{prompt}, in our colours", SERVER)
    assert await offered(world, world.alice) == [
        "House · this server · 5 credits",
        "Linocut · yours · flex · 16:9 · 14 credits",
        *(
            f"{style.name} · built-in{f' · {style.aspect_ratio}' if style.aspect_ratio else ''} · 5 credits"
            for style in BUILT_IN
        ),
    ]
    for chosen, price in (
        ({}, 14),
        ({"resolution": "2K"}, 24),
        ({"model": "pro", "count": 2}, 10),
        ({"model": "pro", "resolution": "2K", "aspect_ratio": "1:1"}, 7),
    ):
        label = f"Linocut · yours · flex · 16:9 · {price} credits"
        assert await offered(world, world.alice, "lino", **chosen) == [label]
        card = await world.delivered("a red fox", style="own:Linocut", **chosen)
        assert card.small_print[-1] == f"{price} credits"
        assert settings_of(world)[1] == chosen.get("aspect_ratio", "16:9")
    assert await offered(world, world.bob, "LINO") == []
    assert await offered(world, world.bob, "no such style") == []


async def test_a_servers_styles_are_for_those_who_may_manage(world: StoryWorld) -> None:
    refused = await world.alice.slash(world.channel, "style add", **SERVER)
    assert private_answer(refused).text == NOT_A_MANAGER
    opened = await world.alice.slash(world.channel, "style add")
    forge_modal(world, opened, "easel:style:0:1")
    answers = {"name": "House", "template": TEMPLATE, **ANY}
    assert private_answer(await world.alice.submit_modal(opened, answers)).text == NOT_A_MANAGER

    assert "everybody in this server" in await add_style(world, world.admin, "House", options=SERVER)
    await add_style(world, world.alice)
    ids = dict(execute(world.folder, "SELECT name, id FROM styles"))
    card = await world.delivered("a red fox", by=world.bob, style="house")
    assert "style: House" in card.small_print
    for actor, name, text in (
        (world.bob, "server:House", NOT_A_MANAGER),
        (world.bob, "own:Linocut", "There's no style “Linocut”. Choose one from the list. Nothing was charged."),
        (world.admin, "Poster", "Built-in styles can't be changed or removed. Save one of your own with /style add."),
    ):
        for command in ("style edit", "style remove"):
            attempt = await actor.slash(world.channel, command, name=name)
            assert private_answer(attempt).text == text
    for name, text in (("House", NOT_A_MANAGER), ("Linocut", "There's no style “Linocut”.")):
        opened = await world.bob.slash(world.channel, "style add")
        forge_modal(world, opened, f"easel:style:{to_base36(ids[name])}")
        answers = {"name": name, "template": "mine: {prompt}", **ANY}
        assert private_answer(await world.bob.submit_modal(opened, answers)).text.startswith(text)
    stored = execute(world.folder, "SELECT DISTINCT template FROM styles")
    assert stored == [(TEMPLATE,)]
    names = [choice["value"] for choice in await world.admin.autocomplete(world.channel, "style remove", "name", "")]
    assert names == ["server:House"]
    assert await world.bob.autocomplete(world.channel, "style remove", "name", "") == []


async def test_a_style_that_is_gone_or_too_long_costs_nothing(world: StoryWorld) -> None:
    await add_style(world, world.alice)
    (choice,) = await world.alice.autocomplete(world.channel, "imagine", "style", "lino")
    await world.alice.slash(world.channel, "style remove", name="Linocut")
    gone = await world.imagine(style=choice["value"])
    assert world.refusal(gone).text == "There's no style “Linocut”. Choose one from the list. Nothing was charged."
    twice = await world.alice.slash(world.channel, "style remove", name="Linocut")
    assert private_answer(twice).text.startswith("There's no style “Linocut”.")

    await add_style(world, world.alice, template="{prompt}" + "!" * 1000)
    too_long = await world.imagine("a" * 4001, style=choice["value"])
    assert world.refusal(too_long).text == (
        "With the style “Linocut” a prompt has at most 4,000 characters, but yours has 4,001. Shorten it. "
        "Nothing was charged."
    )
    world.check_nothing_started()
    await world.delivered("a" * 4000, style=choice["value"])
    assert world.ledger(world.alice) == PAID


async def test_what_a_window_does_not_save(world: StoryWorld) -> None:
    assert "yours has it 2 times" in await add_style(world, world.alice, template="{prompt} and {prompt}")
    assert "needs words beside" in await add_style(world, world.alice, template=" {prompt} ")
    assert "needs at least one visible character" in await add_style(world, world.alice, name="\u200b")
    await add_style(world, world.alice)
    assert "already a style “lino cut”" not in await add_style(world, world.alice, name="lino cut")
    assert "There's already a style “LINOCUT”." in await add_style(world, world.alice, name="LINOCUT")
    assert "is saved" in await add_style(world, world.bob, template="||as|| a <@1> woodcut")
    await world.delivered("a red fox", by=world.bob, style="linocut")
    assert prompts(world) == ["a red fox\nas a someone woodcut"]


async def test_as_many_styles_as_fit(world: StoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.generation.styles.STYLES_MAX", 2)
    for name in ("one", "two"):
        assert "is saved" in await add_style(world, world.alice, name)
    assert (await add_style(world, world.alice, "three")).startswith("There are already 2 styles")


async def test_the_list_has_pages(world: StoryWorld) -> None:
    await add_style(world, world.alice, name="||Linocut||")
    first = response_of(await world.alice.slash(world.channel, "style list"))
    assert rendered(first).ephemeral
    assert rendered(first).text.startswith(
        "### Styles\n**\\|\\|Linocut\\|\\|** · yours\n-# A linocut of …, two colours\n**Photo"
    )
    await world.alice.click(first, label="Next")
    assert rendered(first).text.startswith("### Styles · page 2\n**Anime** · built-in\n-# A frame of")
    card = await new_card(world)
    forge(world, card, "Again", custom_id_of(first, "Previous"))
    forged = await world.bob.click(card, label="Again")
    assert private_answer(forged).text == EXPIRED


async def test_ones_own_style_works_in_direct_messages(world: StoryWorld) -> None:
    await add_style(world, world.alice)
    await add_style(world, world.admin, "House", options=SERVER)
    names = [choice["name"] for choice in await world.alice.user.autocomplete("imagine", "style", "")]
    assert names[0] == "Linocut · yours · 5 credits"
    assert len(names) == 1 + len(BUILT_IN)
    command = await world.alice.user.slash("imagine", prompt="a red fox", style="Linocut")
    assert "style: Linocut" in (await world.outcome(command)).small_print
    refused = await world.alice.user.slash("imagine", prompt="a red fox", style="server:House")
    assert world.refusal(refused).text.startswith("There's no style “House”.")


async def test_an_edit_of_a_styled_image_is_described_by_words_alone(world: StoryWorld) -> None:
    card = await new_card(world, "a red fox", style="Watercolour")
    edited = await world.outcome(await edit(world, world.alice, card, "at night"))
    assert [image.alt_text for image in edited.images] == ["a red fox, edited: at night"]
    assert prompts(world)[-1] == "at night"
    assert prompts(world)[0].startswith("a red fox\nStyle: A loose watercolour")


async def test_a_shared_copy_names_the_style_and_gives_no_more_of_it_away(world: StoryWorld) -> None:
    await add_style(world, world.alice)
    command = await world.imagine("a red fox", style="own:Linocut", private=True)
    await world.outcome(command)
    menu = await menu_of(world, world.alice, response_of(command))
    assert "style: Linocut" in rendered(menu).text.replace("\N{NO-BREAK SPACE}", " ")
    await world.alice.click(menu, label="Share")
    (copy,) = world.messages()
    prompt = private_answer(await world.bob.click(await menu_of(world, world.bob, copy), label="Full prompt"))
    remix = fields_of(await world.bob.click(copy, label="Remix"))

    assert "style: Linocut" in rendered(copy).small_print
    assert (prompt.text, remix["prompt"]["value"]) == ("```\na red fox\n```", "a red fox")
    assert "linocut of" not in str(rendered(copy))
