"""Cards that an earlier process opened: told of once, unless a generation has taken them over."""

from dataclasses import replace

import pytest

from bot.domain.generation import Destination, InteractionToken, PendingCard
from bot.domain.ids import ChannelId, MessageId, PendingCardId
from bot.generation.recover import report_interrupted
from tests.generation.easel import ALICE, Easel, House
from tests.waiting import until


def opened(easel: Easel, value: str = "another-token") -> PendingCard:
    """A card that the process at hand has opened, and not more than that."""
    expires = easel.clock.now()
    where = Destination(ChannelId(5), InteractionToken(6, value, expires), MessageId(9), private=False, upload_limit=0)
    opening = PendingCard(PendingCardId(1), ALICE, easel.clock.now(), where)
    easel.pending_cards.note(opening)
    return opening


async def tell(easel: Easel) -> None:
    """What the new process does once Discord can be reached."""
    await report_interrupted(easel.runtime, easel.pending_cards, easel.discord)
    await until(lambda: not len(easel.runtime.background), what="the telling")


async def test_a_card_without_a_wish_is_told_of_once(house: House) -> None:
    async with house.easel() as easel:
        opening = opened(easel)
        await tell(easel)
        assert easel.discord.apologies == [], "it is this process's own"
    async with house.easel() as easel:
        await tell(easel)
        assert easel.discord.apologies == [opening]
        assert easel.ledger() == []
    async with house.easel() as easel:
        await tell(easel)
        assert easel.discord.apologies == []


async def test_an_accepted_wish_ends_its_opening(house: House) -> None:
    async with house.easel(working=False) as easel:
        opening = opened(easel)
        destination = replace(opening.destination, pending_card=opening.id)
        wish = await easel.ask()
        request = replace((await easel.generation(wish)).request, destination=destination)
        await easel.generations.accept(request)
    async with house.easel(working=False) as easel:
        assert easel.pending_cards.left == ()


async def test_a_wish_that_was_accepted_just_before_the_end_is_not_apologised_for(house: House) -> None:
    async with house.easel() as easel:
        wish = await easel.ask()
        # The process died after the transaction and before it removed the file.
        opened(easel, value="token")
        await easel.told(wish)
    async with house.easel() as easel:
        await tell(easel)
        assert easel.discord.apologies == []
    async with house.easel() as easel:
        assert easel.pending_cards.left == ()


async def test_what_breaks_while_telling_is_left_to_the_next_process(
    house: House, failed_jobs: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("Session is closed")
    failed_jobs.append(error)

    async def broken(_opening: PendingCard) -> None:
        raise error

    async with house.easel() as easel:
        opening = opened(easel)
    async with house.easel() as easel:
        monkeypatch.setattr(easel.discord, "show_interrupted", broken)
        await tell(easel)
    async with house.easel() as easel:
        await tell(easel)
        assert easel.discord.apologies == [opening]
