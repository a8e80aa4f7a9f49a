"""Reference sets: saved by command or from a message's menu, used in /imagine, kept for as long as they are wanted."""

import shutil
from datetime import timedelta

import simcord

from bot.config.sections import ReferencesConfig
from bot.domain.ids import ReferenceSetId, UserId
from bot.domain.styles import Owner, ReferenceSet, SavedImage
from bot.store.tables import metadata
from demo.kie import Fail
from tests.database import ON_POSTGRESQL, execute
from tests.stories.components import REMIX_FORM, fields_of, forge_modal, menu_of, new_card, private_answer
from tests.stories.images import Pixels, fetched, pixels, png
from tests.stories.kie_calls import references_used, uploads
from tests.stories.rendered import rendered
from tests.stories.story_world import REFUNDED, StoryWorld, response_of
from tests.stories.test_privacy import erased, exported, kept_images
from tests.stories.test_styles import ANY, NOT_A_MANAGER, SERVER, add_style

CAT, PAW, LOGO = (png((200, 30 * number, 60), (20 + number, 20)) for number in range(3))
DAYS = timedelta(days=400).total_seconds()


async def save(world: StoryWorld, by: simcord.MemberActor, name: str, *images: bytes, **options: str) -> str:
    """What the member reads after saving these images."""
    attached = {f"image{number if number > 1 else ''}": (f"{number}.png", image) for number, image in _numbered(images)}
    return rendered(response_of(await by.slash(world.channel, "references add", name=name, **attached, **options))).text


def _numbered(images: tuple[bytes, ...]) -> list[tuple[int, bytes]]:
    return list(enumerate(images, start=1))


async def used(world: StoryWorld, prompt: str = "on a sofa", **options: object) -> list[Pixels]:
    """What KIE works from."""
    await world.delivered(prompt, **options)
    return references_used(world.kie)


async def test_a_set_outlives_discords_links_kies_uploads_and_the_process(world: StoryWorld) -> None:
    answer = await save(world, world.alice, "My cat", CAT, PAW)
    assert answer.startswith("**My cat** has 2 images now, for you, in every server")
    assert uploads(world.kie) == 0, "nothing leaves before it is used"
    assert await used(world, references="own:My cat", image=("logo.png", LOGO)) == list(map(pixels, (LOGO, CAT, PAW)))
    world.cdn.lost |= {"1.png", "2.png"}
    world.clock.advance(DAYS)
    await world.restart()
    await world.delivered("a lighthouse", image=("other.png", png()))

    (choice,) = await world.alice.autocomplete(world.channel, "imagine", "references", "CAT")
    assert choice == {"name": "My cat · yours · 2 images", "value": "own:My cat"}
    assert await used(world, references=choice["value"]) == [pixels(CAT), pixels(PAW)]
    assert await world.bob.autocomplete(world.channel, "imagine", "references", "") == []
    listed = await world.alice.slash(world.channel, "references list")
    assert "**My cat** · yours · 2 images" in private_answer(listed).text


async def test_a_members_own_set_stays_theirs(world: StoryWorld) -> None:
    await save(world, world.alice, "My cat", CAT)
    world.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
    card = await new_card(world, references="My cat")
    attempt = await world.bob.click(card, label="Edit prompt")
    assert private_answer(attempt).text.startswith("Someone else attached these images privately.")
    for name in ("own:My cat", "My cat"):
        refused = await world.imagine(by=world.bob, references=name)
        assert world.refusal(refused).text.startswith("There's no reference set “My cat”.")
        removed = await world.bob.slash(world.channel, "references remove", name=name)
        assert private_answer(removed).text.startswith("There's no reference set “My cat”.")


