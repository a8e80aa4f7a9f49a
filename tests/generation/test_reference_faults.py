"""Members' images that Discord does not serve: the request is refused, and nothing is charged."""

import asyncio

import pytest

from bot.domain.errors import ReferenceProblem, ReferenceRefused
from bot.domain.generation import Source
from demo.kie import Behaviour, CutBefore, CutMidBody, Delay, Hang, Html, KieStandIn, Reply
from tests.generation.backend import Backend, Installation
from tests.generation.tuning import tuned
from tests.kie.schema import created
from tests.waiting import until


async def attached_image(backend: Backend) -> Source:
    """An image that the KIE stand-in serves, in place of Discord."""
    (task,) = (await backend.request_and_wait()).tasks
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
        (Delay(2), ReferenceProblem.UNREACHABLE),
        (Hang(), ReferenceProblem.UNREACHABLE),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_failed_download_names_the_image_and_costs_nothing(
    installation: Installation,
    kie: KieStandIn,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    problem: ReferenceProblem,
) -> None:
    seconds = 0.5 if isinstance(behaviour, Hang | Delay) else 5
    async with installation.start(tuned(download_seconds=seconds)) as backend:
        source = await attached_image(backend)
        before = backend.ledger()
        monkeypatch.setattr("bot.generation.references.SOURCE_MAX_BYTES", 1 << 16)
        kie.script.always("result", behaviour)
        with pytest.raises(ReferenceRefused) as refused:
            await backend.request(sources=[source])

        assert (refused.value.filename, refused.value.problem) == ("sketch.png", problem)
        assert backend.ledger() == before
        assert len(created(kie)) == 1


async def test_requests_that_are_still_being_accepted_at_shutdown_are_cancelled(
    backend: Backend, kie: KieStandIn
) -> None:
    source = await attached_image(backend)
    before = backend.ledger()
    kie.script.always("upload", Hang())
    requests = [asyncio.create_task(backend.request(sources=[source])) for _ in range(2)]
    await until(lambda: any(call.path.endswith("upload") for call in kie.requests), what="the upload")
    backend.generations.cancel_accepting()

    done, _ = await asyncio.wait(requests, timeout=5)
    assert len(done) == len(requests)
    assert all(request.cancelled() for request in requests)
    assert backend.ledger() == before
