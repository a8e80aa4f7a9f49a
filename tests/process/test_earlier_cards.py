"""Buttons and modals that one process showed and another one answers."""

import signal
from collections import Counter

from simcord import MemberActor

from tests.process.pictures import BLUE, GREEN, RED, field
from tests.process.studio import Studio, filled
from tests.stories.rendered import rendered
from tests.waiting import until


async def test_the_menus_modal_is_answered_by_the_next_process(studio: Studio) -> None:
    pictures = [("one.png", field(RED)), ("two.png", field(GREEN))]
    above = await studio.bob.send(studio.channel, "look", attachments=pictures)
    async with studio.bot() as bot:
        menu = await studio.menu(above)
        bot.send(signal.SIGKILL)
        await bot.ended()

    async with studio.bot():
        added = ("three.png", field(BLUE))
        sent = await studio.alice.submit_modal(menu, filled("all three in one", resolution=["2K"], files=added))
        card = await studio.delivered(sent)
        await until(lambda: len(studio.ledger()) == 2, what="the credits to come to rest")

    assert studio.references() == [[RED, GREEN, BLUE]]
    assert above.jump_url in card.small_print[-1]
    assert studio.ledger() == [("reserve", -7), ("settle", 0)]
    assert studio.alarms() == []


async def test_buttons_of_an_earlier_process(studio: Studio) -> None:
    async with studio.bot() as bot:
        asked = await studio.imagine("a hill")
        await studio.delivered(asked)
        await studio.settled()
        bot.send(signal.SIGKILL)
        await bot.ended()
    card = studio.shown(asked)

    async with studio.bot():
        opened = await studio.modal(await studio.bob.click(card, label="Edit"))
        added = ("two.png", field(GREEN))
        edited = await studio.bob.submit_modal(opened, filled("image 1 like image 2", files=added))
        larger = await studio.bob.click(card, label="2K · 7")
        again = await studio.bob.click(card, label="Again")
        for clicked in (edited, larger, again):
            await studio.delivered(clicked)
        await studio.told(await studio.bob.click(card, label="Delete"), "Only the person who requested this")
        assert asked.response is not None
        await studio.alice.click(card, label="Delete")
        await deleted(studio, times=1)
        await until(lambda: len(studio.ledger()) == 8, what="the credits to come to rest")

    assert card.id not in {post.id for post in studio.channel.history()}
    assert len(studio.posts()) == 3
    assert Counter(studio.orders())["a hill"] == 2
    assert sorted(len(one) for one in studio.references()) == [0, 0, 1, 2]
    assert "2K" in rendered(studio.shown(larger)).small_print
    assert "Edit" in rendered(studio.shown(larger)).buttons
    assert spent_by(studio, studio.alice) == [-5]
    assert sorted(spent_by(studio, studio.bob)) == [-7, -5, -5]
    assert studio.alarms() == []


async def test_again_after_the_uploads_have_expired(studio: Studio) -> None:
    async with studio.bot():
        asked = await studio.imagine(
            "image 1 on image 2", image=("one.png", field(RED)), image2=("two.png", field(BLUE))
        )
        await studio.delivered(asked)
        await studio.settled()
    forget_uploads(studio)
    studio.front.env.backend.cdn = type(studio.front.env.backend.cdn)()

    async with studio.bot():
        await studio.delivered(await studio.alice.click(studio.shown(asked), label="Again"))
        await studio.settled(generations=2)

    assert studio.references() == [[RED, BLUE]] * 2
    assert len([call for call in studio.kie.requests if call.files]) == 4
    assert studio.alarms() == []


async def test_two_members_click_at_the_same_instant(studio: Studio) -> None:
    async with studio.bot() as bot:
        asked = await studio.imagine("image 1 at night", image=("one.png", field(RED)))
        await studio.delivered(asked)
        await studio.settled()
        card = studio.shown(asked)
        # What comes while the process is stopped is read at once when it goes on.
        bot.send(signal.SIGSTOP)
        clicks = [await who.click(card, label="Again") for who in (studio.alice, studio.bob)]
        bot.send(signal.SIGCONT)
        for clicked in clicks:
            await studio.delivered(clicked)
        await studio.settled(generations=3)

    assert len({studio.shown(clicked).id for clicked in clicks} | {card.id}) == 3
    for who, clicked in zip((studio.alice, studio.bob), clicks, strict=True):
        assert rendered(studio.shown(clicked)).small_print[0] == who.mention
    assert studio.references() == [[RED]] * 3
    assert (spent_by(studio, studio.alice), spent_by(studio, studio.bob)) == ([-5, -5], [-5])
    assert studio.alarms() == []


async def test_delete_pressed_twice_deletes_once(studio: Studio) -> None:
    async with studio.bot() as bot:
        asked = await studio.imagine("a hill")
        await studio.delivered(asked)
        card = studio.shown(asked)
        bot.send(signal.SIGSTOP)
        presses = [await studio.alice.click(card, label="Delete") for _ in range(2)]
        bot.send(signal.SIGCONT)
        await deleted(studio, times=2)

    assert studio.posts() == []
    assert [press.followups for press in presses] == [[], []]
    assert studio.alarms() == []


async def deleted(studio: Studio, *, times: int) -> None:
    """Wait until Discord was asked so often to delete a card, and has answered."""
    await until(
        lambda: len([call for call in studio.front.calls("DELETE", "/@original") if call.answered_at]) == times,
        what="the card to be deleted",
    )


def spent_by(studio: Studio, who: MemberActor) -> list[int]:
    """A member's reservations, in whole credits."""
    return [
        thousandths // 1000
        for thousandths in studio.query("SELECT credits FROM ledger WHERE movement = 'reserve' AND user_id = ?", who.id)
    ]


def forget_uploads(studio: Studio) -> None:
    """A day passes at KIE: what was uploaded is gone, and Easel's note of it is too old."""
    studio.query("UPDATE uploads SET uploaded_at = datetime(uploaded_at, '-21 hours') RETURNING 1")
