"""Styles: saved in a window, offered with their price, sent to KIE around the member's words, kept with the request."""

import simcord

from tests.stories.components import new_card, private_answer
from tests.stories.kie_calls import task_bodies
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld

TEMPLATE = "A linocut of {prompt}, two colours"
ANY = {"model": ["any"], "ratio": ["any"]}


async def add_style(
    world: StoryWorld, by: simcord.MemberActor, name: str = "Linocut", template: str = TEMPLATE, **answers: object
) -> simcord.InteractionResult:
    """Save a style by its window; ``whose`` is the option of the command."""
    whose = {"for": answers.pop("whose")} if "whose" in answers else {}
    opened = await by.slash(world.channel, "style add", **whose)
    return await by.submit_modal(opened, {"name": name, "template": template, **ANY, **answers})


async def offered(world: StoryWorld, by: simcord.MemberActor, typed: str = "", **options: object) -> list[str]:
    """What the option of /imagine offers."""
    choices = await by.autocomplete(world.channel, "imagine", "style", typed, **options)
    return [choice["name"] for choice in choices]


def prompts(world: StoryWorld) -> list[str]:
    """What KIE was sent, oldest first."""
    return [body["input"]["prompt"] for body in task_bodies(world.kie)]


async def test_a_style_of_ones_own(world: StoryWorld) -> None:
    saved = private_answer(await add_style(world, world.alice, model=["flex"], ratio=["16:9"]))
    assert "Linocut" in saved.text
    assert "14 credits" in saved.text
    print(saved.text)
    print(await offered(world, world.alice))
    card = await new_card(world, "a red fox", style="own:Linocut")
    print(rendered(card))
    print(prompts(world))
