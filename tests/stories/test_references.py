from decimal import Decimal

import pytest

from demo.kie import Code, Delay
from tests.kie.schema import caused
from tests.stories.orders import order
from tests.stories.pictures import SVG, heic, pixels, png
from tests.stories.stage import Stage, given

OPTIONS = ["image", *(f"image{number}" for number in range(2, 9))]

UNREADABLE = "is not a picture that I can read. Attach a JPEG, PNG, WebP, HEIC or the like. Nothing was charged."


async def test_one_picture_is_worked_from(stage: Stage) -> None:
    sketch = png()
    card = await stage.delivered("image 1 as an oil painting", image=("sketch.png", sketch))

    body = order(stage.kie)
    assert body["model"] == "flux-2/pro-image-to-image"
    assert body["input"]["aspect_ratio"] == "auto"
    (task,) = stage.kie.tasks.values()
    assert [pixels(one) for one in task.references or ()] == [pixels(sketch)]
    assert card.small_print[2] == "auto"
    assert "1 reference" in card.small_print
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5)), ("settle", Decimal(0))]


async def test_a_chosen_ratio_goes_before_that_of_the_picture(stage: Stage) -> None:
    await stage.delivered("as a poster", image=("sketch.png", png()), aspect_ratio="2:3")

    assert order(stage.kie)["input"]["aspect_ratio"] == "2:3"


async def test_eight_pictures_keep_their_order(stage: Stage) -> None:
    sketches = [png((30 * number, 255 - 30 * number, 90), (16 + number, 16)) for number in range(8)]
    given_out_of_order = {
        option: (f"{option}.png", sketch) for option, sketch in reversed([*zip(OPTIONS, sketches, strict=True)])
    }
    card = await stage.delivered("image 1 in the style of image 8", model="flex", **given_out_of_order)

    (task,) = stage.kie.tasks.values()
    assert [pixels(one) for one in task.references or ()] == [pixels(sketch) for sketch in sketches]
    assert order(stage.kie)["model"] == "flux-2/flex-image-to-image"
    assert "8 references" in card.small_print


async def test_kie_is_told_the_kind_that_the_content_has(stage: Stage) -> None:
    await stage.delivered("brighter", image=("holiday.jpeg", png()))

    (upload,) = [file for call in stage.kie.requests for file in call.files.values()]
    assert upload.content_type == "image/png"
    assert upload.name.endswith(".png")
    assert "holiday" not in upload.name


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "notes.png",
            b"milk, bread, cobalt blue",
            f"notes.png {UNREADABLE}",
        ),
        (
            "logo.svg",
            SVG,
            f"logo.svg {UNREADABLE}",
        ),
        (
            "half.png",
            png(size=(400, 400))[:-900],
            "half.png is damaged or cut off. Save it again and attach that. Nothing was charged.",
        ),
        ("huge.png", bytes(50_000_001), "huge.png is over 50 MB. Attach a smaller one. Nothing was charged."),
    ],
    ids=["text", "svg", "cut off", "too large"],
)
async def test_a_file_that_cannot_be_used_is_named(stage: Stage, name: str, content: bytes, sentence: str) -> None:
    told = await stage.refusal(await stage.imagine("as an oil painting", image=(name, content)))

    assert told.text == sentence
    assert stage.cards() == []
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


async def test_a_file_that_says_it_is_too_large_is_not_even_loaded(stage: Stage) -> None:
    stage.cdn.loses.add("huge.png")
    told = await stage.refusal(await stage.imagine("brighter", image=("huge.png", bytes(50_000_001))))

    assert "huge.png is over 50 MB." in told.text


async def test_a_file_that_discord_has_lost_is_named(stage: Stage) -> None:
    stage.cdn.loses.add("lost.png")
    told = await stage.refusal(await stage.imagine("brighter", image=("lost.png", png())))

    assert told.text == "lost.png could not be loaded from Discord. Attach it again. Nothing was charged."
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


async def test_one_bad_file_among_good_ones_stops_the_whole(stage: Stage) -> None:
    asked = await stage.imagine("image 2 at night", image=("good.png", png()), image2=("notes.png", b"milk, bread"))
    told = await stage.refusal(asked)

    assert told.text.startswith("notes.png is not a picture that I can read.")
    assert stage.kie.tasks == {}
    assert stage.ledger(stage.alice) == []


async def test_kie_that_takes_no_files_costs_nothing(stage: Stage) -> None:
    stage.kie.script.always("upload", Code(500, "Internal Error"))
    told = await stage.refusal(await stage.imagine("brighter", image=("good.png", png())))

    assert told.text == "KIE did not take your picture. Try again in a while. Nothing was charged."
    assert stage.kie.tasks == {}
    assert stage.ledger(stage.alice) == []


@given(credits=4)
async def test_without_credits_no_file_is_sent_to_kie(stage: Stage) -> None:
    told = await stage.refusal(await stage.imagine("brighter", image=("good.png", png())))

    assert told.text.startswith("This costs 5 credits, more than your whole allowance of 4; you have 4 left.")
    assert caused(stage.kie) == []


async def test_the_same_picture_is_uploaded_once_within_a_day(stage: Stage) -> None:
    for prompt in ("as an oil painting", "as a woodcut"):
        await stage.delivered(prompt, image=("sketch.png", png()))

    assert len([call for call in stage.kie.requests if call.files]) == 1
    assert [len(task.references or ()) for task in stage.kie.tasks.values()] == [1, 1]


async def test_a_phones_picture_is_turned_into_one_that_kie_takes(stage: Stage) -> None:
    await stage.delivered("brighter", image=("IMG_0001.HEIC", heic()))

    (upload,) = [file for call in stage.kie.requests for file in call.files.values()]
    assert upload.content_type == "image/jpeg"
    assert pixels(upload.content)[0] == (48, 32)


async def test_the_time_told_is_the_time_waited(stage: Stage) -> None:
    stage.kie.script.on("upload", Delay(1.2))
    card = await stage.delivered("brighter", image=("sketch.png", png()))

    (seconds,) = [piece for piece in card.small_print if piece.endswith(" s")]
    assert int(seconds.removesuffix(" s")) >= 1
