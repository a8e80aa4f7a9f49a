"""Members' pictures that cannot be had from Discord: the wish is refused, and nothing was charged."""

import asyncio

import pytest

from bot.domain.errors import ReferenceProblem, ReferenceRefused
from bot.domain.generation import Source
from demo.kie import Behaviour, CutBefore, CutMidBody, Delay, Hang, Html, KieStandIn, Reply
from tests.generation.easel import Easel, House, tuned
from tests.kie.schema import created
from tests.waiting import until


async def picture(easel: Easel) -> Source:
    """A picture somewhere on this machine, which its server may be told to withhold: KIE plays Discord's."""
    (task,) = await easel.tasks((await easel.told(await easel.ask())).id)
    return Source(task.result_url or "", "sketch.png", 500)


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (Reply(404, b""), ReferenceProblem.UNREACHABLE),
        (Reply(403, b"This content is no longer available."), ReferenceProblem.UNREACHABLE),
        (Reply(410, b""), ReferenceProblem.UNREACHABLE),
        (Reply(429, b""), ReferenceProblem.UNREACHABLE),
        (Reply(302, b"", headers={"Location": "/elsewhere"}), ReferenceProblem.UNREACHABLE),
        (Html(500), ReferenceProblem.UNREACHABLE),
        (Html(200), ReferenceProblem.NOT_AN_IMAGE),
        (Reply(200, b""), ReferenceProblem.NOT_AN_IMAGE),
        (Reply(200, bytes((1 << 16) + 1)), ReferenceProblem.TOO_LARGE),
        (CutBefore(), ReferenceProblem.UNREACHABLE),
        (CutMidBody(), ReferenceProblem.UNREACHABLE),
        (Delay(1), ReferenceProblem.UNREACHABLE),
        (Hang(), ReferenceProblem.UNREACHABLE),
    ],
    ids=lambda one: str(one)[:30],
)
async def test_what_discord_does_not_give_is_named_and_costs_nothing(
    house: House,
    kie: KieStandIn,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    problem: ReferenceProblem,
) -> None:
    async with house.easel(tuned(download_seconds=0.3)) as easel:
        source = await picture(easel)
        before = easel.ledger()
        monkeypatch.setattr("bot.generation.references.SOURCE_MAX_BYTES", 1 << 16)
        kie.script.always("result", behaviour)
        with pytest.raises(ReferenceRefused) as refused:
            await easel.ask(sources=[source])

        assert (refused.value.filename, refused.value.problem) == ("sketch.png", problem)
        assert easel.ledger() == before
        assert len(created(kie)) == 1


async def test_what_is_half_accepted_at_the_end_is_broken_off(house: House, kie: KieStandIn) -> None:
    async with house.easel() as easel:
        source = await picture(easel)
        before = easel.ledger()
        kie.script.always("upload", Hang())
        asking = [asyncio.create_task(easel.ask(sources=[source])) for _ in range(2)]
        await until(lambda: any(call.path.endswith("upload") for call in kie.requests), what="the upload")
        await easel.generations.finish(0.05)

        done, _ = await asyncio.wait(asking, timeout=5)
        assert len(done) == len(asking)
        assert all(one.cancelled() for one in asking)
        assert easel.ledger() == before
