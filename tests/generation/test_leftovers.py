"""What could be posted nowhere: kept with its pictures for the member's next command, a week long, at no charge."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.errors import Undeliverable
from bot.domain.ids import GenerationId
from bot.domain.ports import ImageFile
from bot.domain.states import Failure, TaskState
from bot.generation.undelivered import KEPT_FOR
from demo.kie import Fail, KieStandIn, RecordedRequest, Reply, Succeed
from tests.generation.easel import ALICE, BOB, Easel, House
from tests.waiting import until

LIMIT = 10 << 20
GIVEN_BACK = [("reserve", Decimal(-5)), ("goodwill", Decimal(5))]


async def left_over(easel: Easel, count: int = 1) -> GenerationId:
    """A wish of Alice's whose end can be told nowhere."""
    easel.discord.always = Undeliverable("nowhere")
    wish = await easel.ask(count=count)
    await until(
        lambda: len(easel.discord.attempts) >= 1 and not len(easel.runtime.background), what="the wish to be given up"
    )
    easel.discord.always = None
    return wish


def downloads(kie: KieStandIn) -> list[RecordedRequest]:
    return [call for call in kie.requests if call.path.startswith("/results/")]


async def pictures(easel: Easel, wish: GenerationId, limit: int = LIMIT) -> list[int]:
    """The sizes of what is still to be had of it."""
    found = await easel.undelivered.look_at(wish, limit)
    assert found is not None
    assert found[0].id == wish
    return sizes(found[1])


def sizes(images: Sequence[ImageFile]) -> list[int]:
    return [Path(image.path).stat().st_size for image in images]


async def test_pictures_wait_for_their_member_alone(easel: Easel, kie: KieStandIn) -> None:
    wish = await left_over(easel, count=2)
    assert easel.undelivered.take(BOB) == []
    assert easel.undelivered.take(ALICE) == [wish]
    assert easel.undelivered.take(ALICE) == [], "two commands at once hand it over once"
    assert len(await pictures(easel, wish)) == 2
    assert len(downloads(kie)) == 2, "they were kept"
    assert {task.failure for task in await easel.tasks(wish)} == {Failure.UNDELIVERABLE}
    assert sorted(easel.ledger(wish)) == sorted(GIVEN_BACK * 2)


async def test_what_could_not_be_handed_over_goes_back_on_the_list(easel: Easel) -> None:
    wish = await left_over(easel)
    for _ in range(2):
        assert easel.undelivered.take(ALICE) == [wish]
        easel.undelivered.remember(ALICE, wish)
        easel.undelivered.remember(ALICE, wish)


@pytest.mark.parametrize("lost", [False, True], ids=["files kept", "files lost"])
async def test_the_next_process_has_them_too(house: House, kie: KieStandIn, lost: bool) -> None:
    async with house.easel() as easel:
        wish = await left_over(easel)
        spool = easel.database.parent / "spool"
    if lost:
        for path in spool.iterdir():
            path.unlink()
    async with house.easel() as easel:
        assert easel.undelivered.take(ALICE) == [wish]
        assert len(await pictures(easel, wish)) == 1
        assert len(downloads(kie)) == (2 if lost else 1)
        assert easel.ledger(wish) == GIVEN_BACK
        await easel.undelivered.handed_over(await easel.generation(wish))
        assert list(spool.iterdir()) == []
    async with house.easel() as easel:
        assert easel.undelivered.take(ALICE) == []
        assert easel.discord.attempts == []


async def test_what_kie_no_longer_has_is_told_without_its_picture(easel: Easel, kie: KieStandIn) -> None:
    wish = await left_over(easel)
    easel.spool.sweep([])
    kie.script.always("result", Reply(404, b""))
    assert await pictures(easel, wish) == []


async def test_they_are_made_to_fit_where_they_are_handed_over(easel: Easel, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(noise_megabytes=1))
    wish = await left_over(easel)
    (size,) = await pictures(easel, wish, 700_000)
    assert 0 < size <= 700_000


async def test_an_end_without_a_picture_waits_as_well(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Fail("422", "flagged as sensitive"))
    async with house.easel() as easel:
        wish = await left_over(easel)
        assert await easel.states(wish) == [TaskState.FAILED]
    async with house.easel() as easel:
        assert easel.undelivered.take(ALICE) == [wish]
        assert await pictures(easel, wish) == []
        assert easel.ledger(wish) == [("reserve", Decimal(-5)), ("refund", Decimal(5))]


async def test_after_a_week_the_next_process_forgets_them(house: House) -> None:
    async with house.easel() as easel:
        wish = await left_over(easel)
        spool = easel.database.parent / "spool"
    house.clock.advance(KEPT_FOR.total_seconds() - 60)
    async with house.easel() as easel:
        assert easel.undelivered.take(ALICE) == [wish]
    house.clock.advance(61)
    async with house.easel() as easel:
        assert easel.undelivered.take(ALICE) == []
        assert list(spool.iterdir()) == []


async def test_a_wish_that_is_not_in_the_store_is_nothing_to_hand_over(easel: Easel) -> None:
    assert await easel.undelivered.look_at(GenerationId(1), LIMIT) is None
