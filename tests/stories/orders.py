"""What the stand-in for KIE was asked for."""

from typing import Any, cast

from demo.kie import KieStandIn
from tests.kie.schema import created


def orders(kie: KieStandIn) -> list[dict[str, Any]]:
    """The body of every createTask, in the order in which they came."""
    return [cast("dict[str, Any]", call.json) for call in created(kie)]


def order(kie: KieStandIn) -> dict[str, Any]:
    """The body of the only one."""
    (body,) = orders(kie)
    return body
