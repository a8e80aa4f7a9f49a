"""Images attached to /imagine: used in their order, or named when they cannot be used."""

import pytest
from PIL import Image

from demo.kie import Code
from tests.media.images import encoded
from tests.stories.images import SVG, heic, pixels, png
from tests.stories.kie_calls import references_used, task_body
from tests.stories.story_world import PAID, StoryWorld, bot_with

OPTIONS = ["image", *(f"image{number}" for number in range(2, 9))]
UNREADABLE = "isn't an image I can read. Try a JPEG, PNG, WebP or HEIC. Nothing was charged."
TOO_LARGE = "is over 50 MB. Attach a smaller image. Nothing was charged."


async def test_one_image_is_worked_from(world: StoryWorld) -> None:
    card = await world.delivered("image 1 as an oil painting", image=("holiday.jpeg", png()))

    body = task_body(world.kie)
    assert body["model"] == "flux-2/pro-image-to-image"
    assert body["input"]["aspect_ratio"] == "auto"
    assert references_used(world.kie) == [pixels(png())]
    assert card.small_print[:4] == [world.alice.mention, "FLUX.2 Pro", "1K", "from 1 image"]
    assert world.ledger(world.alice) == PAID
    # KIE is told the type that the content has, and not the file's name.
    (upload,) = [file for call in world.kie.requests for file in call.files.values()]
    assert upload.content_type == "image/png"
    assert "holiday" not in upload.name


async def test_a_phones_image_is_converted_and_a_chosen_shape_kept(world: StoryWorld) -> None:
    await world.delivered("brighter", image=("IMG_0001.HEIC", heic()), aspect_ratio="2:3")

    (upload,) = [file for call in world.kie.requests for file in call.files.values()]
    assert upload.content_type == "image/jpeg"
    assert pixels(upload.content)[0] == (48, 32)
    assert task_body(world.kie)["input"]["aspect_ratio"] == "2:3"


async def test_eight_images_keep_their_order(world: StoryWorld) -> None:
    sketches = [png((30 * number, 255 - 30 * number, 90), (16 + number, 16)) for number in range(8)]
    attached = {option: (f"{option}.png", sketch) for option, sketch in zip(OPTIONS, sketches, strict=True)}
    card = await world.delivered("image 1 like image 8", model="flex", **dict(reversed(attached.items())))

    assert references_used(world.kie) == [pixels(sketch) for sketch in sketches]
    assert task_body(world.kie)["model"] == "flux-2/flex-image-to-image"
    assert "from 8 images" in card.small_print


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [
        ("notes.png", b"milk, bread, cobalt blue", f"notes.png {UNREADABLE}"),
        ("logo.svg", SVG, f"logo.svg {UNREADABLE}"),
        ("**@everyone**.png", b"milk, bread", rf"\*\*\@everyone\*\*.png {UNREADABLE}"),
        (
            "half.png",
            png(size=(400, 400))[:-900],
            "half.png is damaged or incomplete. Save it again and attach the new copy. Nothing was charged.",
        ),
        (
            "empty.png",
            encoded(Image.new("RGBA", (40, 30)), "PNG"),
            "empty.png is fully transparent. Attach one that shows something. Nothing was charged.",
        ),
        ("huge.png", bytes(50_000_001), f"huge.png {TOO_LARGE}"),
    ],
    ids=["text", "svg", "odd name", "cut off", "transparent", "too large"],
)
async def test_a_file_that_cannot_be_used_is_named(world: StoryWorld, name: str, content: bytes, refusal: str) -> None:
    assert world.refusal(await world.imagine("as an oil painting", image=(name, content))).text == refusal
    assert world.messages() == []
    world.check_nothing_started()


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (png(), "couldn't be loaded from Discord. Attach it again. Nothing was charged."),
        (bytes(50_000_001), TOO_LARGE),
    ],
    ids=["lost", "too large to be even loaded"],
)
async def test_a_file_that_discord_has_lost_is_named(world: StoryWorld, content: bytes, refusal: str) -> None:
    world.cdn.lost.add("lost.png")

    assert world.refusal(await world.imagine("brighter", image=("lost.png", content))).text == f"lost.png {refusal}"
    world.check_nothing_started()


async def test_one_bad_file_among_good_ones_stops_the_whole(world: StoryWorld) -> None:
    command = await world.imagine("image 2 at night", image=("good.png", png()), image2=("notes.png", b"milk, bread"))

    assert world.refusal(command).text.startswith("notes.png isn't an image I can read.")
    assert world.kie.tasks == {}
    assert world.ledger(world.alice) == []


async def test_kie_that_takes_no_files_costs_nothing(world: StoryWorld) -> None:
    world.kie.script.always("upload", Code(500, "Internal Error"))

    assert world.refusal(await world.imagine("brighter", image=("good.png", png()))).text == (
        "The image service didn't accept your image. Try again in a while. Nothing was charged."
    )
    assert world.kie.tasks == {}
    assert world.ledger(world.alice) == []


@bot_with(credits=4)
async def test_without_credits_no_file_is_sent_to_kie(world: StoryWorld) -> None:
    refusal = world.refusal(await world.imagine("brighter", image=("good.png", png())))

    assert refusal.text.startswith("This costs 5 credits, but your allowance is only 4.")
    world.check_nothing_started()


async def test_what_a_killed_bot_left_of_members_images_is_removed_at_the_next_start(world: StoryWorld) -> None:
    data = world.files
    for folder in (data / "tmp", data / "workshop"):
        folder.mkdir(exist_ok=True)
        (folder / "image").write_bytes(png())

    await world.restart()

    assert not (data / "workshop").exists()
    assert list((data / "tmp").iterdir()) == []
