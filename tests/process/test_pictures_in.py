"""Many references, and large ones."""

from tests.front import answered
from tests.process.pictures import COLOURS, field, photographs
from tests.process.studio import Studio
from tests.waiting import until

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
OPTIONS = ("image", *(f"image{number}" for number in range(2, 9)))


async def test_eight_formats_in_one_command(studio: Studio) -> None:
    files = [(f"{kind}.{kind.lower()}", field(colour, kind)) for kind, colour in zip(FORMATS, COLOURS, strict=True)]
    async with studio.bot():
        card = await studio.delivered(
            await studio.imagine("image 8 on image 1", **dict(zip(OPTIONS, files, strict=True)))
        )
        await studio.settled()

    assert studio.references() == [list(COLOURS)]
    uploads = [file for call in studio.kie.requests for file in call.files.values()]
    assert {upload.content_type for upload in uploads} <= {"image/jpeg", "image/png", "image/webp"}
    assert len({upload.name for upload in uploads}) == 8
    assert "from 8 images" in card.small_print
    assert studio.alarms() == []


async def test_others_are_answered_in_time_while_large_pictures_are_prepared(studio: Studio) -> None:
    files = [(f"{number}.jpg", content) for number, content in enumerate(photographs(*COLOURS))]
    took: list[float] = []
    async with studio.bot():
        asked = await studio.imagine("image 8 on image 1", **dict(zip(OPTIONS, files, strict=True)))
        while not studio.kie.tasks:
            took.append(await balance(studio))
        await studio.delivered(asked)
        await studio.settled()

    assert studio.references() == [list(COLOURS)]
    assert len(took) > 10
    assert max(took) < 1


async def balance(studio: Studio) -> float:
    """Bob asks what he has left, and is told; the seconds until Discord knew that his command had come."""
    asked = await studio.bob.slash(studio.channel, "balance")
    await until(lambda: answered(asked), what="the balance")
    took = studio.front.time_to_acknowledge(asked)
    assert took is not None
    return took