async def test_a_servers_set_is_published_by_those_who_may_manage(world: StoryWorld) -> None:
    refused = await world.alice.slash(world.channel, "references add", name="Logo", image=("l.png", LOGO), **SERVER)
    assert world.refusal(refused).text == NOT_A_MANAGER
    assert "for everybody in this server" in await save(world, world.admin, "Logo", LOGO, **SERVER)
    world.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
    card = await new_card(world, by=world.bob, references="logo")
    opened = await world.alice.click(card, label="Edit prompt")
    await world.outcome(await world.alice.submit_modal(opened, {"prompt": "in other words", **REMIX_FORM}))
    assert references_used(world.kie) == [pixels(LOGO)]
    assert private_answer(await world.bob.slash(world.channel, "references remove", name="Logo")).text == NOT_A_MANAGER


async def test_the_menu_of_a_message_saves_its_images(world: StoryWorld) -> None:
    above = await world.bob.send(world.channel, "look", attachments=[("1.png", CAT), ("2.png", PAW)])
    opened = await world.alice.context_menu(world.channel, "Save as references", above)
    assert [*fields_of(opened)] == ["name"]
    theirs = await world.bob.context_menu(world.channel, "Save as references", above)
    assert theirs.modal is not None
    assert opened.modal is not None
    forge_modal(world, theirs, opened.modal["custom_id"])
    assert world.refusal(await world.bob.submit_modal(theirs, {"name": "stolen"})).text.startswith("This form was open")

    for text in (
        "has 2 images now",
        "They were already in it.",
    ):
        saved = response_of(await world.alice.submit_modal(opened, {"name": "Cat"}))
        assert text in rendered(saved).text
        opened = await world.alice.context_menu(world.channel, "Save as references", above)
    by_admin = await world.admin.context_menu(world.channel, "Save as references", above)
    assert [*fields_of(by_admin)] == ["name", "whose"]
    await world.admin.submit_modal(by_admin, {"name": "Mascot", "whose": ["server"]})
    assert await used(world, by=world.bob, references="Mascot") == [pixels(CAT), pixels(PAW)]


async def test_the_menu_of_an_image_saves_it(world: StoryWorld) -> None:
    card = await new_card(world, count=2)
    opened = await world.bob.click(await menu_of(world, world.bob, card, "2"), label="Save as references")
    assert [*fields_of(opened)] == ["name"]
    saved = response_of(await world.bob.submit_modal(opened, {"name": "Fox"}))
    assert "**Fox** has 1 image now" in rendered(saved).text
    made = pixels(await fetched(rendered(card).images[1].url))
    assert await used(world, by=world.bob, references="Fox") == [made]


async def test_eight_images_at_most_and_a_set_of_a_style(world: StoryWorld) -> None:
    sketches = [png((20 * number, 90, 90), (16 + number, 16)) for number in range(8)]
    await save(world, world.alice, "Sheet", *sketches[:7])
    refused = await world.imagine(references="Sheet", image=("a.png", CAT), image2=("b.png", PAW))
    assert world.refusal(refused).text == (
        "The set “Sheet” has 7 images and you attached 2, but I can work from 8 at most. Attach fewer. "
        "Nothing was charged."
    )
    full = await world.alice.slash(
        world.channel, "references add", name="sheet", image=("a.png", CAT), image2=("b.png", PAW)
    )
    assert "“Sheet” has 7 already; nothing was saved." in world.refusal(full).text.replace("7 images", "7")
    assert (await save(world, world.alice, "sheet", sketches[7])).startswith("**Sheet** has 8 images now")

    opened = await world.alice.slash(world.channel, "style add")
    value = next(
        option["value"] for option in fields_of(opened)["set"]["options"] if option["label"] == "Sheet · yours"
    )
    await world.alice.submit_modal(opened, {"name": "Ours", "template": "{prompt}!", **ANY, "set": [value]})
    assert "images: Sheet" in private_answer(await world.alice.slash(world.channel, "style list")).text
    assert await used(world, style="Ours") == list(map(pixels, sketches))
    await world.alice.slash(world.channel, "references remove", name="Sheet")
    assert await world.delivered("a lighthouse", style="Ours")


