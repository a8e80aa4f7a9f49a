"""Erasing a member takes what they saved: styles, reference sets, favourites, preferences and open questions."""

from typing import Any

from bot.domain.errors import QuestionGone
from bot.ui.texts.refusals import refusal
from tests.database import execute
from tests.stories.components import new_card, private_answer
from tests.stories.story_world import StoryWorld, response_of
from tests.stories.test_preferences import prefer
from tests.stories.test_privacy import PHOTO, SECRET, erased, kept_images, places_of
from tests.stories.test_styles import add_style
from tests.waiting import until


async def test_what_a_member_saved_goes_too(world: StoryWorld) -> None:
    await prefer(world, world.alice, {"confirm_above": "5"})
    await add_style(world, world.alice, "Ottoline's", "As Ottoline would draw {prompt}")
    await world.alice.slash(world.channel, "references add", name="Ottoline's", image=PHOTO)
    options: dict[str, Any] = {"style": "own:Ottoline's", "references": "own:Ottoline's"}
    card = await new_card(world, SECRET, **options)
    question = response_of(await world.imagine(SECRET, count=2, **options))
    others = await new_card(world, by=world.bob)
    for member, message in ((world.alice, others), (world.bob, card)):
        await member.context_menu(world.channel, "Save image", message)
    words = "Ottoline"
    assert {"generations", "styles", "reference_sets", "drafts"} <= places_of(world, words)
    await erased(world, world.alice)

    await until(lambda: not places_of(world, words), what="the words to be gone")
    assert execute(world.folder, "SELECT count(*) FROM favourites") == [(0,)]
    files = {"easel.db", "easel.db-wal"}
    named = {"ledger", "ledger_totals", "generations", "tasks", "erasures"}
    assert places_of(world, str(world.alice.id)) - files == named
    assert kept_images(world) == 0
    pressed = await world.alice.click(question, label="Make · 10 credits")
    assert private_answer(pressed).text == refusal(QuestionGone())
