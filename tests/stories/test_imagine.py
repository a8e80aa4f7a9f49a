import io
from decimal import Decimal

from PIL import Image

from bot.ui.cards import AMBER, BLURPLE, GREEN
from demo.kie import Fail, Succeed
from tests.kie.schema import caused
from tests.stories.orders import order, orders
from tests.stories.seen import seen
from tests.stories.stage import Stage, fetched, given
from tests.waiting import until

PAID = [("reserve", Decimal(-5)), ("settle", Decimal(0))]


async def test_a_prompt_alone_becomes_a_picture(stage: Stage) -> None:
    card = await stage.delivered("a red fox in snow")

    assert card.headline == "**a red fox in snow**"
    assert card.colour == GREEN
    assert card.buttons == ("Again", "Edit", "2K", "Delete")
    assert not card.ephemeral
    (picture,) = card.pictures
    assert picture.alt_text == "a red fox in snow"
    with Image.open(io.BytesIO(await fetched(picture.url))) as image:
        assert image.width == image.height
    who, model, ratio, resolution, seconds, price = card.small_print
    assert who == stage.alice.mention
    assert [model, ratio, resolution] == ["flux-2 pro", "1:1", "1K"]
    assert seconds.endswith(" s")
    assert price == "5 credits"
    assert order(stage.kie) == {
        "model": "flux-2/pro-text-to-image",
        "input": {
            "prompt": "a red fox in snow",
            "aspect_ratio": "1:1",
            "resolution": "1K",
            "nsfw_checker": True,
        },
    }
    assert stage.ledger(stage.alice) == PAID


async def test_the_card_tells_how_far_it_is(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.6))
    asked = await stage.imagine("a red fox in snow")
    response = asked.response
    assert response is not None

    painting = await until(
        lambda: next((card for card in [seen(response)] if "🎨" in card.text and not card.buttons), None),
        what="the card to say that KIE paints",
    )
    assert painting.colour == BLURPLE
    assert painting.small_print == ["flux-2 pro", "1:1", "1K", "5 credits"]
    assert "expected <t:" in painting.texts[-1]

    await stage.outcome(asked)
    assert [message.id for message in stage.cards()] == [response.id]


async def test_every_option_reaches_kie_and_the_card(stage: Stage) -> None:
    card = await stage.delivered("a tall ship", model="flex", aspect_ratio="16:9", resolution="2K", count=2)

    assert card.small_print[1:4] == ["2 × flux-2 flex", "16:9", "2K"]
    assert card.small_print[-1:] == ["48 credits"]
    for body in orders(stage.kie):
        assert body["model"] == "flux-2/flex-text-to-image"
        assert body["input"]["aspect_ratio"] == "16:9"
        assert body["input"]["resolution"] == "2K"
    assert len(orders(stage.kie)) == 2
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-24))] * 2 + [("settle", Decimal(0))] * 2


async def test_flex_costs_what_flex_costs(stage: Stage) -> None:
    card = await stage.delivered("a map with small print", model="flex")

    assert card.small_print[1] == "flux-2 flex"
    assert card.small_print[-1:] == ["14 credits"]
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-14)), ("settle", Decimal(0))]


@given(flex_controls=True)
async def test_steps_and_guidance_are_passed_on_where_allowed(stage: Stage) -> None:
    card = await stage.delivered("a map with small print", model="flex", steps=30, guidance=4.5)

    assert card.small_print[4:6] == ["30 steps", "guidance 4.5"]
    sent = order(stage.kie)["input"]
    assert (sent["steps"], sent["guidance"]) == (30, 4.5)


@given(flex_controls=True)
async def test_steps_and_guidance_are_for_flex(stage: Stage) -> None:
    told = await stage.refusal(await stage.imagine(model="pro", steps=30))

    assert told.text == (
        "Steps and guidance work with the model flex only. Choose flex or leave them out. Nothing was charged."
    )
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


async def test_four_pictures_come_on_one_card(stage: Stage) -> None:
    card = await stage.delivered("four seasons", count=4)

    assert len(card.pictures) == 4
    files = {await fetched(picture.url) for picture in card.pictures}
    assert len(files) == 4
    assert card.small_print[1] == "4 × flux-2 pro"
    assert card.small_print[-1:] == ["20 credits"]
    assert len(stage.cards()) == 1
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5))] * 4 + [("settle", Decimal(0))] * 4


async def test_pictures_stand_in_the_order_of_their_tasks(stage: Stage) -> None:
    stage.kie.script.next_tasks(*(Succeed(duration=seconds) for seconds in (0.6, 0.4, 0.2, 0.05)))
    card = await stage.delivered("four seasons", count=4)

    names = [picture.url.rpartition("/")[2] for picture in card.pictures]
    assert names == sorted(names)


async def test_of_four_pictures_two_fail(stage: Stage) -> None:
    broken = Fail("500", "Internal Error, Please try again later.")
    stage.kie.script.next_tasks(Succeed(), broken, Succeed(), broken)
    card = await stage.delivered("four seasons", count=4)

    assert card.colour == AMBER
    assert len(card.pictures) == 2
    assert "2 of 4 pictures came; nothing was charged for the rest." in card.texts
    assert "Something broke at KIE. Try again." in card.texts
    assert card.small_print[-1:] == ["10 credits"]
    movements = stage.ledger(stage.alice)
    assert movements[:4] == [("reserve", Decimal(-5))] * 4
    assert sorted(movements[4:]) == [("refund", Decimal(5))] * 2 + [("settle", Decimal(0))] * 2


async def test_a_private_picture_is_seen_by_its_requester_alone(stage: Stage) -> None:
    card = await stage.delivered("a secret garden", private=True)

    assert card.ephemeral
    assert len(card.pictures) == 1
    assert stage.cards() == []
    assert len(stage.channel.history(viewer=stage.alice)) == 1
    assert stage.ledger(stage.alice) == PAID


async def test_two_members_at_once_get_a_card_each(stage: Stage) -> None:
    hers = await stage.imagine("a red fox in snow")
    his = await stage.imagine("a grey heron in fog", by=stage.bob)

    assert (await stage.outcome(hers)).headline == "**a red fox in snow**"
    card = await stage.outcome(his)
    assert card.headline == "**a grey heron in fog**"
    assert card.small_print[0] == stage.bob.mention
    assert card.small_print[-1] == "5 credits"
    assert stage.ledger(stage.alice) == stage.ledger(stage.bob) == PAID