async def test_a_set_of_spoilers_makes_spoilers(world: StoryWorld) -> None:
    await world.alice.slash(world.channel, "references add", name="Ending", image=("SPOILER_end.png", CAT))
    card = await new_card(world, "the murderer", references="Ending")
    assert rendered(card).headline == "||**the murderer**||"


async def test_there_is_no_room_beyond_what_the_operator_gives(world: StoryWorld) -> None:
    references = ReferencesConfig(set_megabytes=0)
    world.bot.config = world.bot.config.model_copy(update={"references": references})
    await world.restart()
    refused = await world.alice.slash(world.channel, "references add", name="Cat", image=("cat.png", CAT))
    assert world.refusal(refused).text.startswith("I have no room for more saved images; nothing was saved.")
    assert kept_images(world) == 0


async def test_an_image_that_kie_refuses_costs_nothing(world: StoryWorld) -> None:
    await save(world, world.alice, "My cat", CAT)
    world.kie.script.next_tasks(Fail("400", "Failed to load the image"))
    card = await world.delivered(references="My cat")
    assert "Nothing was charged." in card.text
    assert world.ledger(world.alice) == REFUNDED
    unreadable = await world.alice.slash(world.channel, "references add", name="Notes", image=("n.png", b"milk"))
    assert world.refusal(unreadable).text.startswith("n.png isn't an image I can read.")
    assert execute(world.folder, "SELECT count(*) FROM reference_sets") == [(1,)]


async def test_lost_files_are_told_and_cost_nothing(world: StoryWorld) -> None:
    await save(world, world.alice, "My cat", CAT)
    if ON_POSTGRESQL:
        execute(world.folder, "DELETE FROM reference_images")
    else:
        shutil.rmtree(world.folder / "references")
    refused = await world.imagine(references="My cat")
    assert world.refusal(refused).text == (
        "The images of “My cat” are lost. Remove it and save them again. Nothing was charged."
    )
    world.check_nothing_started()


async def test_what_is_removed_or_erased_is_gone_and_nothing_else(world: StoryWorld) -> None:
    await add_style(world, world.alice, name="Ottoline's", template="Ottoline, {prompt}")
    await save(world, world.alice, "Ottoline", CAT, PAW)
    await save(world, world.admin, "Logo", PAW, LOGO, **SERVER)
    await save(world, world.alice, "Short", png((9, 9, 9)))
    assert kept_images(world) == 4
    await world.alice.slash(world.channel, "references remove", name="Short")
    assert kept_images(world) == 3
    await world.delivered("a heron", references="Ottoline", style="Ottoline's")
    files = await exported(world, world.alice)
    assert "Ottoline, {prompt}" in files["saved.json"]
    assert '"style": "Ottoline\'s"' in files["requests.json"]
    panel = await erased(world, world.alice)

    assert "reference set" not in panel.text
    rows = [execute(world.folder, f"SELECT * FROM {table.name}") for table in metadata.sorted_tables]
    assert "Ottoline" not in repr(rows)
    assert kept_images(world) == 2, "the server's set goes on"
    assert await used(world, by=world.bob, references="Logo") == [pixels(PAW), pixels(LOGO)]


async def test_a_long_list_has_pages(world: StoryWorld) -> None:
    owner = Owner.member(UserId(world.alice.id))
    async with world.app.runtime.store.write() as tx:
        for number in range(10):
            image = SavedImage(f"{number}.png", str(number), 1000)
            await tx.reference_sets.put(ReferenceSet(owner, f"Set {number}", ReferenceSetId(number + 1), (image,)))
    listed = response_of(await world.alice.slash(world.channel, "references list"))
    await world.alice.click(listed, label="Next")
    assert [line for line in rendered(listed).text.splitlines() if "**" in line] == [
        f"**Set {number}** · yours · 1 image · 1 KB" for number in (8, 9)
    ]
