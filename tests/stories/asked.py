"""What KIE was given to work from, and what a member has to pay for it."""

from decimal import Decimal

from demo.kie import KieStandIn
from tests.stories.pictures import pixels

PAID = [("reserve", Decimal(-5)), ("settle", Decimal(0))]
"""The movements of one picture in 1K by pro."""

Pixels = tuple[tuple[int, int], bytes]


def worked_from(kie: KieStandIn) -> list[Pixels]:
    """What the references of the newest task show, in their order."""
    return [pixels(one) for one in [*kie.tasks.values()][-1].references or ()]
