"""What the stand-in for KIE was asked for."""

from typing import Any, cast

from demo.kie import KieStandIn
from tests.kie.schema import created
from tests.stories.images import Pixels, pixels


def task_bodies(kie: KieStandIn) -> list[dict[str, Any]]:
    """The bodies of all createTask calls, oldest first."""
    return [cast("dict[str, Any]", call.json) for call in created(kie)]


def task_body(kie: KieStandIn) -> dict[str, Any]:
    """The body of the only createTask call."""
    (body,) = task_bodies(kie)
    return body


def references_used(kie: KieStandIn) -> list[Pixels]:
    """What the references of the newest task show."""
    return [pixels(reference) for reference in [*kie.tasks.values()][-1].references or ()]


def uploads(kie: KieStandIn) -> int:
    """How many files KIE's file service was sent."""
    return len([call for call in kie.requests if call.files])
