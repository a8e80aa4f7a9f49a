"""The polls that a stand-in for KIE has seen."""

from demo.kie import KieStandIn, RecordedRequest
from tests.waiting import until


def polls(kie: KieStandIn) -> list[RecordedRequest]:
    """All calls of recordInfo until now."""
    return [call for call in kie.requests if call.path == "/api/v1/jobs/recordInfo"]


async def polls_come(kie: KieStandIn) -> None:
    """Wait for two more polls: the answer to the first of them has then been acted on."""
    before = len(polls(kie))
    await until(lambda: len(polls(kie)) >= before + 2, what="two more polls")
