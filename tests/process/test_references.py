"""Many references, and large ones."""

import time

import pytest

from tests.front import answered
from tests.process.deployment import Deployment
from tests.process.images import COLOURS, photographs, plain_image
from tests.waiting import until

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
OPTIONS = ("image", *(f"image{number}" for number in range(2, 9)))


async def test_eight_formats_in_one_command(deployment: Deployment) -> None:
    files = [(f"{kind}.{kind}", plain_image(colour, kind)) for kind, colour in zip(FORMATS, COLOURS, strict=True)]
    async with deployment.bot():
        options = dict(zip(OPTIONS, files, strict=True))
        await deployment.wait_for_image(await deployment.imagine("image 8 on image 1", **options))
        await deployment.wait_until_settled()

    assert deployment.reference_colours() == [list(COLOURS)]
    uploads = [file for call in deployment.kie.requests for file in call.files.values()]
    assert {upload.content_type for upload in uploads} <= {"image/jpeg", "image/png", "image/webp"}
    assert len({upload.name for upload in uploads}) == 8
    assert deployment.logged_errors() == []


@pytest.mark.long
async def test_other_members_are_answered_while_large_images_are_prepared(deployment: Deployment) -> None:
    files = [(f"{number}.jpg", photograph) for number, photograph in enumerate(photographs(*COLOURS))]
    answer_times: list[float] = []
    async with deployment.bot():
        options = dict(zip(OPTIONS, files, strict=True))
        interaction = await deployment.imagine("image 8 on image 1", **options)
        begun = time.monotonic()
        while not deployment.kie.tasks:
            asked = time.monotonic()
            balance = await deployment.bob.slash(deployment.channel, "balance")
            await until(lambda balance=balance: answered(balance), within=60, what="the balance")
            answer_times.append(time.monotonic() - asked)
        preparing = time.monotonic() - begun
        await deployment.wait_for_image(interaction)
        await deployment.wait_until_settled()

    assert deployment.reference_colours() == [list(COLOURS)]
    assert len(answer_times) > 10
    assert max(answer_times) < preparing / 2, "nothing blocks the bot for long"
